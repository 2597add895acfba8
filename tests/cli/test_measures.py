"""`tfp-flows info DATA --measures`."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfp_flows import datasets, information
from tfp_flows.cli import measures


@pytest.fixture(scope="module")
def other(folder, rows):
    """Return a second table, its columns in another order."""
    path = folder / "other.csv"
    values = rows[:, ::-1] * 1.5
    np.savetxt(path, values, delimiter=",", header="c,b,a", comments="", fmt="%.9g")
    return path


@pytest.mark.slow
def test_measures_are_those_of_the_library(run, table):
    argv = ("info", table, "--measures", "mi:a|b+c", "--unit", "bits", "--json")
    code, text, _ = run(*argv, "--seed", 3)
    assert code == 0
    facts = json.loads(text)
    assert (facts["rows"], facts["unit"], facts["seed"]) == (120, "bits", 3)
    x = datasets.read_table(table).x
    expected = information.mutual_information(x[:, 0], x[:, 1:], unit="bits", seed=3)
    (found,) = facts["measures"]
    assert found == {
        "measure": "mi:a|b+c",
        "name": "mutual information",
        "value": pytest.approx(expected.value, abs=1e-6),
        "stderr": pytest.approx(expected.stderr, abs=1e-6),
        "doubts": list(expected.doubts),
    }


def test_each_measure_is_given_its_columns(run, table, rows, other, monkeypatch):
    seen = {}

    def fake(name):
        def measure(*samples, **options):
            seen[name] = ([s.x for s in samples], options)
            return information.Measure(name, 1.0, 0.5)

        return measure

    for name, _ in measures.MEASURES.values():
        monkeypatch.setattr(information, name, fake(name))
    asked = f"tc,entropy:c+a,cmi:a|b|c,kl:{other}"
    code, text, _ = run("info", table, "--measures", asked, "--flow", "maf")
    assert code == 0
    assert text.splitlines()[0].split() == ["tc", "1.0000", "+-", "0.5000", "nats"]
    a, b, c = rows.T[:, :, np.newaxis]
    expected = {
        "total_correlation": [rows],
        "entropy": [rows[:, [2, 0]]],
        "conditional_mutual_information": [a, b, c],
        "kl_divergence": [rows, 1.5 * rows],  # matched by name
    }
    assert set(seen) == set(expected)
    for name, arrays in expected.items():
        found, options = seen[name]
        assert options == {"flow": "maf", "unit": "nats", "seed": 0}
        for one, other_one in zip(found, arrays, strict=True):
            np.testing.assert_allclose(one, other_one, rtol=1e-6)


def test_lines_show_values_and_errors(run, table):
    code, text, _ = run("info", table, "--measures", "negentropy:a, tc:b+c")
    assert code == 0
    first, second = text.splitlines()
    x = datasets.read_table(table).x
    value = information.negentropy(x[:, 0], seed=0)
    assert first.split()[0] == "negentropy:a"
    assert float(first.split()[1]) == pytest.approx(value.value, abs=1e-3)
    assert second.startswith("tc:b+c")
    assert second.endswith("nats")
    assert float(second.split()[1]) > 1.0  # b follows c


@pytest.mark.slow
def test_columns_that_are_not_asked_for_do_not_matter(run, tmp_path):
    path = tmp_path / "text.csv"
    values = np.random.default_rng(0).normal(size=(60, 2))
    lines = [f"{a},red,{b}" for a, b in values]
    path.write_text("\n".join(["a,color,b", *lines]))
    assert run("info", path, "--measures", "mi:a|b")[0] == 0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("mi:a|z", "'z'"),
        ("foo", "there is no measure 'foo', only entropy, negentropy, tc, mi"),
        ("mi:a", "mi needs 2 groups of columns, as in 'mi:A|B', got 'mi:a'"),
        ("cmi:a|b", "cmi needs 3 groups of columns, as in 'cmi:A|B|C'"),
        ("tc:", "tc needs a group of columns, as in 'tc:A'"),
        ("mi:a|a", "'mi:a|a' names the column 'a' twice"),
        ("kl", "kl needs a second table, as in 'kl:OTHER.csv'"),
        ("kl:none.csv", "there is no file 'none.csv'"),
        (" , ", "--measures must name measures, such as tc,entropy"),
        ("tc:a", "at least two columns"),
    ],
)
def test_bad_measures_are_refused(asked, message, refused, table):
    assert message in refused("info", table, "--measures", asked)


def test_bad_tables_are_refused(refused, table, tmp_path):
    path = tmp_path / "still.csv"
    path.write_text("a,b\n" + "1,2\n1,3\n" * 30)
    assert "constant 'a' = 1.0" in refused("info", path, "--measures", "tc")
    path.write_text("a,b\n" + "red,2\nblue,3\n" * 30)
    assert "column 'a' must be numeric" in refused("info", path, "--measures", "tc")
    path.write_text("a,b\n1,2\n3,5\n2,7\n")
    assert "at least 40 rows" in refused("info", path, "--measures", "tc")
    error = refused("info", table, "--measures", "tc", "--flow", "rgib")
    assert "there is no flow 'rgib', only" in error
    assert "for a table add --measures" in refused("info", table)


def test_saved_flows_have_no_measures(refused, linear_flow):
    assert "must end in .csv" in refused("info", linear_flow, "--measures", "tc")


def test_every_measure_has_a_word():
    functions = {function for function, _ in measures.MEASURES.values()}
    known = {n for n in information.__all__ if n.islower()}
    assert functions == known
