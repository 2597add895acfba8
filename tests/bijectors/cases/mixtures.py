"""Marginal maps by mixtures and kernels as named cases of the contract suite."""

from __future__ import annotations

import numpy as np

from tests.bijectors.cases.registry import Cases, perturbed
from tfp_flows import bijectors as maps

CASES = Cases()


def _skewed(size=2):
    rng = np.random.default_rng(0)
    columns = rng.gamma(2.0, size=400), np.where(rng.random(400) < 0.5, -1, 1)
    return np.stack(columns, axis=1)[:, :size] + 0.6 * rng.normal(size=(400, size))


@CASES.add("marginal_mixture", (2,))
def _fitted(dtype):
    return perturbed(maps.MarginalMixture.fit(_skewed(), 3, dtype=dtype), 0.2)


@CASES.add("marginal_mixture_logistic", (1,))
def _logistic(dtype):
    return maps.MarginalMixture.fit(_skewed(1), 3, kind="logistic", dtype=dtype)


@CASES.add("marginal_kernel", (2,))
def _kernel(dtype):
    return maps.MarginalMixture.from_kernel(_skewed(), 16, dtype=dtype, trainable=True)
