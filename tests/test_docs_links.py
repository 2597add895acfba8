"""The texts of the repository: links lead somewhere, marked commands are found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]


def _without_code(text):
    return re.sub(r"^```.*?^```|`[^`\n]+`", "", text, flags=re.DOTALL | re.MULTILINE)


def _anchors(page):
    """Return the anchors of a page's headings, as the usual renderers form them."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_to_a_file(page):
    text = _without_code(page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    broken = []
    for target in (first or second for first, second in targets):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        if not linked.exists() or (
            anchor and linked.suffix == ".md" and anchor not in _anchors(linked)
        ):
            broken.append(target)
    assert broken == []


def test_every_page_of_the_docs_is_in_a_toctree():
    listed = set()
    for page in PAGES:
        trees = re.findall(r"```\{toctree\}\n(.*?)^```", page.read_text(), re.S | re.M)
        for entry in "\n".join(trees).split():
            listed.add((page.parent / f"{entry}.md").resolve())
    pages = {p for p in PAGES if ROOT / "docs" in p.parents}
    assert pages - listed == {ROOT / "docs" / "index.md"}


def test_every_public_package_has_a_reference_page():
    import tfp_flows

    packages = {name for name, t in tfp_flows._LAZY.items() if ":" not in t}
    pages = {page.stem for page in (ROOT / "docs" / "reference").glob("*.md")}
    assert pages - {"index"} == packages


def test_every_room_is_on_the_page_of_the_architecture():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)/` \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) > 4
    for folder, text in rows:
        parts = (ROOT / "tfp_flows" / folder).iterdir()
        rooms = {part.name for part in parts if (part / "__init__.py").exists()}
        files = set(re.findall(r"`(\w+\.py)`", text))
        assert rooms <= set(re.findall(r"`(\w+)`", text)), folder
        assert all((ROOT / "tfp_flows" / folder / name).exists() for name in files)


def test_every_module_of_formulas_is_in_the_reference():
    folder = ROOT / "tfp_flows" / "math"
    files = {path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py")}
    modules = {".".join(f.parts) for f in files if f.name != "__init__"}
    page = (ROOT / "docs" / "reference" / "math.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^.. automodule:: tfp_flows.math.([\w.]+)$", page, re.M))
    assert listed == modules


@pytest.mark.parametrize("name", ["demo", "test"])
def test_readme_marks_the_commands_that_ci_runs(name):
    result = subprocess.run(
        [sys.executable, ".ci/readme_block.py", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "pip install" in result.stdout


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<!-- ci:x -->\n```bash\na && \\\nb\n\n# note\nc\n```\n", "a &&  b\nc\n"),
        ("<!-- ci:y -->\n```bash\na\n```\n", "found 0"),
        ("<!-- ci:x -->\n```bash\n# note\n```\n", "holds no command"),
    ],
)
def test_readme_block_joins_lines_and_refuses_a_missing_block(tmp_path, text, found):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    result = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "readme_block.py"), "x", str(readme)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found in (result.stdout or result.stderr)
