"""Names of coordinates: what data frames are read by."""

import numpy as np
import pandas as pd
import pytest

import tfp_flows as tfpf
from tests.flows import small

X = small.table(60, 3)
NAMES = ["a", "b", "c"]
FRAME = pd.DataFrame(X, columns=NAMES)


@pytest.fixture(scope="module")
def flow():
    flow = small.build("linear", 2, 1, columns=NAMES[:2], condition_columns=["c"])
    flow.adapt(X[:, :2], X[:, 2:])
    return flow


def test_columns_of_a_frame_are_found_by_name(flow):
    wanted = flow.log_prob(X[:, :2], X[:, 2:])
    for frame in (FRAME[["c", "b", "a"]], FRAME.assign(label="text")):
        np.testing.assert_array_equal(flow.log_prob(frame, frame), wanted)
    table = tfpf.datasets.to_table(FRAME[["b", "c", "a"]])
    np.testing.assert_array_equal(flow.log_prob(table, table), wanted)
    found = flow.distribution(FRAME).log_prob(X[:, :2])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_conditions_of_samples_are_found_by_name(flow):
    wanted = flow.sample(2, X[:, 2:], seed=1)
    np.testing.assert_array_equal(flow.sample(2, FRAME, seed=1), wanted)


def test_numbered_frames_are_read_by_position(flow):
    frame = pd.DataFrame(X[:, :2])
    wanted = flow.log_prob(X[:, :2], X[:, 2:])
    np.testing.assert_array_equal(flow.log_prob(frame, X[:, 2:]), wanted)


def test_missing_and_bad_columns_are_named(flow):
    with pytest.raises(ValueError, match=r"`x` must have the columns .*'b' is missing"):
        flow.log_prob(FRAME[["a", "c"]], FRAME)
    with pytest.raises(ValueError, match="column 'a' must be numeric, got 'text'"):
        flow.log_prob(FRAME.assign(a="text"), FRAME)


def test_fit_goes_on_with_a_frame_in_another_order():
    flow = small.build("linear", 3, columns=NAMES)
    other = FRAME[["c", "a", "b"]]
    options = {"epochs": 1, "seed": 0, "verbose": 0, "jit_compile": False}
    tfpf.fit(flow, other, validation=(other,), **options)
    twin = small.build("linear", 3, columns=NAMES)
    tfpf.fit(twin, X, validation=(X,), **options)
    np.testing.assert_allclose(flow.log_prob(X), twin.log_prob(X), atol=1e-5)


def test_sizes_and_file_names_are_checked(flow, tmp_path):
    with pytest.raises(ValueError, match="`sample_shape` must not be negative, got -1"):
        flow.sample(-1, X[:, 2:])
    with pytest.raises(ValueError, match=r"`filepath` must end in .keras, got"):
        flow.save(tmp_path / "flow.h5")


def test_columns_may_come_with_their_kinds():
    kinds = dict.fromkeys(NAMES[:2], "continuous")
    assert small.build("linear", 2, columns=kinds).columns == ("a", "b")
    for argument, shape in (("columns", None), ("condition_columns", 2)):
        wrong = {argument: {"a": "continuous", "b": "whole"}}
        with pytest.raises(ValueError, match=r"`columns` of 'b'.*no kind 'whole'"):
            small.build("linear", 2, shape, **wrong)
    with pytest.raises(ValueError, match="must list the labels of 'b'"):
        small.build("linear", 2, 1, condition_columns={"b": "category"})


KINDS = {"colour": ("category", ["red", "blue"]), "size": "continuous"}
GIVEN = pd.DataFrame({"colour": ["blue", "red", "blue"], "size": [1.0, 2.0, 3.0]})


@pytest.fixture(scope="module")
def of_colours():
    flow = small.build("maf", 2, 2, columns=NAMES[:2], condition_columns=KINDS)
    flow.adapt(X[:3, :2], GIVEN)
    for variable in flow.trainable_variables:
        variable.assign(variable + 0.1)
    return flow


