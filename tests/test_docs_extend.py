"""The pages on extending the library: their code runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

PAGES = sorted((Path(__file__).parent.parent / "docs" / "extend").glob("*.md"))
PAGES = [page for page in PAGES if page.stem != "index"]


@pytest.fixture(scope="module")
def run(request):
    """Return what runs a page once, and returns the names that it leaves."""
    done = {}

    def run_page(page):
        if page.stem not in done:
            text = page.read_text(encoding="utf-8")
            blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
            assert blocks, "a page without code"
            names = {"__name__": page.stem}
            exec(compile("\n".join(blocks), str(page), "exec"), names)
            done[page.stem] = names
        return done[page.stem]

    return run_page


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_of_a_page_runs(page, run):
    run(page)


@pytest.mark.slow
def test_reverse_kl_of_a_page_finds_the_gaussian(run):
    page = next(page for page in PAGES if page.stem == "objective")
    names = run(page)
    samples, target = names["samples"], names["target"]
    np.testing.assert_allclose(samples.mean(axis=0), target.mean(), atol=0.05)
    np.testing.assert_allclose(np.cov(samples.T), target.covariance(), atol=0.08)
    source = page.read_text(encoding="utf-8")
    listing = source[source.index("class ReverseKL") :].split("```")[0]
    assert len(listing.strip().splitlines()) <= 20
