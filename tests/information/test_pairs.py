"""Pairs of columns whose dependence a covariance does not show."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows import information
from tfp_flows.information import pairs

RNG = np.random.default_rng(3)


def test_pairs_are_found_where_a_covariance_shows_nothing():
    x = RNG.normal(size=(600, 6))
    x[:, 4] = x[:, 1] ** 2 + 0.5 * x[:, 4]
    x[:, 0] = np.sin(3 * x[:, 5]) + 0.2 * x[:, 0]
    assert sorted(pairs.matched(x)) == [(0, 5), (1, 4)]


def test_a_column_belongs_to_one_pair_the_strongest():
    x = RNG.normal(size=(2000, 3))
    x[:, 1] = x[:, 0] ** 2 + 0.1 * x[:, 1]
    x[:, 2] = x[:, 0] ** 2 + 1.0 * x[:, 2]
    assert pairs.matched(x) == [(0, 1)]


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_normal_columns_have_no_pairs(correlation):
    x = RNG.normal(size=(1500, 5))
    x[:, 1] = correlation * x[:, 0] + np.sqrt(1 - correlation**2) * x[:, 1]
    assert pairs.matched(x) == []


@pytest.mark.slow
def test_mutual_information_of_blocks_of_pairs_is_found():
    x, noise = RNG.normal(size=(2, 800, 2))
    y = x**2 + 0.5 * noise
    found = information.mutual_information(
        x, y, flow={"flow": "rbig", "epochs": 4}, seed=0
    )
    # By quadrature, twice that of one pair.
    assert abs(float(found) - 1.6054) < 0.3
