"""A classifier with a density against closed forms, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from tests.estimators import small

RNG = np.random.default_rng(4)
Y = np.repeat([0, 1], 300)
X = RNG.normal(size=(600, 2)) + np.array([3.0, 0.0]) * Y[:, None]
FAST = {"epochs": 30, "batch_size": 60, "learning_rate": 0.02}
NEW = np.array([[0.0, 0.0], [3.0, 0.0], [1.4, 3.0], [40.0, 40.0]])


@pytest.fixture(scope="module")
def linear():
    return small.classifier(options={"base": "normal"}, **FAST).fit(X, Y)


@pytest.fixture(scope="module")
def mixture():
    some = np.where(np.arange(600) % 30 == 0, Y, -1)
    return small.classifier(head="mixture", noise=0.0, **FAST).fit(X, some)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "mixture"])
def test_one_pass_gives_both_densities(name, request):
    model = request.getfixturevalue(name)
    found = model.predict_joint(NEW)
    np.testing.assert_allclose(found.x, model.flow_.log_prob(NEW), atol=1e-9)
    np.testing.assert_allclose(
        special.logsumexp(found.x_and_y, axis=1), found.x, atol=1e-9
    )
    np.testing.assert_allclose(model.predict_proba(NEW).sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.score_samples(NEW), found.x)
    np.testing.assert_array_equal(model.predict(NEW)[:2], [0, 1])
    assert found.x.argmin() == 3


def test_mixture_finds_the_classes_of_rows_without_labels(mixture):
    joint = np.stack(
        [stats.norm.logpdf(NEW - [3.0 * k, 0.0]).sum(axis=1) for k in (0, 1)], axis=1
    )
    exact = special.logsumexp(joint + np.log(0.5), axis=1)
    np.testing.assert_allclose(mixture.score_samples(NEW[:2]), exact[:2], atol=0.6)
    assert mixture.score(X, Y) > 0.9


def test_rejection_answers_the_surest_rows(linear):
    answers = linear.predict(X, coverage=0.8)
    assert np.mean(answers == -1) == pytest.approx(0.2)
    sure = linear.confidence(X)
    assert sure[answers != -1].min() >= sure[answers == -1].max()
    curve = linear.risk_coverage(X, Y)
    assert curve.at(1.0) == pytest.approx(1.0 - linear.score(X, Y))
    assert curve.at(0.8) < curve.at(1.0)
    assert 0.0 < curve.area < curve.at(1.0)
    assert linear.predict(NEW, coverage=0.5, by="density")[3] == -1
    with pytest.raises(ValueError, match="`coverage` must be above 0"):
        linear.predict(X, coverage=0.0)
    with pytest.raises(ValueError, match="`by` must be one of"):
        linear.confidence(X, by="luck")


def test_classes_may_be_words():
    words = np.array(["left", "right"])[Y]
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = small.classifier(epochs=2).fit(frame, words)
    assert model.flow_.columns == ("a", "b")
    answers = model.predict(frame, coverage=0.5)
    assert set(answers) == {"left", "right", None}


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(600, -1), "got -1 for all rows"),
        (np.zeros(600, int), "two classes at least, got 1 class: 0. Add"),
        (np.r_[np.zeros(599, int), 1], "got one of .*1"),
    ],
)
def test_labels_that_tell_no_classes_are_errors(y, message):
    with pytest.raises(ValueError, match=message):
        small.classifier().fit(X, y)


def test_arguments_and_new_labels_are_checked(linear):
    with pytest.raises(ValueError, match=r"got \[7\]"):
        linear.score(X, np.full(600, 7))
    with pytest.raises(ValueError, match="`head` must be"):
        small.classifier(head="softmax").fit(X, Y)
    with pytest.raises(ValueError, match="`noise` must be"):
        small.classifier(noise=-1.0).fit(X, Y)
    with pytest.raises(TypeError, match="must be a name with head='mixture'"):
        small.classifier(flow=linear.flow_, head="mixture").fit(X, Y)
    with pytest.raises(TypeError, match="`coverage` must be a plain number, got str"):
        linear.predict(X, coverage="most")
    with pytest.raises(TypeError, match=r"`n_samples` .* without a fraction, got 2\.5"):
        linear.sample(2.5)
