"""Maps that standardise as named cases of the contract suite."""

from __future__ import annotations

from tests.bijectors.cases.registry import Cases, perturbed
from tests.bijectors.toy_maps import noise
from tfp_flows import bijectors as maps

CASES = Cases()


@CASES.add("act_norm", (3,))
def _act_norm(dtype):
    return perturbed(maps.ActNorm.trainable(3, dtype=dtype), 1.0)


@CASES.add("act_norm_adapted", (2,))
def _act_norm_adapted(dtype):
    norm = maps.ActNorm.trainable(2, dtype=dtype)
    norm.adapt(noise([50, 2], dtype, 8) * [0.1, 5.0] + [3.0, -40.0])
    return norm


@CASES.add("act_norm_image", (2, 2, 3))
def _act_norm_image(dtype):
    return perturbed(maps.ActNorm.trainable(3, event_ndims=3, dtype=dtype), 1.0)


@CASES.add("batch_norm", (2,))
def _batch_norm(dtype):
    norm = maps.BatchNorm.trainable(2, dtype=dtype)
    norm.adapt(noise([50, 2], dtype, 8) * [0.1, 5.0] + [3.0, -4.0])
    return perturbed(norm)


@CASES.add("standardize", (2,))
def _standardize(dtype):
    units = maps.Standardize.trainable(2, dtype=dtype)
    units.adapt(noise([50, 2], dtype, 8) * [0.1, 5.0] + [3.0, -40.0])
    return units


@CASES.add("standardize_image", (2, 2, 1))
def _standardize_image(dtype):
    units = maps.Standardize.trainable((2, 2, 1), dtype=dtype)
    units.adapt(noise([50, 2, 2, 1], dtype, 8) * 3.0 + 1.0)
    return units
