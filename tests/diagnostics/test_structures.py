"""Diagnostics take parameters in the structure of a joint distribution."""

from __future__ import annotations

import collections

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

from tfp_flows import diagnostics, inference

SIZE, DRAWS = 200, 50
Pair = collections.namedtuple("Pair", ["level", "slopes"])


def _pairs(seed=0):
    """Return parameters `[N, 3]` and draws of their posteriors `[N, L, 3]`."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(SIZE, 3))
    x = theta + rng.normal(size=theta.shape)
    noise = np.sqrt(0.5) * rng.normal(size=(SIZE, DRAWS, 3))
    return theta, x[:, None] / 2 + noise


def _split(values, kind):
    """Return the first column and the others in a structure."""
    level, slopes = values[..., 0], values[..., 1:]
    kinds = {
        "dict": {"slopes": slopes, "level": level},  # not in the order of names
        "named tuple": Pair(level, slopes),
        "list": [level, slopes],
    }
    return kinds[kind]


@pytest.mark.parametrize("kind", ["dict", "named tuple", "list"])
def test_structures_are_columns_in_the_order_of_nest(kind):
    theta, draws = _pairs()
    wanted = diagnostics.sbc(theta, draws)
    names = ("part0", "part10", "part11")
    if kind != "list":
        names = ("level", "slopes0", "slopes1")
    for given in (draws, _split(draws, kind)):
        found = diagnostics.sbc(_split(theta, kind), given)
        np.testing.assert_array_equal(found.values, wanted.values)
        assert found.names == names
        np.testing.assert_array_equal(
            diagnostics.coverage(_split(theta, kind), given).levels,
            diagnostics.coverage(theta, draws).levels,
        )
    narrow = draws.mean(axis=1, keepdims=True) + (draws - theta[:, None]) * 0.3
    found = diagnostics.sbc(_split(theta, kind), _split(narrow, kind))
    assert names[0] in str(found)
    assert not found.is_calibrated


def test_centres_and_samples_are_read_alike():
    theta, draws = _pairs()
    centres = theta[::-1].copy()
    one = diagnostics.coverage(theta, draws, references=centres)
    two = diagnostics.coverage(
        _split(theta, "dict"), draws, references=_split(centres, "dict")
    )
    np.testing.assert_array_equal(one.levels, two.levels)
    other = _pairs(1)[0]
    value = diagnostics.mmd(theta, other).value
    given = [_split(v, "dict") for v in (theta, other)]
    assert diagnostics.mmd(*given).value == value


def test_lists_of_rows_stay_rows():
    theta, draws = _pairs()
    found = diagnostics.sbc(list(theta), list(draws))
    np.testing.assert_array_equal(found.values, diagnostics.sbc(theta, draws).values)
    assert found.names == ("theta0", "theta1", "theta2")


def test_structures_that_do_not_fit_are_refused():
    theta, draws = (_split(values, "dict") for values in _pairs())
    with pytest.raises(ValueError, match=r"must have the parts of `theta`.*'slopes'"):
        diagnostics.sbc(theta, {**draws, "more": draws["level"]})
    moved = {name: np.swapaxes(v, 0, 1) for name, v in draws.items()}
    with pytest.raises(ValueError, match="behind that of the rows"):
        diagnostics.sbc(theta, moved)
    uneven = {**theta, "level": theta["level"][1:]}
    with pytest.raises(ValueError, match=r"parts of `theta` must be \[N, \.\.\.\]"):
        diagnostics.coverage(uneven, draws)


@pytest.mark.parametrize("kind", ["named", "sequential", "coroutine"])
def test_what_simulate_gives_for_joint_priors_is_taken_as_it_is(kind):
    def model():
        slopes = yield tfd.Sample(tfd.Normal(0.0, 1.0), 2, name="slopes")
        yield tfd.Normal(slopes[..., 0], 1.0, name="level")

    prior = {
        "named": lambda: tfd.JointDistributionNamedAutoBatched(
            {"slopes": tfd.Sample(tfd.Normal(0.0, 1.0), 2), "level": tfd.Normal(0.0, 1)}
        ),
        "sequential": lambda: tfd.JointDistributionSequentialAutoBatched(
            [tfd.Normal(0.0, 1.0), tfd.Sample(tfd.Normal(0.0, 1.0), 2)]
        ),
        "coroutine": lambda: tfd.JointDistributionCoroutineAutoBatched(model),
    }[kind]()
    parameters = inference.NPE(prior, "linear").parameters
    theta, _ = inference.simulate(
        prior, lambda theta: parameters.rows_of(theta), SIZE, seed=0, verbose=0
    )
    flat = parameters.rows_of(theta)
    rng = np.random.default_rng(0)
    x = flat + rng.normal(size=flat.shape)
    draws = x[:, None] + rng.normal(size=(SIZE, DRAWS, 3))
    found = diagnostics.sbc(theta, draws)
    assert found.names == parameters.names
    np.testing.assert_array_equal(found.values, diagnostics.sbc(flat, draws).values)
    levels = diagnostics.coverage(theta, draws).levels
    np.testing.assert_array_equal(levels, diagnostics.coverage(flat, draws).levels)
