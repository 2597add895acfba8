"""scikit-learn's own checks of estimators."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.estimators import small
from tfp_flows.estimators import QuantileForest

CHECK = "check_sample_weight_equivalence_on_dense_data"
WEIGHTS = (
    "batches are drawn among rows: a weight counts in the mean of the loss, not as so "
    "many copies, which would make other batches"
)
CLASSES = "check_classifiers_classes"
UNKNOWN = "the check calls a class -1, which stands for rows without a label"
TREES = "trees are fitted to random draws of the rows: those of other rows are others"
ROWS = "a density needs ten rows of a weight above zero, the check has nine"
# The exceptions; `Gaussianizer` takes no weights.
EXPECTED = {
    "ConditionalFlowDensity": {CHECK: WEIGHTS},
    "ConditionalGaussian": {CHECK: WEIGHTS},
    "FlowAnomalyDetector": {CHECK: WEIGHTS},
    "FlowClassifier": {CLASSES: UNKNOWN},
    "FlowDensity": {CHECK: ROWS},
    "KernelMixtureNetwork": {CHECK: WEIGHTS},
    "MixtureDensityNetwork": {CHECK: WEIGHTS},
    "QuantileForest": {CHECK: TREES},
}


def expected(estimator):
    return EXPECTED.get(type(estimator).__name__, {})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        *(make() for make in (*small.ALL, *small.RIVALS)),
        QuantileForest(10, random_state=0),
    ],
    expected_failed_checks=expected,
)
def test_estimator_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_exceptions_are_few():
    assert all(len(reasons) <= 3 for reasons in EXPECTED.values())
