"""The options that flows share, and what they refuse."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.flows import small
from tfp_flows import distributions, flows, training

X = small.table(20)
AUTOREGRESSIVE = ["maf", "iaf", "nsf-ar", "maf-mol"]
COUPLING = ["nice", "realnvp", "nsf"]


def test_every_name_builds_its_class():
    assert set(small.SMALL) == set(flows.names())
    assert flows.DEFAULT in flows.names()
    for name in flows.names():
        flow = small.build(name)
        assert type(flow) is flows.flow_class(name)
        assert isinstance(flow, keras.Model)
    with pytest.raises(ValueError, match=r"`name` must be one of 'nice'"):
        flows.build("glow2", 2)


@pytest.mark.parametrize("name", flows.names())
def test_configuration_rebuilds_the_flow(name):
    condition = None if name in small.UNCONDITIONAL else 1
    flow = small.build(
        name,
        2,
        condition,
        base="uniform" if name == "circular" else "student-t",
        columns=["a", "b"],
        name="mine",
    )
    config = flow.get_config()
    twin = type(flow).from_config(config)
    assert twin.get_config() == config
    assert twin.name == "mine"
    assert repr(twin) == repr(flow)
    shapes = [tuple(v.shape) for v in flow.variables]
    assert [tuple(v.shape) for v in twin.variables] == shapes


# Of other words, or none: their networks are maps, or their base is the circle.
OTHERS = (*small.UNCONDITIONAL, "bnaf", "circular", "residual")
OTHERS += ("cnf", "flow-matching", "tarflow", "series")


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in flows.names() if n not in OTHERS])
def test_shared_options_are_known_to_every_flow(name):
    options = {"num_layers": 1, "hidden_units": (4, 4), "activation": "tanh"}
    flow = flows.build(name, 2, dropout=0.1, base="normal", seed=1, **options)
    assert np.all(np.isfinite(flow.log_prob(X)))
    with pytest.raises(TypeError):
        flows.build(name, 2, width=3)


@pytest.mark.parametrize("name", flows.names())
def test_a_flow_has_at_least_one_layer(name):
    with pytest.raises(ValueError, match="`num_layers` must be at least 1"):
        flows.build(name, 2, num_layers=0)


@pytest.mark.slow
@pytest.mark.parametrize("base", distributions.BASES)
def test_every_base_can_be_chosen(base):
    flow = small.build("maf", 2, base=base)
    inside = 0.5 * np.tanh(X)
    assert np.all(np.isfinite(flow.log_prob(inside)))
    assert flow.sample(3, seed=0).shape == [3, 2]
    assert f"base: {base}" in repr(flow)


@pytest.mark.parametrize("name", [*COUPLING, "maf"])
@pytest.mark.parametrize("mixing", ["none", "reverse", "permute", "lu"])
def test_mixing_between_layers(name, mixing):
    flow = small.build(name, 4, num_layers=3, mixing=mixing)
    small.perturbed(flow, 0.1)
    x = small.table(5, 4)
    map_ = flow.bijector()
    z = map_.inverse(x).numpy()
    np.testing.assert_allclose(map_.forward(z.copy()), x, atol=1e-3)
    kinds = [type(m).__name__ for m in map_.bijectors]
    assert kinds.count("LU") == (3 if name in COUPLING else 2) * (mixing == "lu")


@pytest.mark.parametrize("name", AUTOREGRESSIVE)
def test_orders_of_autoregressive_layers(name):
    def orders(order):
        flow = small.build(name, 3, num_layers=3, order=order)
        maps = [getattr(m, "bijector", m) for m in flow.bijector().bijectors]
        return [m.order for m in maps if hasattr(m, "order")]

    up, down = (0, 1, 2), (2, 1, 0)
    assert orders("left-to-right") == [up] * 3
    assert orders("right-to-left") == [down] * 3
    # From the data to the base, the first sees the coordinates as they are.
    assert orders("alternate") == [up, down, up]
    assert all(sorted(order) == [0, 1, 2] for order in orders("random"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("maf", {"order": "up"}, "`order` must be one of"),
        ("nsf", {"mixing": "stir"}, "`mixing` must be one of"),
        ("maf", {"mixing": "stir"}, "`mixing` must be one of"),
        ("maf", {"base": "cauchy"}, "`base` must be one of"),
        ("nsf", {"num_bins": 0}, "`num_bins` must be at least 1"),
        ("nsf", {"hidden_units": (4, 8)}, "must be equal"),
        ("maf", {"dropout": 1.5}, "`dropout` must be at least 0"),
        ("maf", {"activation": "bent"}, "`activation` must be callable"),
        ("maf", {"columns": ["a"]}, "`columns` must name the coordinates"),
        ("maf", {"condition_columns": ["a"]}, "`condition_columns` must name"),
        ("maf", {"embedding": lambda c: c}, "`embedding` needs a condition"),
        ("nsf", {"tail_bound": -1.0}, "`range_min` must be below"),
    ],
)
def test_bad_options_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        small.build(name, 2, **options)


@pytest.mark.parametrize("name", ["nsf", "series", "sphere", "glow", "rbig"])
def test_an_event_shape_must_be_given(name):
    with pytest.raises(ValueError, match="`event_shape` must be given"):
        flows.build(name, None)


@pytest.mark.parametrize("shape", [0, -1, (2, 0), 1.5, "2", True])
def test_bad_event_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="`event_shape` must be a positive int"):
        small.build("maf", shape)


@pytest.mark.slow
@pytest.mark.parametrize("name", flows.names())
@pytest.mark.parametrize("condition", [None, 2])
def test_one_coordinate_works_with_and_without_a_condition(name, condition):
    if condition and name in small.UNCONDITIONAL:
        with pytest.raises(ValueError, match="`condition_shape` must be None"):
            small.build(name, 1, condition)
        return
    flow = small.perturbed(small.build(name, 1, condition), 0.1)
    x, c = small.batch(6, 1, condition or 1)
    arguments = [c] if condition else []
    log_prob = flow.log_prob(x, *arguments)
    assert log_prob.shape == [6]
    assert np.all(np.isfinite(log_prob))


def test_alternating_halves_change_every_coordinate():
    for size in (2, 3, 5):
        flow = small.perturbed(small.build("realnvp", size), 0.3)
        x = small.table(6, size)
        moved = np.abs(flow.bijector().inverse(x) - x).max(axis=0)
        assert moved.min() > 1e-4


def test_description_shows_the_stack_and_the_size():
    flow = small.build("nsf", 3, 2, mixing="lu")
    text = repr(flow)
    assert text.startswith("<NeuralSplineFlow ")
    assert "(3,) | (2,)" in text
    assert "trainable parameters" in text
    assert text.count("Coupling[RationalQuadratic") == 2
    assert "  1. Standardize" in text


def test_names_of_variables_are_stable_and_unique():
    first, second = small.build("nsf", 3, name="a"), small.build("nsf", 3, name="a")
    paths = [v.path for v in first.variables]
    assert paths == [v.path for v in second.variables]
    assert len(set(paths)) == len(paths)


def test_a_name_of_before_builds_the_flow_of_today():
    flow = flows.build("maf-mog", 2, hidden_units=(4,), seed=0)
    assert type(flow) is flows.flow_class("maf-mol")
    assert "maf-mog" not in flows.names()


@pytest.mark.parametrize("dtype", ["int8", "float16", "flaot32", 3, "complex64"])
def test_a_dtype_without_digits_is_refused_in_a_sentence_of_ours(dtype):
    message = f"`dtype` must be 'float32', .* got {dtype!r}: densities need their"
    with pytest.raises(ValueError, match=message):
        flows.build("linear", 2, dtype=dtype)
    with pytest.raises(ValueError, match=message):
        training.fit("linear", np.eye(20), dtype=dtype, verbose=0)
