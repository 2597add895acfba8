"""What every estimator does as other estimators do."""

import io
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tfp_flows as tfpf
from tests.estimators import small

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)) @ [[1.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, 2.0]]
Y = X[:, 0] + RNG.normal(size=60)
FRAME = pd.DataFrame(X, columns=["age", "mass", "size"])

pytestmark = pytest.mark.filterwarnings("ignore:The flow")


def target(make):
    """Return what an estimator learns of rows: a class, or a number."""
    return (Y > 0.0).astype(int) if make is small.classifier else Y


def call(estimator, x):
    """Ask a fitted estimator for the numbers that it is for."""
    for method in ("decision_function", "transform", "predict", "score_samples"):
        if hasattr(estimator, method):
            return getattr(estimator, method)(x)
    raise AssertionError


@pytest.mark.slow
@pytest.mark.parametrize("make", small.ALL)
def test_pickles_and_joblib_keep_the_numbers(make):
    fitted = make().fit(X, target(make))
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(call(again, X), call(fitted, X))
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    np.testing.assert_array_equal(call(joblib.load(file), X), call(fitted, X))
    assert not hasattr(clone(fitted), "flow_")


@pytest.mark.parametrize("make", small.ALL)
def test_bad_input_gets_the_errors_of_scikit_learn(make):
    with pytest.raises(NotFittedError):
        call(make(), X)
    y = target(make)
    fitted = make().fit(FRAME, y)
    assert list(fitted.feature_names_in_) == list(FRAME)
    with pytest.raises(ValueError, match=r"X has 2 features, but .* is expecting 3"):
        call(fitted, X[:, :2])
    with pytest.raises(ValueError, match="feature names should match"):
        call(fitted, FRAME.rename(columns={"age": "years"}))
    holes = FRAME.copy()
    holes.iloc[3, 1] = np.nan
    fills = "" if make is small.classifier else ".*missing='impute'"
    with pytest.raises(ValueError, match="Input X contains NaN" + fills):
        call(fitted, holes)
    with pytest.raises(ValueError, match="Input X contains NaN" + fills):
        make().fit(holes, y)
    with pytest.raises(ValueError, match="minimum of 10 is required"):
        make().fit(X[:1], y[:1])


@pytest.mark.parametrize("make", small.ALL)
def test_text_is_named_by_its_column(make):
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(c="red")
    message = r"could not convert string to float: .* text in 'c': drop or encode"
    if make is small.conditional:  # whose features may be text: targets may not
        with pytest.raises(ValueError, match="could not convert string to float"):
            make().fit(frame[["a", "b"]], frame["c"])
        return
    with pytest.raises(ValueError, match=message):
        make().fit(frame, np.arange(len(frame)) % 2)


def test_labels_of_a_categorical_type_are_named_by_their_column():
    labels = pd.Categorical(np.where(X[:, 0] > 0.0, "red", "blue"))
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(c=labels)
    with pytest.raises(ValueError, match=r"text in 'c': drop or .*OrdinalEncoder"):
        small.density().fit(frame)


@pytest.mark.filterwarnings("error::tfp_flows.preprocessing.DataNotice")
def test_an_unknown_flow_is_refused_before_anything_is_said_of_columns():
    rounded = FRAME.round(1).assign(c=np.arange(len(FRAME)) % 2)
    with pytest.raises(ValueError, match=r"`flow` must be .* mean 'realnvp'\?"):
        small.density(flow="realnpv").fit(rounded)


def test_single_options_are_set_beside_those_that_are_there():
    given = {"num_layers": 3}
    estimator = small.density(flow="maf", options=given)
    changed = clone(estimator).set_params(
        options__hidden_units=(8,), fit_arguments__noise=0.1, epochs=2
    )
    assert changed.options == {"num_layers": 3, "hidden_units": (8,)}
    assert changed.fit_arguments == {"jit_compile": False, "noise": 0.1}
    assert changed.epochs == 2
    assert given == {"num_layers": 3}
    assert estimator.options == given
    bare = small.density(options=None).set_params(options__base="normal")
    assert bare.options == {"base": "normal"}
    with pytest.raises(ValueError, match="Invalid parameter 'layers'"):
        estimator.set_params(layers=2)


def test_a_search_sets_single_options():
    search = GridSearchCV(small.density(), {"options__base": ["normal"]}, cv=2)
    search.fit(X)
    assert search.best_estimator_.flow_.get_config()["base"] == "normal"


def test_constant_columns_are_named():
    with pytest.raises(ValueError, match=r"column\(s\) 'mass'.*VarianceThreshold"):
        small.density().fit(FRAME.assign(mass=1.0))
    with pytest.raises(ValueError, match=r"y must have columns that vary"):
        small.conditional().fit(X, np.ones(60))


