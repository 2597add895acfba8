"""A frame and its array have the same density: names do not say what columns are."""

import numpy as np
import pandas as pd
import pytest

from tests.estimators import small
from tfp_flows.preprocessing import Column

RNG = np.random.default_rng(5)
X = np.column_stack([RNG.normal(size=200), RNG.integers(1, 9, size=200)])
FRAME = pd.DataFrame(X, columns=["size", "rating"]).astype({"rating": int})

pytestmark = pytest.mark.filterwarnings("ignore")


def gaussianizer(**given):
    return small.gaussianizer(**{**small.QUICK, **given})


@pytest.mark.slow
@pytest.mark.parametrize("make", [small.density, gaussianizer, small.detector])
def test_frames_have_the_density_of_their_arrays(make):
    named, plain = make().fit(FRAME), make().fit(X)
    assert named.flow_.preprocessing == plain.flow_.preprocessing
    assert named.flow_.preprocessing.columns == (Column(), Column(1, 8, 1.0))
    np.testing.assert_array_equal(named.score_samples(FRAME), plain.score_samples(X))
    assert named.flow_.columns == ("size", "rating")
    assert set(named.sample(9, as_frame=True)["rating"]) <= set(range(1, 9))


@pytest.mark.slow
def test_targets_of_a_frame_have_the_density_of_their_array():
    condition = X[:, :1] + RNG.normal(size=(200, 1))
    named = small.conditional().fit(pd.DataFrame(condition, columns=["age"]), FRAME)
    plain = small.conditional().fit(condition, X)
    assert named.flow_.is_discrete
    assert named.flow_.columns == ("size", "rating")
    assert named.flow_.condition_columns == ("age",)
    np.testing.assert_array_equal(
        named.log_prob(pd.DataFrame(condition, columns=["age"]), FRAME),
        plain.log_prob(condition, X),
    )


def test_kinds_are_told_by_the_names_of_a_frame():
    told = {"columns": {"rating": "continuous"}, "jit_compile": False}
    density = small.density(fit_arguments=told).fit(FRAME)
    assert density.flow_.preprocessing is None
    all_numbers = {"columns": "continuous", "jit_compile": False}
    for x in (FRAME, X):
        density = small.density(fit_arguments=all_numbers).fit(x)
        assert density.flow_.preprocessing is None


@pytest.mark.slow
def test_reasons_of_a_frame_with_integers():
    detector = small.detector(epochs=40, options={"base": "normal"}).fit(FRAME)
    odd = detector.attributions(FRAME.assign(size=9.0)[:3])
    np.testing.assert_array_equal(odd.argmax(axis=1), 0)
