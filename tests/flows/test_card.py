"""Cards of flows: written by a fit, kept by files, and true of the weights."""

from __future__ import annotations

import numpy as np
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows.flows._model import card, seal
from tfp_flows.training import cards


def fitted(seed=0):
    x = small.table(100, 2)
    options = {"columns": ["a", "b"], "epochs": 2, "verbose": 0, "batch_size": 64}
    return x, *tfpf.fit("linear", x, seed=seed, jit_compile=False, **options)


@pytest.fixture(scope="module")
def fit():
    return fitted()


def test_a_fit_writes_what_it_reports(fit):
    x, flow, history = fit
    found = flow.card
    assert found["columns"] == ["a", "b"]
    assert found["data"] == {"rows": 100, "sha256": cards.data_digest(x)}
    value = history.report.log_likelihood
    assert found["log_likelihood"] == {
        "mean": value.mean,
        "standard_error": value.error,
    }
    assert found["gaussian"]["mean"] == history.report.gaussian.mean
    assert (found["of"], found["rows"]) == (history.report.of, history.report.count)
    assert found["versions"] == card.versions()
    assert found["licence"] is None


def test_the_same_fit_writes_the_same_card(fit):
    assert fitted()[1].card == fit[1].card
    assert fitted(seed=1)[1].card != fit[1].card


def test_files_keep_cards(fit, tmp_path):
    flow = fit[1]
    before = flow.card
    flow.card = {**before, "licence": "CC BY 4.0"}
    flow.save(tmp_path / "flow.keras")
    loaded = tfpf.load(tmp_path / "flow.keras")
    assert loaded.card == {**before, "licence": "CC BY 4.0"}
    loaded.save(tmp_path / "again.keras")
    seals = [seal.read(tmp_path / f"{name}.keras") for name in ("flow", "again")]
    assert seals[0].card == seals[1].card
    assert seals[0].weights == seals[1].weights
    flow.card = before


def test_figures_of_other_weights_are_left_out(fit, tmp_path):
    fit[1].save(tmp_path / "flow.keras")
    flow = tfpf.load(tmp_path / "flow.keras")
    assert "note" not in flow.card
    variable = flow.trainable_variables[0]
    variable.assign(variable.value + 1.0)
    assert "log_likelihood" not in flow.card
    assert "gaussian" not in flow.card
    assert flow.card["note"] == card.NOTE
    assert flow.card["data"]["rows"] == 100


def test_a_flow_without_a_fit_has_no_card(tmp_path):
    flow = small.build("linear")
    assert flow.card is None
    flow.save(tmp_path / "flow.keras")
    assert tfpf.load(tmp_path / "flow.keras").card is None


@pytest.mark.parametrize(
    "wrong", [{"a": np.nan}, {"a": np.zeros(3)}, {"a": "x" * 60000}]
)
def test_what_no_file_keeps_is_refused(wrong):
    flow = small.build("linear")
    with pytest.raises(ValueError, match="`card` must"):
        flow.card = wrong


def test_rows_have_checksums_of_their_values():
    x = small.table(10, 2)
    assert cards.data_digest(x) == cards.data_digest(x.astype(np.float64))
    assert cards.data_digest(x) != cards.data_digest(x[::-1])
    assert cards.data_digest(x, x) != cards.data_digest(x)
