import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf


@pytest.fixture(scope="module")
def flow():
    return tfpf.flows.build("linear", 2, seed=0)


@pytest.mark.parametrize(
    "seed", [np.int64(3), tf.constant(3), tf.constant(3, tf.int64)]
)
def test_integers_of_any_type_are_the_same_seed(flow, seed):
    np.testing.assert_array_equal(flow.sample(2, seed=seed), flow.sample(2, seed=3))


@pytest.mark.parametrize(
    "pair", [(1, 2), np.array([1, 2]), tf.constant([1, 2], tf.int64)]
)
def test_pairs_of_any_type_are_the_same_seed(flow, pair):
    same = flow.sample(2, seed=tf.constant([1, 2]))
    np.testing.assert_array_equal(flow.sample(2, seed=pair), same)


@pytest.mark.slow
def test_seeds_may_be_negative_large_or_known_late(flow):
    late = tf.function(lambda seed: flow.sample(2, seed=seed))
    draws = [flow.sample(2, seed=s) for s in (-1, 1, 2**70)]
    draws += [late(tf.constant(1)), late(tf.constant(2)), late(tf.constant(2**40))]
    assert len({tuple(np.ravel(x)) for x in draws}) == len(draws)
    np.testing.assert_array_equal(late(tf.constant(2)), draws[4])
    x = np.random.default_rng(0).normal(size=(12, 2))
    tfpf.fit("linear", x, epochs=1, validation=None, seed=-1, verbose=0)


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        (3.5, TypeError, "integer or a pair of integers, got 3.5"),
        ("a", TypeError, "integer or a pair"),
        (tf.constant(3.5), TypeError, "integer or a pair"),
        ([1, 2, 3], ValueError, r"shape \[\] or \[2\]"),
    ],
)
def test_other_seeds_are_refused(flow, seed, error, message):
    with pytest.raises(error, match=message):
        flow.sample(2, seed=seed)


@pytest.mark.parametrize("shape", [tf.constant([2, 3]), tf.TensorShape([2, 3]), [2, 3]])
def test_sample_shapes_may_be_tensors(flow, shape):
    assert flow.sample(shape, seed=0).shape == (2, 3, 2)
    late = tf.function(lambda shape: flow.sample(shape, seed=0))
    assert late(tf.constant([2, 3])).shape[-1] == 2


@pytest.mark.parametrize("shape", [2.5, "3", [2, 0.5], tf.constant(2.0), None])
def test_sample_shapes_are_whole_numbers(flow, shape):
    with pytest.raises(TypeError, match="`sample_shape` must be whole numbers"):
        flow.sample(shape)


@pytest.mark.parametrize("x", ["abc", None, [[1, 2], [3]], [["a", "b"]]])
def test_what_is_no_number_has_no_density(flow, x):
    with pytest.raises((TypeError, ValueError), match="`x` must be numbers, got"):
        flow.log_prob(x)


def test_half_precision_is_for_networks_only():
    with pytest.raises(ValueError, match=r"mixed_float16.*got 'float16'"):
        tfpf.flows.build("linear", 2, dtype="float16")


def test_folders_must_exist(flow, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"flow.keras cannot .* no folder .*no"):
        flow.save(tmp_path / "no" / "flow.keras")
    with pytest.raises(TypeError, match="path of a file, got None"):
        tfpf.load(None)


# In a process of its own: TFP keeps what it has traced, with the check or without.
CHECKED = """
import numpy as np
import tensorflow as tf
import tfp_flows as tfpf

def stops(call, sentence):
    try:
        call()
    except RuntimeError as error:
        assert sentence in str(error), error
    else:
        raise AssertionError(sentence)

heavy = tfpf.flows.build("linear", 2, base="student-t", seed=0)
light = tfpf.flows.build("linear", 2, seed=0)
table = tfpf.flows.build("rbig", 2, num_layers=1, marginals="table", seed=0)
x = np.random.default_rng(0).normal(size=(200, 2))
tf.debugging.enable_check_numerics()
assert np.isfinite(light.sample(3, seed=0)).all()
assert np.isfinite(heavy.log_prob([[0.0, 1.0]])).all()
flow, _ = tfpf.fit("rbig", x, epochs=2, seed=0, verbose=0)
assert np.isfinite(flow.log_prob(x)).all()
stops(lambda: heavy.sample(3, seed=0), "a Student-t base draws: no number of this")
stops(lambda: table.log_prob(x), "interpolation, which tables of marginals use")
"""


@pytest.mark.slow
def test_check_numerics_stops_in_no_number_of_a_flow():
    done = subprocess.run(
        [sys.executable, "-c", CHECKED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
