"""Checks of arguments that many classes share."""

from __future__ import annotations

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, inference, models, networks


@pytest.mark.parametrize("value", [3, 0.5, np.float32(0.5)])
def test_positive_numbers_are_floats(value):
    found = _checks.positive(value, "scale")
    assert found == value
    assert type(found) is float


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0.0, ValueError, "`scale` must be above 0 and finite, got 0.0"),
        (np.inf, ValueError, "`scale` must be above 0 and finite, got inf"),
        (np.nan, ValueError, "`scale` must be above 0 and finite, got nan"),
        ("1", TypeError, "`scale` must be a plain number, got str"),
        (True, TypeError, "`scale` must be a plain number, got bool"),
    ],
)
def test_other_numbers_are_refused(value, error, message):
    with pytest.raises(error, match=message):
        _checks.positive(value, "scale")


NEED_ONE = {
    "MLP": lambda widths: networks.MLP(2, (2, 3), hidden_units=widths),
    "MultiplicativeDense": lambda widths: models.MultiplicativeDense(
        2, kl_weight=1.0, hidden_units=widths
    ),
    "PointFlow": lambda widths: models.PointFlow(2, 1, hidden_units=widths),
    "SetEmbedding": lambda widths: inference.SetEmbedding(2, hidden_units=widths),
}


@pytest.mark.parametrize("widths", [(), [], None])
@pytest.mark.parametrize("name", NEED_ONE)
def test_networks_that_need_a_hidden_layer_say_so(name, widths):
    with pytest.raises(ValueError, match="at least one hidden layer, got"):
        NEED_ONE[name](widths)


def test_linear_encoders_and_logistic_ratios_need_none():
    prior = tfd.Normal(0.0, 1.0)
    for make in (
        lambda widths: inference.NRE(prior, hidden_units=widths),
        lambda widths: models.FlowVAE(4, 1, hidden_units=widths, seed=0),
    ):
        make(())
        with pytest.raises(ValueError, match="the widths of hidden layers, got None"):
            make(None)
