"""Pages whose code is for reading and copying: it runs as it stands."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [
    page for page in sorted((DOCS / "extend").glob("*.md")) if page.stem != "index"
]
PAGES += [
    page for page in sorted((DOCS / "how_to").glob("*.md")) if page.stem != "index"
]
PAGES += [
    DOCS / f"{name}.md"
    for name in ("migration", "choosing", "promises", "sharp_bits", "theory")
]
# More than ten seconds of CPU each.
DEAR = {"big_data", "map", "missing", "saving", "transformer"}
# Pages that train for long: their code runs with an epoch for each fit.
TRAINED = [
    DOCS / f"{name}.md"
    for name in ("bayesian_networks", "conditionals", "tables", "vaes")
]


def blocks_of(page):
    """Return the code of a page."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    assert blocks, "a page without code"
    return "\n".join(blocks)


@pytest.fixture(scope="module")
def run():
    """Give what runs a page once, and returns the names that it leaves."""
    done = {}

    def run_page(page):
        if page.stem not in done:
            code = blocks_of(page)
            # A module of its own: what is pickled is looked up by its module's name.
            module = types.ModuleType(f"page_{page.stem}")
            sys.modules[module.__name__] = module
            exec(compile(code, str(page), "exec"), vars(module))
            done[page.stem] = vars(module)
        return done[page.stem]

    yield run_page
    for name in done:
        del sys.modules[f"page_{name}"]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=pytest.mark.slow(rare=page.stem in DEAR))
        for page in PAGES
    ],
)
def test_code_of_a_page_runs(page, run):
    run(page)


@pytest.mark.slow
@pytest.mark.parametrize("page", TRAINED, ids=lambda page: page.stem)
def test_code_of_a_page_of_models_runs(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, count = re.subn(r"epochs=[\d_]+", "epochs=1", blocks_of(page))
    assert count
    exec(compile(code, str(page), "exec"), {"__name__": f"page_{page.stem}"})


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
