"""Linear and normalising maps as named cases of the contract suite."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_flows.bijectors import (
    actnorm,
    batchnorm,
    householder,
    lu,
    orthogonal,
    permute,
    prelu,
    standardize,
    triangular,
)
from tfp_flows.testing import BijectorCase, perturb

CASES: dict[str, BijectorCase] = {}
MIXES = {"infinite_inputs": "a linear map of inf has inf - inf"}
BATCH = {"event_shape": "a batch of parameters broadcasts"}


def case(name, event_shape, **options):
    """Register a function of the dtype that builds a map."""

    def register(build):
        CASES[name] = BijectorCase(build, event_shape, name=name, **options)
        return build

    return register


def perturbed(bijector):
    """Return the map with noise on its variables."""
    perturb(bijector, 0.3, seed=1)
    return bijector


@case("permutation", (3,))
def _permutation(dtype):
    return permute.Permutation((2, 0, 1))


@case("permutation_reverse", (4,))
def _reverse(dtype):
    return permute.Permutation.reverse(4)


@case("lu", (3,), skip=MIXES)
def _lu(dtype):
    return perturbed(lu.LU.trainable(3, init="orthogonal", seed=1, dtype=dtype))


@case("lu_one", (1,))
def _lu_one(dtype):
    return perturbed(lu.LU.trainable(1, dtype=dtype))


@case("triangular_affine", (2,), skip=MIXES)
def _triangular(dtype):
    return perturbed(triangular.TriangularAffine.trainable(2, dtype=dtype))


@case("triangular_affine_upper", (3,), skip=MIXES)
def _upper(dtype):
    return perturbed(triangular.TriangularAffine.trainable(3, lower=False, dtype=dtype))


@case("low_rank_affine", (3,), skip=MIXES)
def _low_rank(dtype):
    return perturbed(triangular.LowRankAffine.trainable(3, rank=2, seed=1, dtype=dtype))


@case("householder_product", (3,), skip=MIXES)
def _householder(dtype):
    return perturbed(householder.HouseholderProduct.trainable(3, 2, seed=1, dtype=dtype))


@case("orthogonal", (3,), skip=MIXES)
def _orthogonal(dtype):
    return perturbed(orthogonal.Orthogonal.trainable(3, dtype=dtype))


@case("orthogonal_one", (1,))
def _orthogonal_one(dtype):
    return orthogonal.Orthogonal.trainable(1, dtype=dtype)


@case("act_norm", (2,))
def _act_norm(dtype):
    return perturbed(actnorm.ActNorm.trainable(2, dtype=dtype))


@case("act_norm_image", (2, 3, 2))
def _act_norm_image(dtype):
    return perturbed(actnorm.ActNorm.trainable(2, event_ndims=3, dtype=dtype))


@case("standardize", (2,))
def _standardize(dtype):
    units = standardize.Standardize.build(2, dtype=dtype)
    units.adapt(np.array([[1.0, 5.0], [3.0, 5.5]], dtype))
    return units


@case("batch_norm", (2,))
def _batch_norm(dtype):
    norm = perturbed(batchnorm.BatchNorm.trainable(2, dtype=dtype))
    norm.adapt(np.array([[1.0, 5.0], [3.0, 5.5]], dtype))
    return norm


@case("leaky_relu", (2,), edges=(0.0,))
def _leaky_relu(dtype):
    return prelu.LeakyReLU(tf.constant([0.1, 3.0], dtype))


@case("prelu", (2,), edges=(0.0,))
def _prelu(dtype):
    return perturbed(prelu.PReLU.trainable(2, negative_slope=0.3, dtype=dtype))
