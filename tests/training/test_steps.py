"""A flow that has learned how values were rounded says so."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tfp_flows as tfpf

WINE = tfpf.datasets.wine("red").x[:600]
OPTIONS = {"epochs": 3, "seed": 0, "verbose": 0}


def test_peaks_at_rounded_values_are_no_likelihood():
    with pytest.warns(UserWarning, match="nats come from the steps to which values"):
        _, history = tfpf.fit("rbig", WINE, columns="continuous", **OPTIONS)
    report = history.report
    assert report.of_steps.mean > 3.0
    assert "spread the values over their steps" in str(report)


@pytest.mark.parametrize("name", ["rbig", "linear"])
def test_smooth_densities_and_those_of_cells_are_as_they_are(name):
    columns = "auto" if name == "rbig" else "continuous"
    _, history = tfpf.fit(name, WINE, columns=columns, **OPTIONS)
    assert history.report.of_steps is None


def test_values_that_are_not_rounded_have_no_steps():
    x = np.random.default_rng(0).normal(size=(300, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        _, history = tfpf.fit("rbig", x, **OPTIONS)
    assert history.report.of_steps is None


def test_a_flow_of_one_number_and_conditions_are_compared_too():
    c = np.random.default_rng(0).normal(size=(300, 1))
    x = np.round(c[:, 0], 1)
    _, history = tfpf.fit("linear", x, c, columns="continuous", **OPTIONS)
    assert history.report.of_steps is None
