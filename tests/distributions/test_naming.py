"""Default names of densities are no names of parts of joint distributions."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import bijectors, distributions, flows


def surjected():
    return distributions.SurjectedDistribution(
        tfd.MultivariateNormalDiag(tf.zeros(3)), bijectors.AbsoluteValue(axes=[0])
    )


def ensemble():
    return flows.Ensemble(
        2, flow=flows.flow_class("linear"), members=2, seed=0
    ).distribution()


def discrete():
    columns = {0: "integer", 1: "integer"}
    return flows.build("linear", 2, columns=columns, seed=0).distribution()


def flow():
    return flows.build("linear", 2, seed=0).distribution()


@pytest.mark.parametrize("make", [surjected, ensemble, discrete, flow])
def test_functions_call_parts_as_they_like(make):
    joint = tfd.JointDistributionSequential(
        [make(), make(), lambda second, first: tfd.Normal(first[..., 0], 1.0)]
    )
    draw = joint.sample(seed=[0, 1])
    assert np.isfinite(joint.log_prob(draw))
    copied = make().copy()
    assert "name" not in copied.parameters
    assert copied.name == make().name


def test_a_name_that_was_given_is_that_of_the_part():
    named = flows.build("linear", 2, name="weather", seed=0)
    assert named.distribution().parameters["name"] == "weather"
    again = type(named).from_config(named.get_config())
    assert again.distribution().name == "weather"

    other = flows.build("linear", 2, seed=0)

    @tfd.JointDistributionCoroutineAutoBatched
    def model():
        yield named.distribution()
        yield other.distribution()

    assert model.event_shape._fields == ("weather", "var1")


def test_names_that_keras_makes_are_not_given():
    built = [flows.build("maf", 2, seed=0) for _ in range(2)]
    assert built[0].name != built[1].name
    for flow in built:
        loaded = type(flow).from_config(flow.get_config())
        assert loaded.distribution().parameters.get("name") is None


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("1", "flow_1"),
        ("ä", "flow"),
        ("a b", "a_b"),
        ("2nd flow", "flow_2nd_flow"),
        ("Weather_", "Weather_"),
        ("_x", "x"),
    ],
)
def test_any_name_of_a_model_gives_one_that_tfp_takes(name, part):
    density = flows.build("linear", 2, name=name, seed=0).distribution()
    assert density.parameters["name"] == part
    assert density.sample(seed=0).shape == (2,)
