"""A map that declares its parameters: what follows from the declaration."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import KW_ONLY

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import bijectors as maps
from tfp_flows.bijectors._core import base
from tfp_flows.bijectors._core.parameters import Option, Parameter, Part, at_least
from tfp_flows.bijectors._core.properties import POSITIVE


class Stretch(base.Bijector):
    """Multiply by positive numbers, to a power.

    Shapes:
        Vectors.
    """

    factors: object = Parameter(
        "D", "The numbers.", start=1.0, constraint=POSITIVE, remedy="Pass ones."
    )
    table: object = Parameter(
        "D K+1", "Not used; `None` for none.", default=None, trainable=False
    )
    _: KW_ONLY
    power: float = Option("The power.", default=1.0, check=at_least(0.5))

    def _forward_and_log_det(self, x):
        log_det = self.power * tf.reduce_sum(tf.math.log(self.factors), axis=-1)
        y = x * self.factors**self.power
        return y, tf.broadcast_to(log_det, y.shape[:-1])

    def _inverse_and_log_det(self, y):
        log_det = self.power * tf.reduce_sum(tf.math.log(self.factors), axis=-1)
        x = y / self.factors**self.power
        return x, tf.broadcast_to(-log_det, x.shape[:-1])


class Twice(base.Bijector):
    part: maps.Bijector = Part("What is applied twice.", event_ndims=1)

    def _setup(self, sizes):
        (sizes["D"],) = self.part.checked_shape
        return {}

    def _forward_and_log_det(self, x):
        y, first = self.part.forward_and_log_det(x)
        y, second = self.part.forward_and_log_det(y)
        return y, first + second


def test_constructor_has_the_declared_signature():
    signature = inspect.signature(Stretch)
    assert list(signature.parameters) == [
        "factors",
        "table",
        "power",
        "validate_args",
        "name",
    ]
    kinds = [p.kind.name for p in signature.parameters.values()]
    assert kinds == ["POSITIONAL_OR_KEYWORD"] * 2 + ["KEYWORD_ONLY"] * 3
    assert signature.parameters["power"].default == 1.0
    assert signature.parameters["name"].default == "stretch"


def test_docstring_gets_the_arguments_before_the_next_section():
    doc = inspect.getdoc(Stretch)
    assert "    factors: The numbers, `[..., D]`.\n" in doc
    assert "    table: Not used, `[..., D, K+1]`; `None` for none.\n" in doc
    assert doc.index("Args:") < doc.index("    name: ") < doc.index("Shapes:")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, TypeError, "`Stretch`: missing a required argument: 'factors'"),
        (
            {"factors": [1.0], "size": 2},
            TypeError,
            "unexpected keyword argument 'size'",
        ),
        ({"factors": 1.0}, ValueError, "`factors` must have a last dimension"),
        ({"factors": [1.0, -1.0]}, ValueError, "`factors` must be positive. Pass ones"),
        (
            {"factors": [1.0, 2.0], "table": np.ones([3, 4], "float32")},
            ValueError,
            r"`table` must have trailing shape \(2, 4\) for `Stretch`",
        ),
        ({"factors": [1.0], "power": 0.0}, ValueError, "`power` must be at least 0.5"),
        ({"factors": lambda: 1.0}, TypeError, "`factors` must be .* got a function"),
        ({"factors": tf.constant([1])}, TypeError, "needs float32 or float64"),
    ],
)
def test_wrong_arguments_are_named(given, error, message):
    with pytest.raises(error, match=message):
        Stretch(**given)


def test_values_of_tensors_are_checked_where_asked_for():
    wrong = tf.constant([1.0, -1.0])
    Stretch(wrong)
    with pytest.raises(ValueError, match="`factors` must be positive"):
        Stretch(wrong, validate_args=True)


def test_attributes_are_read_only_and_convert_at_each_use():
    variable = tf.Variable([1.0, 2.0])
    stretch = Stretch(tfp.util.DeferredTensor(variable, tf.exp), power=2.0)
    assert stretch.dtype == tf.float32
    assert stretch.checked_shape == (2,)
    np.testing.assert_allclose(stretch.forward([1.0, 1.0]), np.exp([2.0, 4.0]), 1e-6)
    variable.assign([0.0, 0.0])
    np.testing.assert_allclose(stretch.forward([1.0, 1.0]), [1.0, 1.0])
    with pytest.raises(AttributeError):
        stretch.power = 3.0


def test_new_variables_have_names_start_and_dtype_of_the_declaration():
    table = np.zeros([2, 3])
    stretch = Stretch._of_variables({"D": 2}, tf.float64, table=table, power=2.0)
    names = [v.name for v in stretch.variables]
    assert names == ["stretch/factors:0", "stretch/table:0"]
    assert [v.trainable for v in stretch.variables] == [True, False]
    np.testing.assert_array_equal(stretch.factors, np.ones(2))
    assert stretch.dtype == tf.float64
    with pytest.raises(ValueError, match="`size` must be at least 1"):
        Stretch._of_variables({"D": 0}, tf.float32)


def test_batches_copies_and_pickles_follow():
    stretch = Stretch(np.float32([[1.0, 2.0], [3.0, 4.0]]), power=2.0)
    assert stretch.experimental_batch_shape(1) == (2,)
    np.testing.assert_array_equal(stretch[1].factors, [3.0, 4.0])
    assert not stretch.repeatable
    assert stretch[0].repeatable
    assert stretch.copy(power=1.0).parameters["power"] == 1.0
    twin = pickle.loads(pickle.dumps(stretch))
    np.testing.assert_array_equal(twin.forward([1.0, 1.0]), [[1.0, 4.0], [9.0, 16.0]])
    flat = tf.nest.flatten(stretch, expand_composites=True)
    np.testing.assert_array_equal(flat[0], stretch.factors)


def test_parts_give_dtype_batch_and_form_for_loops():
    lu = maps.LU.trainable(3, init="orthogonal", seed=1, dtype=tf.float64)
    twice = Twice(lu)
    assert twice.dtype == tf.float64
    assert twice.repeatable
    assert tf.is_tensor(twice.loop_form().part.permutation)
    assert not Twice(maps.BatchNorm.trainable(2)).repeatable
    batch = Twice(maps.TriangularAffine(np.zeros([4, 2, 2]), np.zeros([4, 2])))
    assert batch.experimental_batch_shape(1) == (4,)


def test_every_map_states_its_arguments_in_its_docstring():
    for name in maps.__all__:
        kind = getattr(maps, name)
        if inspect.isclass(kind) and getattr(kind, "_declared", None):
            entries = inspect.getdoc(kind).split("Args:\n")[1].split("\n\n")[0]
            for argument in inspect.signature(kind).parameters:
                assert f"    {argument}: " in entries


def test_methods_of_maps_state_their_arguments_in_their_docstrings():
    missing = []
    for name in maps.__all__:
        for method, found in vars(getattr(maps, name)).items():
            function = getattr(found, "__func__", found)
            doc = inspect.getdoc(function) if inspect.isfunction(function) else None
            if doc is None or method.startswith("_") or "Args:" not in doc:
                continue
            arguments = set(inspect.signature(function).parameters) - {"self", "cls"}
            entries = doc.split("Args:\n")[1].split("\n\n")[0].replace("**", "")
            missing += [
                f"{name}.{method}: {argument}"
                for argument in arguments
                if f"    {argument}: " not in entries
            ]
    assert not missing


def test_classmethods_are_given_what_all_maps_document_alike():
    class Bent(base.Bijector):
        slope: object = Parameter("D", "The slope.")
        _: KW_ONLY
        power: float = Option("The power.", default=1.0)

        @classmethod
        def of(cls, size, rank, *, power=1.0, dtype=tf.float32, **kwargs):
            """Return a map.

            Args:
                rank: Of what is bent,
                    a number.

            Raises:
                ValueError: If there is none.
            """

    assert inspect.getdoc(Bent.of).splitlines() == [
        "Return a map.",
        "",
        "Args:",
        "    size: Number of coordinates `D`.",
        "    rank: Of what is bent,",
        "        a number.",
        "    power: The power.",
        "    dtype: Dtype of the variables.",
        "    **kwargs: `name` and `validate_args`.",
        "",
        "Returns:",
        "    The map.",
        "",
        "Raises:",
        "    ValueError: If there is none.",
    ]
