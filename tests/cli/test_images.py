"""Flows of images on the command line."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

import tfp_flows
from tfp_flows import flows
from tfp_flows.cli import demo_images, images, main, tables

TINY = [
    "--epochs",
    1,
    *("--option", "num_steps=1", "--option", "num_levels=1"),
    *("--option", "hidden_units=4,4"),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return a file with 40 small pictures of two classes."""
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = rng.integers(0, 100, size=(40, 4, 4, 1)) + 100 * y[:, None, None, None]
    path = tmp_path_factory.mktemp("images") / "pictures.npz"
    np.savez(path, x=x.astype("uint8"), y=y, weights=np.ones(40))
    return path


@pytest.fixture(scope="module")
def flow(pictures):
    """Return a saved flow of the pictures given their class."""
    out = pictures.parent / "flow.keras"
    argv = ["fit", pictures, "--flow", "glow", "--condition", "y", "--out", out]
    assert main.main([str(word) for word in (*argv, *TINY)]) == 0
    return out


def test_names_are_those_of_the_registry():
    assert flows.image_names() == images.FLOWS


@pytest.mark.slow
def test_fit_prints_bits_per_dim(run, pictures, tmp_path):
    out = tmp_path / "f.keras"
    argv = ("fit", pictures, "--flow", "glow", "--out", out, *TINY)
    code, text, progress = run(*argv)
    assert code == 0
    assert "images: 36 to fit, 4 held out, 4 x 4 x 1" in text
    assert re.search(r"held-out bits/dim: \d+\.\d{4} \+- \d+\.\d{4}", text)
    assert "epoch 1/1, bits/dim: training" in progress
    assert tfp_flows.load(out).event_shape == (4, 4, 1)
    flow, x = tfp_flows.load(out), np.load(pictures)["x"]
    _, held_out = tables.split_rows(0.1, 0, x)
    found = float(re.search(r"bits/dim: (\d+\.\d+)", text)[1])
    assert found == pytest.approx(flow.bits_per_dim(x[held_out]).mean(), abs=1e-3)


@pytest.mark.slow
def test_score_gives_each_image_its_bits(run, flow, pictures):
    code, text, summary = run("score", flow, pictures)
    assert code == 0
    head, *values = text.splitlines()
    assert head == "bits_per_dim"
    arrays = np.load(pictures)
    loaded = tfp_flows.load(flow)
    assert loaded.condition_columns == ("class 0", "class 1")
    expected = loaded.bits_per_dim(arrays["x"], np.eye(2)[arrays["y"]])
    np.testing.assert_allclose(np.array(values, float), expected, rtol=1e-5)
    assert "40 images, mean bits/dim" in summary


def test_sample_draws_a_sheet_and_writes_an_array(run, flow, tmp_path):
    sheet, array = tmp_path / "s.png", tmp_path / "s.npz"
    argv = ("sample", flow, "--grid", sheet, "--out", array, "--seed", 1)
    code, text, _ = run(*argv, "--temperature", 0.5)
    assert code == 0
    assert f"drew 12 images in {sheet}" in text
    x = np.load(array)["x"]
    assert x.shape == (12, 4, 4, 1)
    with Image.open(sheet) as picture:
        assert picture.size[1] > 2 * picture.size[0]  # a column for each class
    # Images take turns: the second class is brighter.
    same = images.draw(tfp_flows.load(flow), 12, np.eye(2)[np.arange(12) % 2], 1, 0.5)
    np.testing.assert_array_equal(x, same)
    code, *_ = run("sample", flow, "-n", 3, "--condition", 1, "--out", array, "--force")
    assert np.load(array)["x"].shape == (3, 4, 4, 1)
    assert "exists: choose another name" in run("sample", flow, "--grid", sheet)[2]


