"""The contract suite catches what it is for: each planted defect by its check."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tests.bijectors.toy_maps import Affine, Net, Shear, noise
from tfp_flows import testing
from tfp_flows.bijectors import Bijector, Chain


def must_catch(check, build, event_shape=(2,), match=None, **options):
    """Require that one check fails, and that it names itself."""
    case = testing.BijectorCase(build, event_shape, name="planted", **options)
    with pytest.raises(testing.ContractError, match=match) as error:
        testing.checks()[check](case)
    assert error.value.check == check
    assert str(error.value).startswith(f"{check}[planted]")


class Planted(Affine):
    """An affine map to break."""

    @classmethod
    def build(cls, dtype):
        return cls.variable(2, dtype)


class WrongInverse(Planted):
    def _inverse_and_log_det(self, y):
        x, log_det = super()._inverse_and_log_det(y)
        return x + 1e-3, log_det


@pytest.mark.colab
def test_wrong_inverse():
    must_catch("round_trip", WrongInverse.build, match="inverse.forward")


class FarWrongInverse(Planted):
    def _inverse_and_log_det(self, y):
        x, log_det = super()._inverse_and_log_det(y)
        return tf.clip_by_value(x, -1e3, 1e3), log_det


def test_inverse_that_is_wrong_far_outside():
    testing.check_round_trip(testing.BijectorCase(FarWrongInverse.build, (2,)))
    must_catch("far_round_trip", FarWrongInverse.build, match="1e")


class WrongSign(Planted):
    def _inverse_and_log_det(self, y):
        x, log_det = super()._inverse_and_log_det(y)
        return x, -log_det


def test_wrong_sign_of_a_log_det():
    must_catch("log_det", WrongSign.build, match="inverse log-det")
    must_catch("opposite_log_dets", WrongSign.build)
    must_catch("mass", WrongSign.build)


class MissingFactor(Planted):
    """Both directions agree, and both forget one coordinate."""

    def _forward_and_log_det(self, x):
        y, log_det = super()._forward_and_log_det(x)
        return y, log_det - self._log_scale[0]

    def _inverse_and_log_det(self, y):
        x, log_det = super()._inverse_and_log_det(y)
        return x, log_det + self._log_scale[0]


def test_log_det_without_a_factor():
    testing.check_opposite_log_dets(testing.BijectorCase(MissingFactor.build, (2,)))
    must_catch("log_det", MissingFactor.build, match="forward log-det")
    must_catch("mass", MissingFactor.build)


class OnlyInDoublePrecision(Planted):
    def _inverse_and_log_det(self, y):
        x, log_det = super()._inverse_and_log_det(y)
        return tf.cast(tf.cast(x, tf.float32), x.dtype), log_det


def test_float64_that_passes_through_float32():
    match = "in float64"
    must_catch("round_trip", OnlyInDoublePrecision.build, match=match)


def test_stale_cache_of_tfp():
    def build(dtype):
        return tfb.Scale(log_scale=tf.Variable(tf.cast(0.5, dtype)))

    must_catch("fresh_after_update", build, (), match="after an update")


class Untracked(Planted):
    def __init__(self, log_scale, shift, name="untracked"):
        super().__init__(log_scale, shift, name=name)
        hidden = tf.Variable(tf.cast(1.5, shift.dtype), name="hidden")
        self._hidden = lambda: hidden

    def _forward_and_log_det(self, x):
        y, log_det = super()._forward_and_log_det(x)
        return y * self._hidden(), log_det + 2 * tf.math.log(self._hidden())

    def _inverse_and_log_det(self, y):
        x, log_det = super()._inverse_and_log_det(y / self._hidden())
        return x, log_det - 2 * tf.math.log(self._hidden())


def test_untracked_variable():
    match = "`trainable_variables` lacks hidden"
    must_catch("tracked_variables", Untracked.build, match=match)


def test_keras_variable_is_untracked():
    def build(dtype):
        scale = keras.Variable([0.5, 0.5], dtype=dtype, name="log_scale")
        bijector = Affine.variable(2, dtype)
        bijector._log_scale = _Deferred(scale)
        return bijector

    must_catch("tracked_variables", build, match="lacks log_scale")


class _Deferred:
    """Hides a Keras variable as a Keras layer in a bijector does."""

    def __init__(self, variable):
        self.read = lambda: variable.value

    def __add__(self, other):
        return self.read() + other

    def __neg__(self):
        return -self.read()

    def __tf_tensor__(self, dtype=None, name=None):
        return tf.convert_to_tensor(self.read())


tf.register_tensor_conversion_function(
    _Deferred, lambda value, dtype=None, name=None, as_ref=False: value.read() + 0
)


class Frozen(Planted):
    def _forward_and_log_det(self, x):
        scale = tf.stop_gradient(self._log_scale)
        return x * tf.exp(scale) + self._shift, tf.reduce_sum(scale + 0 * x, -1)

    def _inverse_and_log_det(self, y):
        scale = tf.stop_gradient(self._log_scale)
        return (y - self._shift) * tf.exp(-scale), -tf.reduce_sum(scale + 0 * y, -1)


def test_variable_without_a_gradient():
    match = "no gradient reaches `.*log_scale"
    must_catch("finite_gradients", Frozen.build, match=match)


def test_two_passes():
    def build(dtype):
        bijector = Shear.build(dtype)
        bijector.cache = False
        return bijector

    must_catch("one_pass", build, match="passes of eager log_prob")
    net = Net.build(1, 2)

    def counting(dtype):
        bijector = Shear(net)
        bijector.cache = False
        return bijector

    must_catch("one_pass", counting, passes=lambda: net.calls)


class Root(Bijector):
    """`y = sign(x) * x ** 2`, whose inverse has an infinite slope at 0."""

    def __init__(self, name="root"):
        parameters = dict(locals())
        super().__init__(forward_min_event_ndims=0, parameters=parameters, name=name)

    def _forward_and_log_det(self, x):
        return tf.sign(x) * x**2, tf.math.log(2 * tf.abs(x))

    def _inverse_and_log_det(self, y):
        x = tf.sign(y) * tf.sqrt(tf.abs(y))
        return x, -tf.math.log(2 * tf.abs(x))


def test_infinity_at_an_edge():
    must_catch("finite_gradients", lambda dtype: Root(), (), match="is not finite")


class HalfWhere(Bijector):
    """Identity; right values everywhere, NaN gradients where a branch is not taken."""

    def __init__(self, name="half_where"):
        parameters = dict(locals())
        super().__init__(forward_min_event_ndims=0, parameters=parameters, name=name)

    def _forward_and_log_det(self, x):
        return tf.where(x > 3.0, tf.sqrt(x - 3.0) ** 2 + 3.0, x), tf.zeros_like(x)

    _inverse_and_log_det = _forward_and_log_det


def test_nan_gradient_of_an_unused_branch():
    def build(dtype):
        return HalfWhere()

    match = "gradient of forward for the input"
    must_catch("finite_gradients", build, (), edges=(3.0,), match=match)


class Overflow(Planted):
    def _forward_and_log_det(self, x):
        y, log_det = super()._forward_and_log_det(x)
        return tf.sqrt(y**2) * tf.sign(y), log_det


def test_overflow_at_huge_inputs():
    must_catch("huge_inputs", Overflow.build, match="forward value")


class InfinityMinusInfinity(Planted):
    def _forward_and_log_det(self, x):
        y, log_det = super()._forward_and_log_det(x)
        return y + x - x, log_det


def test_nan_at_infinity():
    must_catch("infinite_inputs", InfinityMinusInfinity.build, match="NaN")


class Broadcasting(Bijector):
    """Takes `[N, 1]` for an event of two."""

    def __init__(self, scale, name="broadcasting"):
        parameters = dict(locals())
        self._scale = scale
        super().__init__(parameters=parameters, dtype=scale.dtype, name=name)

    def _forward_and_log_det(self, x):
        y = x * self._scale
        return y, tf.reduce_sum(tf.math.log(self._scale) + 0 * y, -1)

    def _inverse_and_log_det(self, y):
        x = y / self._scale
        return x, -tf.reduce_sum(tf.math.log(self._scale) + 0 * x, -1)


def test_silent_broadcast():
    def build(dtype):
        return Broadcasting(tf.exp(noise([2], dtype, 0)))

    must_catch("event_shape", build, match=r"broadcasts silently")


class Doubling(Bijector):
    """Returns float64, whatever it is given."""

    def __init__(self, name="doubling"):
        parameters = dict(locals())
        super().__init__(forward_min_event_ndims=0, parameters=parameters, name=name)

    def _forward_and_log_det(self, x):
        return x, tf.zeros(tf.shape(x), tf.float64)

    _inverse_and_log_det = _forward_and_log_det


def test_change_of_dtype():
    must_catch("dtype", lambda dtype: Doubling(), (), match="float64, bound float32")


class SquashesBatch(Planted):
    def _forward_and_log_det(self, x):
        y, log_det = super()._forward_and_log_det(x)
        return y, log_det + tf.reduce_mean(x - tf.stop_gradient(x)) + _rank(x)


def _rank(x):
    return 0.0 if x.shape.rank == 2 else tf.cast(x.shape.rank, x.dtype)


def test_dependence_on_leading_shape():
    must_catch("leading_shapes", SquashesBatch.build, match=r"leading shape \(\)")


class PythonBranch(Planted):
    def _forward_and_log_det(self, x):
        y, log_det = super()._forward_and_log_det(x)
        return y, log_det if tf.executing_eagerly() else log_det + 1


def test_other_numbers_when_traced():
    must_catch("tf_function", PythonBranch.build, match="forward log-det against eager")
    must_catch("xla", PythonBranch.build)


class Ignores(Shear):
    def _forward_and_log_det(self, x, condition=None):
        return super()._forward_and_log_det(x, tf.zeros_like(condition))


def test_condition_without_effect():
    def build(dtype):
        return Ignores.build(dtype, (3,))

    must_catch("condition", build, condition_shape=(3,), match="no effect")


def test_condition_that_is_not_required():
    class Lax(Shear):
        def forward(self, x, name="forward", condition=None):
            condition = tf.zeros([3]) if condition is None else condition
            return super().forward(x, name, condition=condition)

    def build(dtype):
        return Lax.build(dtype, (3,))

    must_catch("condition", build, condition_shape=(3,), match="missing condition")


class NotCopied(Planted):
    def copy(self, **kwargs):
        return Affine.variable(2, self.dtype, 5)


def test_copy_that_is_another_map():
    must_catch("copy", NotCopied.build)


class NotComposite(Affine):
    """Keeps a tensor that no constructor argument names."""

    def __init__(self, log_scale, shift, *, validate_args=False, name="bad"):
        super().__init__(log_scale, shift, name=name)
        self._log_scale = log_scale * 1.0 + 1.0


def test_map_that_an_argument_rebuilds_differently():
    def build(dtype):
        return NotComposite(noise([2], dtype, 0), noise([2], dtype, 1))

    must_catch("composite_tensor", build)


class Raises(Planted):
    def _inverse_and_log_det(self, y):
        raise RuntimeError("broken")


def test_exception_of_a_map():
    must_catch("round_trip", Raises.build, match="RuntimeError: broken")


@pytest.mark.colab
def test_map_without_a_defect_passes():
    testing.check_bijector(Planted.build, (2,), composite=False)


@pytest.mark.slow
def test_instance_is_checked_in_its_own_dtype():
    testing.check_bijector(Chain([tfb.Scale(2.0)]), (), skip=("event_shape",))


def test_unknown_check_to_skip_is_an_error():
    with pytest.raises(ValueError, match="`skip` must name checks"):
        testing.check_bijector(Chain([]), (2,), skip=("round_tripp",))


def test_error_carries_its_numbers():
    case = testing.BijectorCase(WrongInverse.build, (2,), name="wrong")
    with pytest.raises(AssertionError) as error:
        testing.check_round_trip(case)
    assert (error.value.check, error.value.case) == ("round_trip", "wrong")
    assert float(error.value.found) == pytest.approx(1e-3, rel=0.7)
    assert error.value.bound == 1e-5


def test_checks_are_listed_and_public():
    for name, function in testing.checks().items():
        assert getattr(testing, f"check_{name}") is function
        assert function.__doc__
    with pytest.raises(ValueError, match="`kind`"):
        testing.checks("network")


class TakesRealParts(Planted):
    def forward(self, x, **kwargs):
        return super().forward(np.real(x) if isinstance(x, np.ndarray) else x, **kwargs)


def test_complex_numbers_that_are_taken():
    must_catch("kinds_of_numbers", TakesRealParts.build, match="forward of complex")


class RoundsIntegers(Planted):
    def forward(self, x, **kwargs):
        y = super().forward(x, **kwargs)
        return y if tf.is_tensor(x) else tf.round(y)


def test_integers_that_have_another_image():
    must_catch("kinds_of_numbers", RoundsIntegers.build, match="an array of integers")
