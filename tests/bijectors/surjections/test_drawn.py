"""Every public surjection at shapes and parameters that Hypothesis draws."""

from __future__ import annotations

import inspect

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from tests.bijectors.toy_maps import noise
from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.testing import perturb

EXAMPLES = max(2, hypothesis.settings().max_examples // 3)


def _given(kind, inputs, outputs, dtype):
    return kind(networks.MLP(inputs, (outputs, 2), (4,), dtype=dtype, seed=0))


# Functions of the size of data, at least 2, and the dtype.
SURJECTIONS = {
    "AbsoluteValue": lambda n, d: maps.AbsoluteValue(range(0, n, 2)),
    "Maximum": lambda n, d: maps.Maximum(n, _given(maps.GammaGiven, 1, n - 1, d)),
    "Slice": lambda n, d: maps.Slice(1, _given(maps.NormalGiven, 1, n - 1, d)),
    "Augment": lambda n, d: maps.Augment(n, num_draws=3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SURJECTIONS)
@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(data=st.data())
def test_preimages_of_any_shape_become_their_data(name, data):
    size, dtype = (
        data.draw(st.integers(2, 4)),
        data.draw(st.sampled_from(["float32", "float64"])),
    )
    leading = data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (2, 0)]))
    map_ = SURJECTIONS[name](size, dtype)
    perturb(map_, data.draw(st.sampled_from([0.0, 0.1, 0.5])), 1)
    x = tf.constant(noise([*leading, size], dtype, data.draw(st.integers(0, 99))))
    z, log_weight = map_.preimages(x)
    assert z.shape == (map_.num_preimages, *leading, map_.inverse_size(size))
    assert log_weight.shape == z.shape[:-1]
    assert np.all(np.isfinite(log_weight))
    assert z.dtype == log_weight.dtype == x.dtype
    # What the map keeps comes back from each point, whatever it draws.
    again = map_.forward(z, seed=[0, 1])
    assert again.shape == (len(z), *leading, size)
    for kept in map_.preimages(again).z:
        many = name == "AbsoluteValue"
        found, wanted = (np.abs(v) if many else v for v in (kept, z))
        found, wanted = (v[..., :size] for v in (found, wanted))
        np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape))


def test_every_public_surjection_is_drawn():
    public = {n for n in maps.__all__ if inspect.isclass(getattr(maps, n))}
    found = {n for n in public if issubclass(getattr(maps, n), maps.Surjection)}
    assert found - {"Surjection"} == {*SURJECTIONS}
