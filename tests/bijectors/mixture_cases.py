"""Marginal maps by mixtures and kernels as named cases of the contract suite."""

from __future__ import annotations

import numpy as np

from tfp_flows import bijectors as maps
from tfp_flows.testing import BijectorCase, perturb


def _skewed(size=2):
    rng = np.random.default_rng(0)
    columns = rng.gamma(2.0, size=400), np.where(rng.random(400) < 0.5, -1, 1)
    return np.stack(columns, axis=1)[:, :size] + 0.6 * rng.normal(size=(400, size))


def _fitted(dtype):
    out = maps.MarginalMixture.fit(_skewed(), 3, dtype=dtype)
    perturb(out, 0.2, seed=1)
    return out


def _logistic(dtype):
    return maps.MarginalMixture.fit(_skewed(1), 3, kind="logistic", dtype=dtype)


def _kernel(dtype):
    return maps.MarginalMixture.from_kernel(_skewed(), 16, dtype=dtype, trainable=True)


CASES = {
    name: BijectorCase(build, event_shape, name=name)
    for name, build, event_shape in (
        ("marginal_mixture", _fitted, (2,)),
        ("marginal_mixture_logistic", _logistic, (1,)),
        ("marginal_kernel", _kernel, (2,)),
    )
}
