"""Linear maps as named cases of the contract suite."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.bijectors.cases.registry import DENSE, Cases, perturbed
from tfp_flows import bijectors as maps
from tfp_flows.math.linear import rotations

CASES = Cases()


@CASES.add("permutation", (4,))
def _permutation(dtype):
    return maps.Permutation((2, 0, 3, 1))


@CASES.add("lu", (3,), skip=DENSE)
def _lu(dtype):
    return perturbed(maps.LU.trainable(3, init="orthogonal", seed=0, dtype=dtype), 0.5)


@CASES.add("lu_1x1", (2, 2, 3), skip=DENSE)
def _lu_1x1(dtype):
    return perturbed(maps.LU.trainable(3, seed=0, dtype=dtype, use_shift=False))


@CASES.add("triangular", (2,), skip=DENSE)
def triangular(dtype):
    return perturbed(maps.TriangularAffine.trainable(2, dtype=dtype), 0.7)


@CASES.add("triangular_upper", (3,), skip=DENSE)
def _triangular_upper(dtype):
    return perturbed(maps.TriangularAffine.trainable(3, lower=False, dtype=dtype), 0.7)


@CASES.add("low_rank", (3,), skip=DENSE)
def _low_rank(dtype):
    return perturbed(maps.LowRankAffine.trainable(3, rank=2, seed=0, dtype=dtype))


@CASES.add("householder", (3,), skip=DENSE)
def _householder(dtype):
    return perturbed(maps.HouseholderProduct.trainable(3, 2, seed=0, dtype=dtype))


@CASES.add("orthogonal", (3,), skip=DENSE)
def _orthogonal(dtype):
    return perturbed(maps.Orthogonal.trainable(3, dtype=dtype), 0.5)


@CASES.add("orthogonal_two", (2,), skip=DENSE)
def _orthogonal_two(dtype):
    return perturbed(maps.Orthogonal.trainable(2, dtype=dtype), 0.5)


@CASES.add("rotation", (3,), skip=DENSE)
def _rotation(dtype):
    matrix = rotations.haar(3, np.random.default_rng(0))
    return perturbed(maps.Rotation.trainable(matrix, dtype=dtype), 0.5)


@CASES.add("rotation_fixed", (2,), skip=DENSE)
def _rotation_fixed(dtype):
    return maps.Rotation(tf.constant([[0.0, 1.0], [1.0, 0.0]], dtype))
