"""Mutual information for the selection of features."""

import functools

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectFdr, SelectKBest

from tfp_flows import estimators

RNG = np.random.default_rng(3)
LABELS = RNG.integers(2, size=800)
NOISE = RNG.normal(size=(800, 4))
# Log-densities of two unit Gaussians a distance apart: by quadrature.
EXACT = {0.0: 0.0, 1.0: 0.1108, 3.0: 0.5271}


def test_classes_have_the_information_of_two_gaussians():
    x = NOISE[:, :3] + LABELS[:, None] * np.array(list(EXACT))
    frame = pd.DataFrame(x, columns=["none", "some", "most"])
    found = estimators.mutual_info(frame, LABELS, random_state=0)
    error = np.abs(found.values - list(EXACT.values()))
    assert (error < 3 * found.stderr).all()
    assert (found.stderr < 0.04).all()
    assert found.pvalues[0] > 0.1
    assert (found.pvalues[1:] < 1e-3).all()
    assert "some" in repr(found)
    names = estimators.mutual_info(frame, np.array(["a", "b"])[LABELS], random_state=0)
    np.testing.assert_array_equal(names.values, found.values)


def test_constant_features_tell_nothing_and_copies_everything():
    y = RNG.normal(size=60)
    x = np.stack([np.ones(60), 2.0 * y + 1.0], axis=1)
    found = estimators.mutual_info(x, y, random_state=0)
    np.testing.assert_array_equal(found.values, [0.0, np.inf])
    np.testing.assert_array_equal(found.pvalues, [1.0, 0.0])


@pytest.mark.slow
def test_numeric_targets_have_the_information_of_a_gaussian():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 1))
    y = np.exp(x[:, 0] + rng.normal(size=1500))
    found = estimators.mutual_info(x, y, random_state=0)
    assert abs(found.values[0] - 0.5 * np.log(2)) < 3 * found.stderr[0] < 0.25


def test_scores_select_features():
    x = NOISE + LABELS[:, None] * np.array([0.0, 2.0, 0.0, 1.0])
    select = SelectKBest(estimators.mutual_info_flow, k=1).fit(x, LABELS)
    np.testing.assert_array_equal(select.get_support(), [False, True, False, False])
    score = functools.partial(estimators.mutual_info_flow, random_state=1)
    chosen = SelectFdr(score, alpha=0.01).fit(x, LABELS).get_support()
    np.testing.assert_array_equal(chosen, [False, True, False, True])


def test_bad_targets_are_named():
    with pytest.raises(ValueError, match="`target` must be one of auto"):
        estimators.mutual_info(NOISE, LABELS, target="labels")
    few = np.where(np.arange(800) < 3, "few", "many")
    with pytest.raises(ValueError, match="at least 10 rows, got 3 of"):
        estimators.mutual_info(NOISE, few)
    with pytest.raises(ValueError, match="minimum of 40"):
        estimators.mutual_info(NOISE[:20], LABELS[:20])
