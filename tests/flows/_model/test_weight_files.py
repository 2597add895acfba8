"""Files of weights alone: only what they are of takes them, and only numbers."""

import h5py
import numpy as np
import pytest

import tfp_flows as tfpf
from tests.flows import small

X = [[0.1, 2.0]]


@pytest.fixture
def path(tmp_path):
    small.perturbed(small.build("maf")).save_weights(tmp_path / "f.weights.h5")
    return tmp_path / "f.weights.h5"


def test_another_class_of_equal_shapes_is_refused(path, tmp_path):
    other = small.build("iaf", seed=3)
    before = other.get_weights()
    sentence = "`MaskedAutoregressiveFlow`, and this one of `InverseAutoregressiveFlow`"
    with pytest.raises(ValueError, match=sentence):
        other.load_weights(path)
    small.build("maf").save(tmp_path / "f.keras")
    with pytest.raises(ValueError, match=sentence):
        other.load_weights(tmp_path / "f.keras")
    for old, new in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"activation": "tanh"}, r"activation='\w+', and this one with .*='tanh'"),
        ({"num_layers": 3}, "num_layers=2, and this one with num_layers=3"),
        ({"base": "student-t"}, "base='normal', and this one with base='student-t'"),
        ({"preprocessing": ["integer", "continuous"]}, "columns are of other kinds"),
    ],
)
def test_other_options_are_refused_by_name(path, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        small.build("maf", **options).load_weights(path)


def test_what_no_density_depends_on_may_differ(path, tmp_path):
    twin = small.build("maf", seed=9, name="twin", columns=["a", "b"])
    twin.load_weights(path)
    wanted = small.perturbed(small.build("maf")).log_prob(X)
    np.testing.assert_array_equal(twin.log_prob(X), wanted)
    twin.save(tmp_path / "f.keras")
    again = small.build("maf")
    again.load_weights(tmp_path / "f.keras")
    np.testing.assert_array_equal(again.log_prob(X), wanted)


def test_numbers_that_are_none_are_refused(path):
    with h5py.File(path, "r+") as file:  # as those of before wrote them
        file["vars/0"][...] = np.nan
    with pytest.raises(ValueError, match="`vars/0` is not finite"):
        small.build("maf").load_weights(path)


def test_files_of_later_versions_and_of_before(path):
    with h5py.File(path, "r+") as file:
        text = file.attrs["tfp_flows"]
        later = text.replace('"format_version": 1', '"format_version": 99')
        assert later != text
        file.attrs["tfp_flows"] = later
    with pytest.raises(ValueError, match="later version of tfp_flows"):
        small.build("maf").load_weights(path)
    with h5py.File(path, "r+") as file:
        del file.attrs["tfp_flows"]
    flow = small.build("maf")
    flow.load_weights(path)
    np.testing.assert_array_equal(
        flow.log_prob(X), small.perturbed(small.build("maf")).log_prob(X)
    )


def test_files_that_hold_no_weights_are_named(tmp_path):
    flow = small.build("maf")
    (tmp_path / "f.weights.h5").write_text("hello")
    (tmp_path / "f.keras").write_text("hello")
    for name in ("f.weights.h5", "f.keras"):
        with pytest.raises(ValueError, match=f"{name}'. It is no file of weights"):
            flow.load_weights(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="must be an existing file"):
        flow.load_weights(tmp_path / "none.weights.h5")


def test_a_file_of_weights_is_replaced_whole_or_not_at_all(path, monkeypatch):
    held = path.read_bytes()
    flow = small.build("maf")

    def stop(store):
        raise KeyboardInterrupt

    monkeypatch.setattr(flow, "save_own_variables", stop)
    with pytest.raises(KeyboardInterrupt):
        flow.save_weights(path)
    assert path.read_bytes() == held
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_parts_of_another_flow_can_be_asked_for(path):
    flow = small.build("maf", activation="tanh")
    flow.load_weights(path, skip_mismatch=True)
    assert np.isfinite(flow.log_prob(X)).all()
    assert isinstance(flow, tfpf.flows.Flow)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value):
    flow = small.build("linear")
    before = flow.get_weights()
    broken = [w.copy() for w in before]
    broken[-1].flat[0] = value
    with pytest.raises(ValueError, match=r"`weights` must be finite, got NaN or inf"):
        flow.set_weights(broken)
    for now, then in zip(flow.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    flow.set_weights(before)


def test_log_prob_of_nothing_is_named():
    with pytest.raises(ValueError, match=r"`x` must be numbers, got None. Pass an arr"):
        small.build("linear").log_prob(None)
