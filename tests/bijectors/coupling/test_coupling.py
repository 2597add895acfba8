"""Coupling: any mask, exact volumes, conditions, one network call."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import bijectors, networks

MASKS = {
    "first": [True, True, False, False, False],
    "last": [False, False, True, True, True],
    "reversed": [False, False, False, True, True],
    "scattered": [True, False, False, True, False],
    "alternating": [False, True, False, True, False],
    "one": [False, False, True, False, False],
}
X = np.random.default_rng(0).normal(size=(6, 5))


def coupling(mask, transformer=None, *, condition_shape=None, seed=0):
    transformer = transformer or bijectors.RationalQuadratic(4, -3.0, 3.0)
    kept = sum(mask)
    net = networks.MLP(
        kept,
        (len(mask) - kept, transformer.params_size),
        (8,),
        condition_shape=condition_shape,
        activation="tanh",
        dtype="float64",
        seed=seed,
    )
    rng = np.random.default_rng(seed)
    for v in net.weights:
        v.assign(0.7 * rng.normal(size=v.shape))
    return bijectors.Coupling(transformer, net, mask)


def jacobian(function, x):
    x = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = function(x)
    return tape.batch_jacobian(y, x, experimental_use_pfor=False).numpy()


@pytest.mark.parametrize("name", MASKS)
def test_coupling_works_for_any_mask(name):
    mask = np.array(MASKS[name])
    map_ = coupling(MASKS[name])
    y = map_.forward(X).numpy()
    np.testing.assert_array_equal(y[:, mask], X[:, mask])
    assert np.all(np.abs(y - X)[:, ~mask].max(axis=0) > 1e-3)
    np.testing.assert_allclose(map_.inverse(y.copy()), X, atol=1e-9)
    found = jacobian(map_.forward, X)
    sign, log_det = np.linalg.slogdet(found)
    assert np.all(sign > 0)
    np.testing.assert_allclose(map_.forward_log_det_jacobian(X, 1), log_det, atol=1e-7)
    # Changed coordinates depend on themselves and on all that are kept.
    pattern = np.abs(found).max(axis=0) > 0
    wanted = np.eye(5, dtype=bool) | (~mask[:, None] & mask[None])
    np.testing.assert_array_equal(pattern, wanted)


def test_mask_and_its_permutation_give_the_same_map():
    order = [0, 3, 1, 2, 4]
    scattered = coupling(MASKS["scattered"])
    first = bijectors.Coupling(
        scattered.transformer, scattered.conditioner, MASKS["first"]
    )
    wanted = scattered.forward(X).numpy()[:, order]
    np.testing.assert_allclose(first.forward(X[:, order]), wanted, atol=1e-12)


def test_additive_coupling_preserves_volume_exactly():
    for name in MASKS:
        map_ = coupling(MASKS[name], bijectors.Additive())
        for method in ("forward", "inverse"):
            found = getattr(map_, f"{method}_log_det_jacobian")(X, 1)
            np.testing.assert_array_equal(found, np.zeros(6))


@pytest.mark.colab
def test_affine_coupling_is_the_formula_of_realnvp():
    map_ = coupling(MASKS["first"], bijectors.Affine())
    shift, raw = np.moveaxis(map_.conditioner(X[:, :2]).numpy(), -1, 0)
    log_scale = 5.0 * np.tanh(raw / 5.0)
    wanted = X[:, 2:] * np.exp(log_scale) + shift
    np.testing.assert_allclose(map_.forward(X)[:, 2:], wanted, atol=1e-9)
    log_det = map_.forward_log_det_jacobian(X, 1)
    np.testing.assert_allclose(log_det, log_scale.sum(axis=1), atol=1e-9)


def test_condition_broadcasts_against_events():
    map_ = coupling(MASKS["last"], condition_shape=(2, 1))
    condition = np.random.default_rng(1).normal(size=(3, 1, 2, 1))
    y = map_.forward(X, condition=condition)
    assert y.shape == [3, 6, 5]
    one = map_.forward(X, condition=condition[1, 0])
    np.testing.assert_allclose(y[1], one, atol=1e-12)
    back = map_.inverse(tf.identity(y), condition=condition)
    np.testing.assert_allclose(back, np.broadcast_to(X, (3, 6, 5)), atol=1e-9)
    log_det = map_.forward_log_det_jacobian(X, 1, condition=condition)
    assert log_det.shape == [3, 6]


def test_network_is_called_once_for_value_and_log_det():
    map_ = coupling(MASKS["alternating"])
    calls, columns = [], map_.conditioner.columns

    def counted(*arguments):
        calls.append(1)
        return columns(*arguments)

    map_.conditioner.columns = counted
    for direction in ("forward", "inverse"):
        calls.clear()
        x = tf.identity(X)
        y = getattr(map_, direction)(x)  # remembered as long as this lives
        assert y.shape == x.shape
        getattr(map_, f"{direction}_log_det_jacobian")(x, 1)
        assert len(calls) == 1


@pytest.mark.parametrize("mask", [[True, True], [False, False]])
def test_mask_must_keep_some_and_change_some(mask):
    net = networks.MLP(1, (1, 2), (4,))
    with pytest.raises(ValueError, match="`mask` must keep some coordinates and"):
        bijectors.Coupling(bijectors.Affine(), net, mask)


def test_conditioner_must_fit_mask_and_transformer():
    net = networks.MLP(1, (1, 3), (4,))
    with pytest.raises(ValueError, match=r"`conditioner` .*\(1, \(1, 2\)\) for this"):
        bijectors.Coupling(bijectors.Affine(), net, [True, False])


def test_events_of_another_size_are_refused():
    map_ = coupling(MASKS["first"])
    for wrong in (X[:, :1], X[:, :4], np.float64(1.0)):
        with pytest.raises(ValueError, match=r"`x` must .*\(5,\)"):
            map_.forward(wrong)