@pytest.mark.parametrize("make", small.ALL)
def test_constant_columns_are_refused_or_noticed_by_every_estimator(make):
    still = FRAME.assign(mass=1.0)
    if make is small.conditional:  # features only tell densities apart
        with pytest.warns(UserWarning, match="condition column 2 is constant"):
            make().fit(still, Y)
        return
    with pytest.raises(ValueError, match=r"column\(s\) 'mass'.*VarianceThreshold"):
        make().fit(still, target(make))


PROCESSES = """
import joblib, numpy as np, sys
from sklearn.model_selection import GridSearchCV, cross_val_score
from tests.estimators import small

def results(n_jobs):
    scores = cross_val_score(small.density(), X, cv=2, n_jobs=n_jobs)
    search = GridSearchCV(small.density(), {"epochs": [1, 2]}, cv=2, n_jobs=n_jobs)
    tried = search.fit(X).cv_results_["mean_test_score"]
    return [*scores.tolist(), *tried.tolist(), search.best_score_]

X = np.random.default_rng(0).normal(size=(60, 2))
if __name__ == "__main__":
    density = small.density().fit(X)
    if sys.argv[1] == "loky":
        print(results(1) == results(2))
    else:
        call = joblib.delayed(density.score)
        with joblib.parallel_backend("multiprocessing"):
            joblib.Parallel(n_jobs=2)(call(X) for _ in range(2))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_processes_of_joblib_work_or_say_why_not(backend, repository):
    done = subprocess.run(
        [sys.executable, "-c", PROCESSES, backend],
        capture_output=True,
        text=True,
        cwd=repository,
        check=False,
        timeout=600,
    )
    if backend == "loky":
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.strip() == "True"
    else:
        assert done.returncode == 1
        assert "is a fork of" in done.stderr


@pytest.mark.slow
def test_random_states_fix_the_numbers():
    scores, draws = [], []
    for state in (3, 3, np.random.RandomState(3), np.random.RandomState(3), 4):
        model = small.density(flow="maf", random_state=state, options={"num_layers": 1})
        scores.append(model.fit(X).score(X))
        draws.append(model.sample(2))
    assert scores[0] == scores[1]
    assert scores[2] == scores[3]
    assert len({scores[0], scores[2], scores[4]}) == 3
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[2], draws[3])


@pytest.mark.slow
def test_pipelines_and_searches_choose_by_likelihood():
    pipe = make_pipeline(StandardScaler(), small.density())
    search = GridSearchCV(pipe, {"flowdensity__epochs": [1, 40]}, cv=2).fit(X)
    assert search.best_params_ == {"flowdensity__epochs": 40}
    scores = cross_val_score(small.conditional(), X, Y, cv=2)
    assert np.isfinite(scores).all()


def test_weights_and_groups_reach_the_fit():
    heavy = np.where(X[:, 0] > 0, 1.0, 0.0)
    density = small.density(epochs=60, learning_rate=0.05).fit(X, sample_weight=heavy)
    assert density.sample(500)[:, 0].mean() > 0.3
    groups = np.repeat(np.arange(6), 10)
    grouped = small.density(validation=0.2).fit(X, groups=groups)
    assert len(grouped.history_["val_loss"]) == 1
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        small.density().fit(X, groups=groups[:-1])


def test_missing_cells_are_filled_where_asked_for():
    holes = FRAME.copy()
    holes.iloc[:20, 1] = np.nan
    density = small.density(missing="impute").fit(holes)
    assert np.isfinite(density.score_samples(FRAME)).all()


def test_flows_come_by_name_by_class_and_by_example():
    example = tfpf.flows.build("linear", 3, dtype="float64", seed=0)
    before = example.log_prob(X).numpy()
    found = [
        small.density(flow=flow).fit(X).flow_
        for flow in ("linear", tfpf.flows.LinearFlow, example)
    ]
    assert all(type(flow) is tfpf.flows.LinearFlow for flow in found)
    assert found[2] is not example
    np.testing.assert_array_equal(example.log_prob(X).numpy(), before)
    with pytest.raises(TypeError, match="`flow` must be a name, a flow, or what makes"):
        small.density(flow=3).fit(X)


@pytest.mark.slow
def test_names_of_columns_reach_the_flow_and_the_samples():
    density = small.density().fit(FRAME)
    assert density.flow_.columns == ("age", "mass", "size")
    assert list(density.sample(2, as_frame=True)) == ["age", "mass", "size"]
    assert "Gaussian" in str(small.density(validation=0.2).fit(X).report_)
