"""The pictures of clothes, and readers of images."""

from __future__ import annotations

import gzip
import warnings

import numpy as np
import pytest
from PIL import Image

from tfp_flows import datasets
from tfp_flows._findings import DataNotice


def idx(array, code=8):
    """Return the bytes of an idx file."""
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)


def test_clothes_are_complete():
    images, classes = datasets.fashion_mnist()
    assert images.shape == (1500, 28, 28, 1)
    assert images.dtype == np.uint8
    assert images.min() == 0
    assert images.max() == 255
    np.testing.assert_array_equal(np.bincount(classes), [150] * 10)
    assert len(datasets.FASHION_CLASSES) == 10
    # Bags fill their picture, sandals do not.
    means = [images[classes == c].mean() for c in (8, 5)]
    assert means[0] > means[1]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_are_read(tmp_path, pack):
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(pack(idx(PIXELS)))
    np.testing.assert_array_equal(datasets.read_images(path)[..., 0], PIXELS)
    numbers = np.array([1.5, -2.0], ">f4")
    path.write_bytes(pack(idx(numbers, 13)))
    found = datasets.read_idx(path)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [1.5, -2.0])


def test_broken_idx_files_are_named(tmp_path):
    path = tmp_path / "broken"
    path.write_bytes(b"not an idx file")
    with pytest.raises(ValueError, match=r"must be an idx file, got .*broken"):
        datasets.read_idx(path)
    path.write_bytes(idx(PIXELS)[:-1])
    with pytest.raises(ValueError, match="a whole idx file of 76 bytes, got 75"):
        datasets.read_idx(path)


def test_arrays_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=PIXELS, y=np.arange(5))
    np.save(tmp_path / "a.npy", PIXELS[..., None])
    for name in ("a.npz", "a.npy"):
        found = datasets.read_images(tmp_path / name)
        np.testing.assert_array_equal(found[..., 0], PIXELS)
    with pytest.raises(ValueError, match=r"`key` must name .* got 'z'. There are: x"):
        datasets.read_images(tmp_path / "a.npz", key="z")
    with pytest.raises(ValueError, match=r"got shape \(5,\)"):
        datasets.read_images(tmp_path / "a.npz", key="y")


def test_folders_of_pictures_are_read_in_order(tmp_path):
    for i in (1, 0, 2):
        Image.fromarray(PIXELS[i]).save(tmp_path / f"{i}.png")
    (tmp_path / "readme.txt").write_text("no picture")
    found = datasets.read_images(tmp_path)
    np.testing.assert_array_equal(found[..., 0], PIXELS[:3])
    Image.fromarray(np.stack([PIXELS[3]] * 3, -1)).save(tmp_path / "3.png")
    with pytest.raises(ValueError, match=r"one size, got \(4, 3, 3\) in '3.png'"):
        datasets.read_images(tmp_path)


def test_pictures_that_are_transparent_in_part_are_noticed(tmp_path):
    colours = np.stack([PIXELS[0]] * 4, -1)
    colours[..., 3] = 255
    for i in range(3):
        Image.fromarray(colours, "RGBA").save(tmp_path / f"{i}.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataNotice)
        opaque = datasets.read_images(tmp_path)
    colours[0, 0, 3] = 0
    Image.fromarray(colours, "RGBA").save(tmp_path / "2.png")
    with pytest.warns(DataNotice, match=r"picture '2.png' is transparent .*\(1 of 3"):
        found = datasets.read_images(tmp_path)
    np.testing.assert_array_equal(found, opaque)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="existing file or folder"):
        datasets.read_images(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="a folder with PNG or JPEG files"):
        datasets.read_images(tmp_path)


def test_fewer_bits_are_those_of_the_quantiser():
    x = np.arange(256)
    for bits in (1, 5, 8):
        expected = np.floor(x / 2 ** (8 - bits))
        np.testing.assert_array_equal(datasets.reduce_bits(x, bits), expected)
    with pytest.raises(ValueError, match="`num_bits` must be a whole number"):
        datasets.reduce_bits(x, 9)
    with pytest.raises(ValueError, match="integers from 0 to 255, got type float64"):
        datasets.reduce_bits(x / 255, 5)
