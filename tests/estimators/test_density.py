"""Densities, Gaussianization and anomalies."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tests.estimators import small
from tfp_flows.training import baseline

RNG = np.random.default_rng(1)
X = RNG.normal(size=(400, 2)) @ [[2.0, 1.0], [0.0, 0.5]] + 3.0

pytestmark = pytest.mark.filterwarnings("ignore:The flow")


def test_density_of_a_gaussian_is_that_of_its_moments():
    density = small.density(epochs=40).fit(X)
    expected = baseline.Gaussian.fit(X).log_prob(X)
    assert abs(density.score(X) - expected.mean()) < 0.02
    weights = np.r_[np.ones(200), np.zeros(200)]
    np.testing.assert_allclose(
        density.score(X, sample_weight=weights), density.score_samples(X[:200]).mean()
    )
    assert density.score_samples(X).dtype == np.float64
    with pytest.raises(TypeError, match=r"`n_samples` .* without a fraction, got 2\.5"):
        density.sample(2.5)


def test_gaussianizer_gives_independent_normal_features_and_goes_back():
    x = np.stack([X[:, 0], X[:, 0] ** 2 + X[:, 1]], axis=1)
    gaussianizer = small.gaussianizer(epochs=20).set_output(transform="pandas")
    z = gaussianizer.fit_transform(x)
    assert list(z) == ["gaussianizer0", "gaussianizer1"]
    np.testing.assert_allclose(z.mean(), 0.0, atol=0.1)
    np.testing.assert_allclose(z.cov(), np.eye(2), atol=0.15)
    back = gaussianizer.inverse_transform(z)
    np.testing.assert_allclose(back, x, rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="X has 1 features"):
        gaussianizer.inverse_transform(z[["gaussianizer0"]])


def test_detector_has_the_signs_of_scikit_learn_and_the_words_of_pyod():
    x = pd.DataFrame(np.r_[X, RNG.uniform(20, 30, size=(20, 2))], columns=["a", "b"])
    detector = small.detector(
        contamination=0.05, fit_arguments={"outliers": "keep", "jit_compile": False}
    ).fit(x)
    is_anomaly = np.arange(len(x)) >= len(X)
    scores = detector.score_samples(x)
    assert roc_auc_score(is_anomaly, detector.decision_scores_) > 0.99
    np.testing.assert_array_equal(detector.decision_scores_, -scores)
    assert detector.threshold_ == -detector.offset_
    np.testing.assert_array_equal(detector.labels_, detector.predict(x) == -1)
    np.testing.assert_array_equal(
        detector.labels_, detector.decision_scores_ > detector.threshold_
    )
    np.testing.assert_array_equal(
        detector.decision_function(x), scores - detector.offset_
    )
    assert detector.labels_.sum() == 21


@pytest.mark.parametrize("share", [0.0, 0.6, "auto"])
def test_contamination_is_a_share(share):
    with pytest.raises(ValueError, match=r"`contamination` must be in \(0, 0.5\]"):
        small.detector(contamination=share).fit(X)


def test_detector_serves_the_protocol_of_pyod():
    utility = pytest.importorskip("pyod.utils.utility")
    base = pytest.importorskip("pyod.models.base")
    detector = small.detector(contamination=0.1).fit(X)
    scores = detector.decision_scores_
    # PyOD makes labels of scores and contamination: the same ones.
    labels = utility.get_label_n(np.zeros(len(X)), scores, n=int(0.1 * len(X)))
    assert np.mean(labels == detector.labels_) > 0.99
    for name in ("decision_function", "fit", "predict"):
        assert hasattr(base.BaseDetector, name)
        assert hasattr(detector, name)