@pytest.mark.slow
def test_folders_of_pictures_are_fitted(run, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(12):
        pixels = np.full((2, 2), 20 * i, np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    code, text, _ = run("fit", folder, "--out", tmp_path / "f.keras", *TINY)
    assert code == 0
    assert "images: 11 to fit, 1 held out, 2 x 2 x 1" in text


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--flow", "nsf", "DIR"], "holds images, for which there are the flows glow"),
        (["FILE"], "holds images: add --flow glow or"),
        (["--flow", "nsf", "FILE"], "holds images: add --flow glow or"),
        (["--flow", "glow", "none.npz"], "there is no file or folder"),
        (["--flow", "glow", "FILE", "--columns", "a"], "--columns is for tables"),
        (["--flow", "glow", "FILE", "--condition", "z"], "there is no array 'z', only"),
        (["--flow", "glow", "FILE", "--condition", "weights"], "one whole number per"),
        (["--flow", "glow", "FILE", "--option", "wings=2"], "has no option 'wings'"),
        (
            ["--flow", "glow", "FILE", "--option", "num_levels=3"],
            "can be squeezed by 2",
        ),
        (["--flow", "glow", "ODD"], "pad the images to 6 x 6"),
        (["--flow", "glow", "FLAT"], "must hold images [N, H, W]"),
        (["--flow", "glow", "SHARES"], "which look scaled. Pass np.round(255 * x)"),
        (["--flow", "glow", "WIDE"], "Divide those of 16 bits"),
        (["--flow", "glow", "EMPTY"], "0 images are too few"),
    ],
)
def test_bad_images_are_refused(argv, message, refused, pictures, tmp_path):
    np.save(tmp_path / "odd.npy", np.arange(125, dtype=np.uint8).reshape(5, 5, 5))
    np.save(tmp_path / "flat.npy", np.zeros([5, 5], np.uint8))
    np.save(tmp_path / "shares.npy", np.arange(128).reshape(8, 4, 4) / 128)
    wide = np.arange(60_000, 60_128, dtype=np.uint16).reshape(8, 4, 4)
    np.save(tmp_path / "wide.npy", wide)
    np.save(tmp_path / "empty.npy", np.zeros([0, 4, 4], np.uint8))
    known = {"DIR": tmp_path, "FILE": pictures}
    known |= {name.upper(): tmp_path / f"{name}.npy" for name in ("shares", "wide")}
    known["EMPTY"] = tmp_path / "empty.npy"
    known |= {"ODD": tmp_path / "odd.npy", "FLAT": tmp_path / "flat.npy"}
    argv = [known.get(word, word) for word in argv]
    assert message in refused("fit", *argv, "--out", tmp_path / "f.keras")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "name a picture with --grid, or an array of images with --out"),
        (["--grid", "g.gif"], "must end in .png"),
        (["--grid", "g.png", "--condition", "7"], "must name a class, got '7'"),
        (["--grid", "g.png", "--temperature", "-1"], "must be a number from 0 on"),
        (["--out", "g.csv"], "must end in .npz or .npy"),
    ],
)
def test_bad_sheets_are_refused(argv, message, refused, flow, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused("sample", flow, *argv)


def test_tables_have_no_temperature(refused, linear_flow):
    error = refused("sample", linear_flow, "-n", 3, "--temperature", 0.5)
    assert "--temperature is for images" in error


@pytest.mark.slow
def test_demo_of_images(run, tmp_path, monkeypatch):
    monkeypatch.setattr(demo_images, "QUICK_EPOCHS", 1)
    tiny = {"num_steps": 1, "hidden_units": (8,)}
    monkeypatch.setattr(demo_images, "OPTIONS", tiny)
    code, text, _ = run("demo", "--images", "--quick", "--out", tmp_path)
    assert code == 0
    report = json.loads((tmp_path / "images.json").read_text())
    for label, result in report["held_out_bits_per_dim"].items():
        assert f"{result['mean']:.3f} +- {result['standard_error']:.3f}" in text
        assert label in text
        assert 2.0 < result["mean"] < 8.0
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == sorted(demo_images.OUTPUTS)
