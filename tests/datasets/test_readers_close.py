"""Files that are read are closed."""

from __future__ import annotations

import contextlib
import gc
import warnings

import pytest

from tfp_flows import datasets


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "", "a,b\n1,2,3\n", "a,b\n1,x\n"])
def test_text_files_are_closed_whatever_they_hold(text, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        with contextlib.suppress(ValueError):
            datasets.read_table(path)
        gc.collect()
    assert [w for w in caught if issubclass(w.category, ResourceWarning)] == []
