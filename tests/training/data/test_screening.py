"""What `fit` says of tables as they come."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tests.training import tiny
from tests.training.tiny import X, fit
from tfp_flows.preprocessing import DataNotice

GLOW = {"num_levels": 1, "num_steps": 1, "hidden_units": 2, "verbose": 0}
OUT = X.copy()
OUT[6, 1] = 1e9


def frame(x=X, **more):
    return pd.DataFrame(x, columns=["a", "b"]).assign(**more)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (frame(c=7.0), "^column 'c' is constant, 7 in every row"),
        (frame(c=X[:, 0]), "^column 'c' is a copy of column 'a'"),
        (X[:5], "^rows must be at least 10 for a fit, got 5"),
        (np.repeat(X[:1], 50, axis=0), "^column 1 is constant"),
    ],
)
def test_what_has_no_density_is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        fit("linear", table)


def test_outliers_are_left_out_by_name_and_change_nothing():
    with pytest.warns(DataNotice, match=r"^column 'b' has 1e\+09 in row 7") as seen:
        flow, _ = fit("linear", frame(OUT), epochs=1)
    assert seen[0].filename == tiny.__file__
    twin, _ = fit("linear", frame(np.delete(OUT, 6, axis=0)), epochs=1)
    np.testing.assert_allclose(flow.log_prob(X), twin.log_prob(X), atol=1e-5)
    with pytest.warns(DataNotice, match="sets the scale"):
        flow, _ = fit("linear", OUT, epochs=1, outliers="keep")
    assert flow.log_prob(X).numpy().mean() < twin.log_prob(X).numpy().mean() - 1.0
    with pytest.warns(DataNotice, match=r"^condition column 2 has"):
        fit("linear", X, OUT, epochs=1)


def test_codes_of_missing_cells_and_copies_are_warned_of():
    coded = X.copy()
    coded[::10, 0] = -999.0
    with pytest.warns(DataNotice, match=r"^column 1 holds -999 in 10 % of the rows"):
        fit("linear", coded, epochs=1)
    with pytest.warns(DataNotice, match=r"^rows are copies of earlier rows to 75 %"):
        fit("linear", np.repeat(X[:30], 4, axis=0), epochs=1)
    with pytest.warns(DataNotice, match=r"^condition column 1 is constant"):
        fit("linear", X, np.ones(120), epochs=1)
    batches = tf.data.Dataset.from_tensor_slices(coded).batch(40)
    with pytest.warns(DataNotice, match=r"^column 1 holds -999"):
        fit("linear", batches, epochs=1)


def test_large_offsets_go_to_float64():
    x = 1.7e9 + 60.0 * X.astype("float64")
    with pytest.warns(DataNotice, match="the flow computes in float64") as seen:
        flow, _ = fit("linear", x, epochs=1)
    assert sum(w.category is DataNotice for w in seen) == 2
    assert flow.variable_dtype == "float64"
    samples = flow.sample(500, seed=0).numpy()
    assert len(np.unique(samples[:, 0])) == 500
    for given, options in (
        (small.build("linear"), {}),
        ("linear", {"dtype": "float32"}),
    ):
        with pytest.raises(ValueError, match=r"column 1 has .*dtype='float64'"):
            fit(given, x, epochs=1, **({} if options == {} else options))


def test_missing_cells_are_refused_or_filled():
    gaps = np.ma.masked_array(X.copy(), mask=np.zeros_like(X, bool))
    gaps.data[::20, 1] = 9.96921e36
    gaps[::20, 1] = np.ma.masked
    with pytest.raises(ValueError, match=r"masked one in row 1, column 2 \(6 such"):
        fit("linear", gaps)
    with pytest.raises(ValueError, match="missing='impute'"):
        fit("linear", gaps.filled(np.nan))
    with pytest.raises(ValueError, match="`condition` must have no missing"):
        fit("linear", X, gaps)
    with pytest.raises(ValueError, match="`missing` must be one of"):
        fit("linear", X, missing="drop")
    for table in (gaps, gaps.filled(np.nan), frame(gaps.filled(np.nan))):
        flow, _ = fit("linear", table, missing="impute", epochs=1)
        assert np.all(np.isfinite(flow.log_prob(X)))
    with pytest.raises(ValueError, match="`weights` must be finite"):
        fit("linear", gaps, weights=np.full(120, np.nan), missing="impute")


@pytest.mark.slow
def test_clean_tables_are_fitted_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataNotice)
        fit("linear", X, epochs=1)
        fit("linear", X.astype("float64") + 100.0, X[::-1], epochs=1)
        fit("linear", X, weights=np.linspace(0.0, 1.0, 120), epochs=1)


def test_pictures_that_are_all_the_same_are_refused():
    picture = np.random.default_rng(0).integers(0, 256, size=(1, 4, 4, 1))
    with pytest.raises(ValueError, match=r"^rows are all the same, 64 times: a dens"):
        tfpf.fit("glow", np.repeat(picture, 64, axis=0), epochs=1, **GLOW)


def test_pictures_that_are_copies_are_said_with_their_share():
    pictures = np.random.default_rng(0).integers(0, 256, size=(16, 4, 4, 1))
    with pytest.warns(DataNotice, match=r"^rows are copies of earlier rows to 75 %"):
        tfpf.fit("glow", np.repeat(pictures, 4, axis=0), epochs=1, **GLOW)


def test_a_column_that_numbers_the_rows_is_named():
    table = frame(patient=np.random.default_rng(0).permutation(len(X)))
    with pytest.warns(DataNotice, match=r"^column 'patient' holds .* as an identifier"):
        fit("linear", table, epochs=1)
    with pytest.warns(DataNotice, match=r"^condition column 'patient' holds"):
        fit("linear", X, table[["patient"]], epochs=1)


def test_labels_and_text_that_differ_in_each_row_are_named():
    table = frame(who=[f"p{i}" for i in range(len(X))])
    with pytest.raises(ValueError, match=r"by columns={'who': 'drop'}"):
        fit("linear", table)
    with pytest.warns(DataNotice, match=r"^column 'who' holds 120 labels, in no two"):
        fit("linear", table, epochs=1, columns={"who": "category"})
    told = {"columns": {"k": "category"}}
    for x, condition in ((frame(k="a"), None), (X, frame(k="a")[["k"]])):
        with pytest.raises(ValueError, match="column 'k' is constant, 'a' in every"):
            fit("linear", x, condition, **told)


def test_a_date_among_conditions_by_name_is_counted():
    when = pd.date_range("2024-01-01", periods=len(X), freq="7h", tz="Europe/Berlin")
    given = pd.DataFrame({"when": when, "k": ["a", "b"] * (len(X) // 2)})
    options = {"columns": {"k": "category"}, "epochs": 1}
    flow, _ = fit("linear", X, given, **options)
    by_frame = flow.sample(1, given.iloc[:1], seed=0)[0, 0]
    for moment in (when[0], "2024-01-01T00:00+01:00", when[0].to_pydatetime()):
        by_name = flow.sample(1, {"when": moment, "k": "a"}, seed=0)[0]
        np.testing.assert_array_equal(by_name, by_frame)


def test_conditions_that_say_a_column_and_atoms_without_rows_are_warned_of():
    with pytest.warns(DataNotice, match="^column 1 is a copy of condition column 1"):
        fit("linear", X, X[:, :1], epochs=1)
    kinds = {"a": ("atom", 0.0)}
    with pytest.warns(DataNotice, match="^column 'a' has a mass at 0 by its kind"):
        fit("nsf-ar", frame(), epochs=1, columns=kinds)


def test_half_precision_of_any_kind_is_data():
    expected, _ = fit("linear", tf.cast(X, tf.bfloat16).numpy().astype("float32"))
    for x in (tf.cast(X, tf.bfloat16), tf.cast(X, tf.bfloat16).numpy()):
        flow, _ = fit("linear", x)
        np.testing.assert_array_equal(flow.log_prob(X), expected.log_prob(X))
        np.testing.assert_array_equal(flow.log_prob(x), expected.log_prob(x))
