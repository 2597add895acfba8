"""The page: one file, escaped, replaced whole, and readable in a browser."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tfp_flows as tfpf

SCRIPT = "<script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def found():
    x = np.random.default_rng(0).normal(size=(300, 3))
    x[3, 0] = 60.0
    flow = tfpf.flows.build("linear", 3, columns=(SCRIPT, "$b_1$", 'c"&'), seed=0)
    flow.adapt(x)
    return tfpf.diagnose(flow, x)


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    found.save_html(path)
    return path


def test_page_holds_all_and_loads_nothing(found, page):
    text = page.read_text()
    for measure in found.measures:
        assert f"<td>{measure.name}</td>" in text
    assert text.count("data:image/png;base64,") == 3
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "@import" not in text
    assert "url(" not in text


def test_names_are_escaped(found, page):
    text = page.read_text()
    assert any(SCRIPT in finding.columns for finding in found.findings)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_maps_of_a_flow_unfold_below_its_first_line(found, page):
    first, *maps = found.flow.splitlines()
    assert len(maps) > 1
    unfolding = re.search(r"<details.*?</details>", page.read_text(), re.S)[0]
    summary, below = html.unescape(unfolding).split("</summary>")
    assert summary.endswith(f"<summary>{first}")
    assert all(line in below for line in maps)


@pytest.mark.slow
def test_a_page_that_cannot_be_written_leaves_the_old_one(found, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def broken(self, text, **_):
        with open(self, "w") as file:
            file.write(text[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", broken)
        with pytest.raises(OSError, match="No space"):
            found.save_html(path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        found.save_html(tmp_path / "absent" / "report.html")


@pytest.mark.slow
def test_a_browser_shows_the_page(page, tmp_path):
    names = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("needs a headless Chromium on the path")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=900,2000"]
    picture = tmp_path / "page.png"
    common = [browser, *options, f"--user-data-dir={tmp_path / 'profile'}"]
    subprocess.run(
        [*common, f"--screenshot={picture}", page.as_uri()],
        check=True,
        capture_output=True,
        timeout=60,
    )
    with Image.open(picture) as image:
        shades = np.asarray(image.convert("L"))
    assert shades.shape == (2000, 900)
    assert shades.std() > 10
    dumped = subprocess.run(
        [*common, "--dump-dom", page.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    assert "<title>Diagnosis of a flow</title>" in dumped
