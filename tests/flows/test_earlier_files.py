"""Files that earlier versions wrote load, with the densities of then."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from tfp_flows import flows

FOLDER = pathlib.Path(__file__).parent / "files"
NAMES = sorted(path.stem for path in FOLDER.glob("*.keras"))
MAX_KILOBYTES = 200


@pytest.mark.colab
@pytest.mark.parametrize("name", NAMES)
def test_file_of_before_has_the_density_of_then(name):
    with np.load(FOLDER / f"{name}.npz") as arrays:
        given = dict(arrays)
    expected = given.pop("log_prob")
    flow = flows.load(FOLDER / f"{name}.keras")
    np.testing.assert_allclose(flow.log_prob(**given), expected, rtol=1e-11, atol=1e-11)


def test_file_of_before_keeps_its_columns():
    flow = flows.load(FOLDER / "nsf.keras")
    assert flow.columns == ("alcohol", "ash", "hue")
    assert flow.condition_columns == ("year", "price")


def test_file_of_before_keeps_what_its_columns_are():
    flow = flows.load(FOLDER / "table.keras")
    assert str(flow.preprocessing).startswith("integers from 0; amounts from 0 to 100")
    assert flow.preprocessing.columns[3].categories == ("dry", "wet", "cold")


def test_earlier_files_are_there_and_small():
    assert {"nsf", "maf-mog", "glow", "rbig", "table"} <= set(NAMES)
    assert sum(p.stat().st_size for p in FOLDER.iterdir()) < 1000 * MAX_KILOBYTES
