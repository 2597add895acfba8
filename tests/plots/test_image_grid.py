"""Sheets of images."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows import flows, plots


def sheet(*args, **options):
    return plots.image_grid(*args, **options).images[0].get_array()


def test_images_stand_in_rows_with_gaps():
    images = np.stack([np.full([3, 4, 1], 51 * i) for i in range(5)])
    pixels = sheet(images, num_columns=2, gap=1)
    assert pixels.shape == (1 + 3 * 4, 1 + 2 * 5, 3)
    np.testing.assert_allclose(pixels[1:4, 1:5], 0.0)
    np.testing.assert_allclose(pixels[5:8, 6:10], 0.6)
    # What is empty, and the gaps, are white.
    np.testing.assert_allclose(pixels[9:12, 6:10], 1.0)
    np.testing.assert_allclose(pixels[4], 1.0)


def test_rows_of_a_sheet_stay_rows():
    assert sheet(np.zeros([2, 5, 4, 4, 1]), gap=0).shape == (8, 20, 3)


def test_colours_and_ranges():
    images = np.broadcast_to([-5.0, 7.5, 99.0], [1, 2, 2, 3])
    pixels = sheet(images, max_value=15, gap=0)
    np.testing.assert_allclose(pixels[0, 0], [0.0, 0.5, 1.0])
    assert sheet(np.zeros([7, 4, 4]), gap=0).shape == (12, 12, 3)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"`images` must have shape .* \(1, 4, 4, 2\)"):
        plots.image_grid(np.zeros([1, 4, 4, 2]))


def test_rows_and_columns_have_labels():
    ax = plots.image_grid(
        np.zeros([2, 3, 4, 4, 1]), row_labels=["a", "b"], column_labels="xyz"
    )
    assert [text.get_text() for text in ax.texts] == ["a", "b", "x", "y", "z"]
    low, high = (ax.texts[i].get_position()[1] for i in (0, 1))
    assert low == 4.0
    assert high == 10.0


@pytest.mark.slow
def test_sheets_of_samples_are_drawn_while_training(tmp_path):
    flow = flows.build(
        "glow", (2, 2, 1), num_steps=1, hidden_units=(4,), num_levels=1, seed=0
    )
    x = np.random.default_rng(0).integers(0, 256, size=(16, 2, 2, 1))
    flow.compile("adam")
    callback = plots.SampleSheet(tmp_path / "sheet-{epoch}.png", num_samples=4, every=2)
    history = flow.fit(x, epochs=3, batch_size=8, verbose=0, callbacks=[callback])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sheet-2.png", "sheet-3.png"]
    bits = np.array(history.history["loss"]) / (4 * np.log(2.0))
    np.testing.assert_allclose(history.history["bits_per_dim"], bits)
    with pytest.raises(ValueError, match=r"`path` must end in \.png"):
        plots.SampleSheet("sheet.gif")
