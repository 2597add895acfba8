"""The contract suite of flows catches what it is for."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.bijectors.toy_maps import Affine
from tfp_flows import flows, testing


def must_catch(check, flow, match=None):
    """Require that one check fails, and that it names itself."""

    def build(dtype):
        return flow(2, dtype=dtype)

    case = testing.FlowCase(build, name="planted")
    with pytest.raises(testing.ContractError, match=match) as error:
        testing.checks("flow")[check](case)
    assert error.value.check == check


class Increasing(Affine):
    """An affine map that says its direction."""

    def _is_increasing(self):
        return True


@keras.saving.register_keras_serializable("tests")
class Planted(flows.Flow):
    """One affine layer, to break."""

    layer = Increasing

    def __init__(self, event_shape=2, condition_shape=None, **kwargs):
        super().__init__(event_shape, condition_shape, options={}, **kwargs)

    def _make_layers(self, size, condition_shape):
        return [self.layer.variable(size, self.variable_dtype, 1)]


@pytest.mark.slow
def test_flow_without_a_defect_passes():
    testing.check_flow(Planted())


def test_unknown_check_to_skip_is_an_error():
    with pytest.raises(ValueError, match="`skip` must name checks"):
        testing.check_flow(Planted(), skip=("round_trip",))


def test_infinite_intermediate_number_of_a_flow():
    class Layer(Increasing):
        def _inverse_and_log_det(self, y):
            x, log_det = super()._inverse_and_log_det(y)
            return x, log_det + tf.exp(-tf.exp(1e3 * tf.ones_like(log_det)))

    must_catch("numerics", type("Steep", (Planted,), {"layer": Layer}), "of log_prob")


def test_density_that_does_not_integrate_to_one():
    class Layer(Affine):
        def _inverse_and_log_det(self, y):
            x, log_det = super()._inverse_and_log_det(y)
            return x, log_det + 0.1

    class Flow(Planted):
        layer = Layer

    must_catch("mass", Flow, "integrates to")
    must_catch("sample", Flow, "against the one it came with")


def test_variable_that_keras_does_not_know():
    class Layer(Affine):
        def __init__(self, log_scale, shift, name="layer"):
            super().__init__(log_scale, shift, name=name)
            hidden = tf.Variable(tf.zeros_like(shift), name="hidden")
            self._hidden = lambda: hidden

        def _inverse_and_log_det(self, y):
            return super()._inverse_and_log_det(y + self._hidden())

        def _forward_and_log_det(self, x):
            y, log_det = super()._forward_and_log_det(x)
            return y - self._hidden(), log_det

    class Flow(Planted):
        layer = Layer

    must_catch("tracked_variables", Flow, "`flow.variables` lacks hidden")


def test_variable_that_does_not_train():
    class Layer(Affine):
        def _inverse_and_log_det(self, y):
            shift = tf.stop_gradient(self._shift)
            x = (y - shift) * tf.exp(-self._log_scale)
            return x, -tf.reduce_sum(self._log_scale + 0 * x, -1)

    class Flow(Planted):
        layer = Layer

    must_catch("gradients", Flow, "no gradient reaches")
    must_catch("training_step", Flow)


def test_state_that_no_file_holds():
    @keras.saving.register_keras_serializable("tests", name="Stateful")
    class Flow(Planted):
        def adapt(self, x, condition=None):
            super().adapt(x, condition)
            self.offset = float(np.mean(x)) + 1.0

        def call(self, inputs, training=None):
            return super().call(inputs, training) + getattr(self, "offset", 0.0)

    must_catch("save_load", Flow, "log_prob of the loaded flow")
    must_catch("checkpoint", Flow, "log_prob of the flow from a checkpoint")
    must_catch("modes", Flow, "flow.log_prob against eager")


def test_statistics_that_are_not_in_units_of_the_data():
    class Flow(Planted):
        def adapt(self, x, condition=None):
            pass

    must_catch("adapt", Flow, "rescaled data")


def test_lax_shapes():
    class Flow(Planted):
        def log_prob(self, x, condition=None):
            return super().log_prob(np.broadcast_to(x, [len(x), 2]))

    must_catch("errors", Flow, "log_prob of shape")


def test_wrong_partial_density():
    class Flow(Planted):
        def partial(self, k, condition=None):
            return super().partial(max(k, 1), condition)

    must_catch("partial", Flow)


def test_sample_that_ignores_its_seed():
    class Flow(Planted):
        def sample(self, sample_shape=(), condition=None, seed=None):
            return super().sample(sample_shape, condition, [0, 0])

    must_catch("seed", Flow, "another tensor seed")


def test_export_without_a_signature():
    class Flow(Planted):
        def export(self, filepath, **kwargs):
            keras.Model.export(
                self,
                filepath,
                input_signature=[tf.TensorSpec([None, 2], self.variable_dtype)],
                **kwargs,
            )

    must_catch("export", Flow, "signatures lack")


def test_gradient_of_no_row_that_is_not_a_number():
    class Layer(Affine):
        def _inverse_and_log_det(self, y):
            x, log_det = super()._inverse_and_log_det(y)
            share = tf.reduce_sum(self._shift) / tf.cast(tf.size(y), y.dtype)
            return x, log_det + 0.0 * share

    class Flow(Planted):
        layer = Layer

    must_catch("empty", Flow, "gradient of no row")


def test_sample_that_is_the_same_in_every_run():
    class Flow(Planted):
        def sample(self, sample_shape=(), condition=None, seed=None):
            return super().sample(sample_shape, condition, 0 if seed is None else seed)

    must_catch("global_seed", Flow, "two draws without a seed")


def test_sample_that_ignores_the_global_seed():
    class Flow(Planted):
        def sample(self, sample_shape=(), condition=None, seed=None):
            seed = np.random.default_rng().integers(2**31)
            return super().sample(sample_shape, condition, int(seed))

    must_catch("global_seed", Flow, "first draw after the same global seed")


def test_conditions_that_must_be_a_matrix():
    class Flow(Planted):
        def __init__(self, event_shape=2, condition_shape=1, **kwargs):
            super().__init__(event_shape, condition_shape, **kwargs)

        def in_order(self, x, condition):
            return x, condition

        def log_prob(self, x, condition=None):
            return super().log_prob(x, tf.convert_to_tensor(condition)[..., :1])

    must_catch("condition_rank", Flow)


def test_log_prob_that_reads_its_batch_while_it_is_traced():
    class Flow(Planted):
        def log_prob(self, x, condition=None, *, jit_compile=False):
            del jit_compile
            return super().log_prob(x) * (x.shape[0] / x.shape[0])

    must_catch("unknown_batch", Flow, "TypeError")


def test_one_coordinate_without_a_direction():
    class Flow(Planted):
        layer = Affine

    must_catch("one_dimension", Flow, "not known to increase")


def test_infinite_numbers_that_have_no_density():
    class Flow(Planted):
        def log_prob(self, x, condition=None, *, jit_compile=False):
            found = super().log_prob(x, condition, jit_compile=jit_compile)
            return found + tf.reduce_sum(x - x, -1)

    must_catch("infinite", Flow, "of events with infinite numbers")
