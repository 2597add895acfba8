"""Maps of a Gaussianization as named cases of the contract suite."""

from __future__ import annotations

import numpy as np

from tests.bijectors.cases.registry import DENSE, Cases, perturbed
from tfp_flows import bijectors as maps

CASES = Cases()


@CASES.add("marginal_spline", (2,))
def _marginal_spline(dtype):
    return perturbed(maps.MarginalSpline.trainable(2, 5, dtype=dtype))


@CASES.add("marginal_spline_one", (1,))
def _marginal_spline_one(dtype):
    return perturbed(maps.MarginalSpline.trainable(1, 4, dtype=dtype))


@CASES.add("radial_gaussianize", (2,), skip=DENSE)
def _radial_gaussianize(dtype):
    return perturbed(maps.RadialGaussianize.trainable(2, 4, dtype=dtype), 0.1)


@CASES.add("mixture_gaussianize", (2,), skip=DENSE)
def _mixture_gaussianize(dtype):
    mixture = maps.MixtureGaussianize.trainable(2, 3, dtype=dtype)
    return perturbed(mixture, 0.4)


def _skewed(rows=400):
    rng = np.random.default_rng(0)
    return np.stack([rng.gamma(2.0, size=rows), rng.uniform(-2, 2, size=rows)], 1)


# The densities of tables are steps, which the rule of the suite does not resolve.
@CASES.add("marginal_gaussianize", (2,), quadrature=False)
def _marginal_gaussianize(dtype):
    return maps.MarginalGaussianize.from_samples(
        _skewed(), 12, dtype=dtype, trainable=True
    )


@CASES.add("marginal_gaussianize_kernel", (2,), quadrature=False)
def _marginal_gaussianize_kernel(dtype):
    return maps.MarginalGaussianize.from_samples(
        _skewed(), 30, bandwidth=0.3, dtype=dtype
    )


@CASES.add(
    "histogram_cdf", (2,), domain=(0.1, 1.9), codomain=(0.0, 1.0), quadrature=False
)
def _histogram_cdf(dtype):
    return maps.HistogramCDF.from_samples(_skewed(), 12, dtype=dtype, trainable=True)


@CASES.add("normal_cdf", (), domain=(-3.0, 3.0), codomain=(0.0, 1.0))
def _normal_cdf(dtype):
    return maps.NormalCDF()
