"""Pages whose code is for reading and copying: it runs as it stands."""

from __future__ import annotations

import functools
import re
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest

import tfp_flows as tfpf

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
# Pages that train for long: their code runs at the sizes of `small`.
TRAINED = [
    DOCS / f"{name}.md"
    for name in (
        "bayesian_networks",
        "classifiers",
        "conditionals",
        "diagnosing",
        "images",
        "information",
        "pictures",
        "point_clouds",
        "rbig",
        "simulation_based_inference",
        "tables",
        "vaes",
    )
]
TRAINED.append(DOCS.parent / "README.md")
# The test of estimators/test_page.py has the one, minutes of chains the other.
ELSEWHERE = [DOCS / "scikit_learn.md", DOCS / "inference.md"]
# What calls of a page get instead of their own or of defaults: they have to run.
SMALL = {
    "fit_posterior": {"steps": 20, "draws": 500, "check_steps": 1, "repairs": 0},
    "integrate": {"evaluations": 2_000, "steps": 10},
    "sample_posterior": {"num_draws": 20, "burn_in": 20},
    "sequential": {"rounds": 2, "simulations": 200},
}


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


@pytest.fixture
def small(monkeypatch):
    """Let Keras fit for four steps, not compiled by XLA, and inference take few."""

    def replace(owner, name, **given):
        function = getattr(owner, name)

        @functools.wraps(function)
        def smaller(*args, **kwargs):
            return function(*args, **{**kwargs, **given})

        monkeypatch.setattr(owner, name, smaller)

    replace(keras.Model, "compile", jit_compile=False)
    replace(keras.Model, "fit", epochs=1, steps_per_epoch=4)
    for name, given in SMALL.items():
        replace(tfpf.inference, name, **given)


@pytest.mark.slow(rare=True)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", TRAINED, ids=lambda page: page.stem)
@pytest.mark.usefixtures("small")
def test_code_of_a_page_of_models_runs(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    # A module of its own: what is pickled is looked up by its module's name.
    module = types.ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(blocks_of(page), str(page), "exec"), vars(module))


def test_code_of_each_page_is_run():
    pages = [DOCS.parent / "README.md", *DOCS.rglob("*.md")]
    with_code = {page for page in pages if "\n```python\n" in page.read_text("utf-8")}
    assert with_code == {*PAGES, *TRAINED, *ELSEWHERE}


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