def test_conditions_may_be_labels(of_colours, tmp_path):
    wanted = of_colours.log_prob(X[:3, :2], [[1.0, 1.0], [0.0, 2.0], [1.0, 3.0]])
    text = GIVEN[["size", "colour"]].assign(more=0)
    as_category = GIVEN.assign(colour=pd.Categorical(GIVEN["colour"]))
    for given in (text, as_category, GIVEN.to_numpy(object)):
        np.testing.assert_array_equal(of_colours.log_prob(X[:3, :2], given), wanted)
    path = tmp_path / "colours.keras"
    of_colours.save(path)
    loaded = tfpf.load(path)
    np.testing.assert_array_equal(loaded.log_prob(X[:3, :2], GIVEN), wanted)
    assert loaded.condition_labels() == {"colour": ("red", "blue")}
    one = loaded.distribution({"size": 1.0, "colour": "blue"}).log_prob(X[0, :2])
    np.testing.assert_allclose(one, wanted[0], atol=1e-5)
    # Labels have no order: the network sees zeros and a one, which are not scaled.
    seen = loaded._embedding([[1.0, 2.0]]).numpy()
    np.testing.assert_allclose(seen, [[0.0, 1.0, 0.0]], atol=1e-6)


def test_unknown_labels_are_named(of_colours):
    with pytest.raises(
        ValueError, match=r"'colour' must hold .* 'red', 'blue', got 'p"
    ):
        of_colours.log_prob(X[:1, :2], GIVEN[:1].assign(colour="pink"))
    with pytest.raises(ValueError, match=r"'colour' must hold .* got 'pink' in row 2"):
        of_colours.log_prob(X[:2, :2], [["red", 1.0], ["pink", 1.0]])
    with pytest.raises(ValueError, match=r"numbers 0 to 1\), got 2 in row 1"):
        of_colours.sample(2, [[2.0, 0.0]])
    with pytest.raises(ValueError, match=r"must have \['colour', 'size'\], got \['s"):
        of_colours.sample(2, {"size": 1.0})


def test_conditions_may_be_angles():
    kinds = {"hour": ("periodic", 0, 24)}
    flow = small.build("maf", 2, 1, condition_columns=kinds)
    flow.adapt(X[:, :2], np.linspace(0.0, 23.0, len(X)))
    np.testing.assert_allclose(
        flow.log_prob(X[:, :2], [[0.0]]), flow.log_prob(X[:, :2], [[24.0]]), atol=1e-5
    )


@pytest.mark.parametrize("members", [None, 2])
def test_labels_of_mixtures_and_members(members):
    options = {} if members is None else {"members": members}
    name = "mixture" if members is None else "maf"
    own = {"component": "maf", "num_components": 2} if members is None else {}
    flow = tfpf.flows.build(
        *(name, 1, 2),
        **{**own, **options, "condition_columns": KINDS},
        **{"num_layers": 1, "hidden_units": (4,), "seed": 0},
    )
    twin = type(flow).from_config(flow.get_config())
    assert twin.condition_kinds == flow.condition_kinds
    assert flow.log_prob(X[:3, :1], GIVEN).shape == (3,)
    with pytest.raises(ValueError, match="got 'pink'"):
        twin.log_prob(X[:1, :1], [["pink", 1.0]])


TIMES = pd.date_range("2024-01-01", periods=40, freq="6h")


@pytest.fixture(scope="module")
def of_dates():
    frame = pd.DataFrame({"when": TIMES, "size": X[:40, 0]})
    flow = small.build("linear", 2, columns=list(frame.columns), dtype="float64")
    options = {"epochs": 1, "seed": 0, "verbose": 0, "jit_compile": False}
    tfpf.fit(flow, frame, **options)
    return flow, frame


def test_dates_count_alike_in_every_table(of_dates, tmp_path):
    flow, frame = of_dates
    wanted = flow.log_prob(frame)
    flow.save(tmp_path / "dates.keras")
    flow = tfpf.load(tmp_path / "dates.keras")
    for when in (
        TIMES.astype("datetime64[s]"),
        TIMES.tz_localize("UTC").tz_convert("Asia/Tokyo"),
        TIMES.strftime("%Y-%m-%d %H:%M"),
    ):
        np.testing.assert_array_equal(flow.log_prob(frame.assign(when=when)), wanted)
    days = frame.assign(when=TIMES.strftime("%Y-%m-%d"))  # of which a day is a unit
    np.testing.assert_array_equal(
        flow.log_prob(days), flow.log_prob(frame.assign(when=TIMES.normalize()))
    )
    drawn = flow.sample(50, seed=0, as_frame=True)["when"]
    assert drawn.dtype.kind == "M"
    assert drawn.between("2023-11-01", "2024-03-01").all()


