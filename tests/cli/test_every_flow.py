"""`tfp-flows fit --flow NAME` on wines, for each name that there is."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest

import tfp_flows
from tests.flows import small
from tfp_flows import datasets, flows

# Flows of other events, and what each says of a table.
REFUSED = {
    "circular": "`x` must be angles of the period .* take 'nsf' and declare them",
    "sphere": "`x` must be unit vectors.* take 'nsf-ar'",
    **dict.fromkeys(flows.image_names(), "is a table and --flow .* is for images"),
}


@pytest.fixture(scope="module")
def wines(tmp_path_factory):
    """Return a table of 160 red wines, and its rows."""
    found = datasets.wine("red")
    path = tmp_path_factory.mktemp("wines") / "red.csv"
    rows = np.asarray(found.x)[:160]
    np.savetxt(path, rows, "%.9g", ",", header=",".join(found.columns), comments="")
    return path, rows


def options(name):
    """Return options of a small flow, as the shell takes them."""
    given = {k: v for k, v in small.SMALL[name].items() if k != "period"}
    for key, value in given.items():
        text = value if isinstance(value, str) else repr(value)
        assert isinstance(value, str) or ast.literal_eval(text) == value
        yield from ("--option", f"{key}={text}")


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in flows.all_names() if n not in REFUSED])
def test_wines_are_fitted_and_the_file_is_read(name, wines, run, tmp_path):
    path, rows = wines
    out = tmp_path / "flow.keras"
    argv = ("fit", path, "--flow", name, "--out", out, "--epochs", 1, "--quiet")
    code, text, error = run(*argv, *options(name))
    assert code == 0, error
    assert "held-out log-likelihood" in text
    flow = tfp_flows.load(out)
    assert isinstance(flow, flows.flow_class(name))
    assert np.all(np.isfinite(flow.log_prob(rows[:5].astype("float32"))))


@pytest.mark.parametrize("name", REFUSED)
def test_flows_of_other_events_say_what_they_are_for(name, wines, run, tmp_path):
    argv = ("fit", wines[0], "--flow", name, "--out", tmp_path / "f.keras")
    code, _, error = run(*argv, "--epochs", 1)
    assert code == 2
    assert re.search(REFUSED[name], " ".join(error.split()))
