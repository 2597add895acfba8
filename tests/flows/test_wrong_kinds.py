"""What takes a flow says what to pass where it is handed something else."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows import estimators, flows, plots, training

X = np.random.default_rng(0).normal(size=(60, 2))
# Those that take a flow and no name of one.
TAKERS = {
    "calibrate": lambda flow: tfpf.calibrate(flow, X[:, 0], X[:, 1:]),
    "diagnose": lambda flow: tfpf.diagnose(flow, X),
    "fit_more": lambda flow: training.fit_more(flow, X),
    "score": lambda flow: training.score(flow, "rows.csv"),
    "deformation": plots.deformation,
    "gaussianization": lambda flow: plots.gaussianization(flow, X),
    "layers": plots.layers,
    "layers_gif": lambda flow: plots.layers_gif("way.gif", flow),
    "marginals": lambda flow: plots.marginals(flow, X),
}
# What else takes one: names are understood, or the flow is optional.
NOT_HERE = {"fit", "evidence", "fit_posterior", "sample_posterior", "training_gif"}
GIVEN = {
    "name": ("nsf", "'nsf'. Fit one first"),
    "file": ("a.keras", r"Read it first: tfp_flows.load\('a.keras'\)"),
    "pair": ((flows.build("linear", 2, seed=0), None), "Pass the first of"),
    "estimator": (estimators.FlowDensity(), "Pass its `flow_`"),
    "distribution": (tfd.Normal(0.0, 1.0), "Pass the flow that it is the density of"),
    "none": (None, "a `NoneType`"),
}


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.parametrize("kind", GIVEN)
def test_what_is_no_flow_is_named(name, kind):
    given, message = GIVEN[kind]
    with pytest.raises(TypeError, match=f"`flow` must be a flow, got .*{message}"):
        TAKERS[name](given)


def test_all_that_takes_a_flow_is_here():
    found = set()
    for package in (tfpf, training, plots, tfpf.diagnostics, tfpf.inference):
        for name in package.__all__:
            value = getattr(package, name)
            if (
                inspect.isfunction(value)
                and "flow" in inspect.signature(value).parameters
            ):
                found.add(name)
    assert found == set(TAKERS) | NOT_HERE


def test_rows_in_memory_are_scored_by_the_flow():
    with pytest.raises(TypeError, match=r"got a `ndarray`. Call flow.log_prob\(x\)"):
        training.score(flows.build("linear", 2, seed=0), X)