def test_dates_are_no_numbers(of_dates):
    flow, frame = of_dates
    with pytest.raises(ValueError, match=r"'size' must hold plain numbers.* got days"):
        flow.log_prob(frame.assign(size="2024-01-01"))
    with pytest.raises(ValueError, match="'when' must hold seconds since 1970-01-01"):
        flow.log_prob(frame.assign(when=TIMES - TIMES[0]))


def test_names_may_be_of_any_type():
    names = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    for columns in ([1, 0], [1.5, 2.5], names):
        frame = pd.DataFrame(X[:, :2], columns=columns)
        flow = small.build("linear", 2, columns=[str(name) for name in columns])
        flow.adapt(frame)
        np.testing.assert_array_equal(
            flow.log_prob(frame.iloc[:, ::-1]), flow.log_prob(X[:, :2])
        )


def test_keras_reads_events_and_conditions_by_name(of_colours):
    events, given = FRAME[["a", "b"]][:3], GIVEN
    other, turned = events[["b", "a"]], GIVEN[["size", "colour"]]
    flow = small.build("maf", 2, 2, columns=NAMES[:2], condition_columns=KINDS)
    flow.set_weights(of_colours.get_weights())
    flow.compile("adam")
    wanted = -of_colours.log_prob(events, given).numpy().mean()
    for x, y in ((events, given), (other, turned)):
        np.testing.assert_allclose(flow.evaluate(x, y, verbose=0), wanted, rtol=1e-5)
    found = flow.predict({"x": other, "condition": turned}, verbose=0)
    np.testing.assert_allclose(-found.mean(), wanted, rtol=1e-5)
    history = flow.fit(other, turned, validation_data=(other, turned), verbose=0)
    assert np.isfinite(history.history["val_loss"][0])


def test_samples_come_back_in_the_types_of_the_rows():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "sold": rng.integers(0, 2, 200) > 0,
            "visits": rng.integers(0, 30, 200),
            "income": rng.integers(10_000, 90_000, 200),
            "code": rng.integers(0, 2, 200).astype(float),
            "size": pd.Categorical(rng.choice(["s", "m"], 200), ["s", "m"]),
            "grade": pd.Categorical(rng.choice([10, 20], 200)),
            "weight": rng.normal(size=200),
        }
    )
    kinds = {
        "sold": "category",
        "visits": "integer",
        "code": "category",
        "size": ("category", ["s", "m"]),
        "grade": ("category", [10, 20]),
    }
    every = {**dict.fromkeys(rows, "continuous"), **kinds}
    flow, _ = tfpf.fit("linear", rows, columns=every, epochs=1, seed=0, verbose=0)
    drawn = flow.sample(20, seed=0, as_frame=True)
    types = {name: str(kind) for name, kind in drawn.dtypes.items()}
    assert types == {
        **{"sold": "bool", "visits": "int64", "income": "int64"},
        **{"code": "float32", "size": "category", "grade": "category"},
        "weight": "float32",
    }
    assert drawn["size"].cat.categories.to_list() == ["s", "m"]
    assert drawn["grade"].cat.categories.to_list() == [10, 20]
    values = flow.sample(20, seed=0).numpy()
    np.testing.assert_array_equal(drawn["visits"], values[:, 1])
    np.testing.assert_array_equal(drawn["income"], np.rint(values[:, 2]))
    assert np.isfinite(flow.log_prob(drawn)).all()
    again = type(flow).from_config(flow.get_config())
    assert again.as_frame(values).dtypes.equals(drawn.dtypes)
    gap = flow.as_frame(np.where(np.arange(7) == 1, np.nan, values[0]))
    assert np.isnan(gap["visits"][0])


def test_arrays_of_integers_give_frames_of_integers():
    x = np.random.default_rng(0).integers(0, 9, (60, 2))
    flow, _ = tfpf.fit("linear", x, columns="continuous", epochs=1, seed=0, verbose=0)
    assert (flow.sample(3, seed=0, as_frame=True).dtypes == np.float32).all()
    flow = small.build("linear", 2, columns={"a": "integer", "b": "continuous"})
    drawn = flow.sample(3, seed=0, as_frame=True)
    assert list(map(str, drawn.dtypes)) == ["int64", "float32"]
