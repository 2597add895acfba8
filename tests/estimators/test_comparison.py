"""Flows and baselines on the same rows held out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.mixture import GaussianMixture

import tfp_flows
from tfp_flows import datasets, flows
from tfp_flows.estimators import BASELINES, compare, comparison, fit_baseline, results
from tfp_flows.preprocessing import rounding_steps


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    a = rng.gamma(2.0, size=400)
    return np.column_stack([a, a + rng.normal(size=400)])


def test_baselines_are_those_of_other_libraries(rows):
    x, new = rows[:300], rows[300:]
    loc, scale = x.mean(axis=0), x.std(axis=0)
    found = fit_baseline("mixture", x, quick=True, seed=3)
    scores = []
    for penalty in (3e-3, 3e-2):
        peer = GaussianMixture(10, reg_covar=penalty, max_iter=300, random_state=3)
        peer.fit((x - loc) / scale)
        scores.append(peer.score_samples((new - loc) / scale) - np.log(scale).sum())
    distances = [np.abs(found.log_prob(new) - score).max() for score in scores]
    assert min(distances) < 1e-9
    found = fit_baseline("kernel", x)
    scott = stats.gaussian_kde(x.T).factor * (270 / 300) ** (-1 / 6)
    distances = [
        np.abs(
            found.log_prob(new) - stats.gaussian_kde(x.T, scott * part).logpdf(new.T)
        ).max()
        for part in (0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
    ]
    assert min(distances) < 1e-6


@pytest.mark.parametrize("name", BASELINES)
def test_conditional_baselines_integrate_to_one(name, rows):
    found = fit_baseline(name, rows[:, 1:], rows[:, :1], quick=True)
    grid = np.linspace(-15.0, 25.0, 2001)[:, None]
    density = np.exp(found.log_prob(grid, np.full_like(grid, 2.5)))
    assert integrate.trapezoid(density, grid[:, 0]) == pytest.approx(1.0, abs=1e-5)


def test_steps_are_those_of_the_rounding():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5))
    x[:, 0] = np.round(40 * x[:, 0])  # too fine to shape a density, but ties
    x[:, 1] = np.round(x[:, 1], 1)
    x[:, 2] = rng.integers(0, 2, size=400)
    x[:, 3] = np.where(x[:, 3] < 0, 0.0, x[:, 3])  # an atom
    steps = rounding_steps(x)
    np.testing.assert_allclose(steps, [1.0, 0.1, 1.0, 0.0, 0.0], rtol=1e-9)


def test_copies_are_held_out_together_and_count_once(rows):
    x = np.round(np.repeat(rows[:150], 2, axis=0), 1)
    found = compare(x, flows=[], baselines=["gaussian", "kernel"])
    inside = {tuple(row) for row in x[found.held_out]}
    rest = np.setdiff1d(np.arange(len(x)), found.held_out)
    assert not inside & {tuple(row) for row in x[rest]}
    assert found.rows == (len(rest), len(found.held_out))
    assert "Uniform noise of one rounding step for all models: x0 (0.1)" in str(found)
    values = np.random.default_rng(1).normal(size=50)
    once = results.estimated(values, None)
    twice = results.estimated(np.repeat(values, 2), np.repeat(np.arange(50), 2))
    np.testing.assert_allclose(twice, once)


def test_whole_groups_and_last_rows_are_held_out(rows):
    groups = np.arange(400) // 10
    found = compare(rows, flows=[], baselines=["gaussian"], groups=groups)
    assert len(found.held_out) == 10 * len(set(groups[found.held_out]))
    found = compare(rows, flows=[], baselines=["gaussian"], time=np.arange(400)[::-1])
    assert found.held_out.tolist() == list(range(40))


def test_flows_stand_beside_baselines(rows):
    table = datasets.Table(rows, ("a", "b"))
    fitted = flows.build("linear", 2, columns=("b", "a"), seed=0)
    fitted.adapt(datasets.Table(rows[:, ::-1], ("b", "a")))
    seen = []
    found = tfp_flows.compare(
        table,
        flows={"new": "linear", "old": fitted},
        baselines=["gaussian", "mixture"],
        quick=True,
        fit_arguments={"epochs": 2},
        on_score=seen.append,
    )
    assert [score.name for score in found.scores] == [s.name for s in seen]
    assert [s.name for s in seen] == ["Gaussian", "mixture of 10", "new", "old"]
    test = rows[found.held_out]
    expected = fitted.log_prob(test[:, ::-1]).numpy()
    np.testing.assert_allclose(found["old"].log_prob, expected, rtol=1e-5)
    lead = np.mean(found["old"].log_prob - found["Gaussian"].log_prob)
    assert found["old"].lead.mean == pytest.approx(lead)
    assert abs(found["new"].lead.mean) < 0.5  # both are Gaussian, but for the tails
    assert "mixture of 10 is ahead of the best flow" in found.verdict
    assert found.facts()["scores"][2]["parameters"] > 0


def test_labels_may_be_conditions(rows):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(1)
    colour = rng.choice(["blue", "green", "red"], len(rows))
    x = rows + 9.0 * (colour == "red")[:, np.newaxis]
    frame = pd.DataFrame({"size": rng.normal(size=len(rows)), "colour": colour})
    kinds = {"colour": ("category", ["red", "blue", "green"]), "size": "continuous"}
    fitted = flows.build("linear", 2, 2, condition_columns=kinds, seed=0)
    fitted.adapt(x, frame[["colour", "size"]])
    options = {"flows": {"old": fitted}, "baselines": ["gaussian"]}
    found = compare(x, frame, **options)
    at = found.held_out
    expected = fitted.log_prob(x[at], frame[["colour", "size"]].iloc[at])
    np.testing.assert_allclose(found["old"].log_prob, expected, 1e-5, 1e-4)
    blind = compare(x, frame[["size"]], flows=[], baselines=["gaussian"])
    gain = found["Gaussian"].mean.mean - blind["Gaussian"].mean.mean
    assert gain > 0.5  # the mean depends on the label
    with pytest.raises(ValueError, match="of the columns colour, size for a table of"):
        compare(x, frame.rename(columns={"size": "length"}), **options)


def test_a_fitted_flow_reads_labels_of_events_as_its_own(rows):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(1)
    colour = pd.Categorical(rng.choice(["red", "blue"], len(rows), p=[0.8, 0.2]))
    table = pd.DataFrame({"colour": colour, "size": rows[:, 0]})
    columns = {"colour": ("category", ["red", "green", "blue"]), "size": "continuous"}
    fitted = flows.build("linear", 2, columns=columns, seed=0)
    fitted.adapt(table)
    options = {"flows": {"old": fitted}, "baselines": ["gaussian"]}
    found = compare(table, **options)
    expected = fitted.log_prob(table.iloc[found.held_out])
    np.testing.assert_allclose(found["old"].log_prob, expected, 1e-4, 1e-4)
    table["colour"] = table["colour"].cat.rename_categories({"blue": "black"})
    with pytest.raises(ValueError, match="column 'colour' must hold one of the labels"):
        compare(table, **options)


def test_a_fit_that_fails_is_a_line(rows, monkeypatch):
    def fail(*_, **__):
        raise FloatingPointError("the loss\nis not finite.")

    monkeypatch.setattr(comparison, "fit", fail)
    found = compare(rows, flows=["maf"], baselines=["gaussian"])
    assert found["maf"].failure == "the loss is not finite."
    assert "maf                failed: the loss" in str(found)
    assert "nothing to compare" in found.verdict


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flows": ["nfs"]}, "`flows` must be flows or their names, got 'nfs'"),
        ({"baselines": ["knn"]}, "`baselines` must be some of gaussian"),
        ({"flows": [], "baselines": []}, "must name a flow"),
        ({"test_fraction": 1.5}, "must lie between 0 and 1"),
        ({"test_fraction": 0.99}, "at least 10 rows to fit"),
        ({"flows": [flows.build("linear", 3)]}, "must fit the table, got 'LinearFlow'"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, message, rows):
    with pytest.raises(ValueError, match=message):
        compare(rows, **arguments)


def test_tables_without_a_density_are_refused(rows):
    with pytest.raises(ValueError, match="copy"):
        compare(np.column_stack([rows, rows[:, 0]]), flows=[])
    with pytest.raises(ValueError, match="rows"):
        compare(rows[:5], flows=[])
    atoms = np.column_stack([rows, np.where(rows[:, 1] > 2.0, rows[:, 1], 0.0)])
    found = compare(atoms, flows=[], baselines=["gaussian"])
    assert any("as high as one likes" in note for note in found.notes)


def test_quick_comparisons_leave_rows_out_and_say_so(rows, monkeypatch):
    monkeypatch.setattr(comparison, "QUICK_ROWS", 100)
    monkeypatch.setattr(comparison, "QUICK_SCORED", 20)
    found = compare(rows, flows=[], baselines=["gaussian"], quick=True)
    assert found.rows == (100, 20)
    assert len(found["Gaussian"].log_prob) == len(found.held_out) == 20
    assert "260 of the rows to fit are left out, to save time." in found.notes
    assert "20 of the rows held out are left out, to save time." in found.notes
