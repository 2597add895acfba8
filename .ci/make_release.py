"""Make a release: versions, the notebooks' address, wheel and sdist, each one checked.

Usage: python .ci/make_release.py VERSION ADDRESS [--out DIR]
       python .ci/make_release.py --check [--out DIR]

VERSION such as 0.2.0, ADDRESS the folder of the web that will hold the wheel. The first
form writes both into `setup.cfg`, the one place for them, and from there into
`CITATION.cff`, `CHANGELOG.md` and the notebooks. Then, as with `--check`, it builds
wheel and sdist from what git holds, asks `twine check`, compares what is in them with
the checkout, installs the wheel in an empty environment and tries it there. Commit, tag
and upload `dist/` by hand afterwards; nothing leaves this machine.
"""

from __future__ import annotations

import argparse
import configparser
import datetime
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

__all__ = ["check_notebooks", "check_versions", "fill", "main"]

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
ADDRESS = re.compile(r"https://[^\s\"'<>]+[^\s\"'<>/]/?")
# What runs in the empty environment: help, the names, a fit, a saved file.
TRIAL = """
import numpy, tfp_flows as tfpf
assert tfpf.__version__ == {version!r}, tfpf.__version__
x = numpy.random.default_rng(0).normal(size=(200, 2))
flow, _ = tfpf.fit("linear", x, epochs=2, seed=0, verbose=0)
flow.save("trial.keras")
assert numpy.array_equal(tfpf.load("trial.keras").log_prob(x), flow.log_prob(x))
assert len(tfpf.datasets.wine("white")) == 4898
"""


def fill(root: Path, version: str, address: str, day: str) -> None:
    """Write the version and the address of the wheels where they belong.

    Args:
        root: Folder of the checkout.
        version: Of the release.
        address: Folder of the wheels.
        day: Date of the release.

    Raises:
        ValueError: If a text has no place for them, or nothing has changed.
    """
    if not VERSION.fullmatch(version):
        msg = f"the version must be such as 0.2.0 or 0.2.0rc1, got {version!r}."
        raise ValueError(msg)
    if not ADDRESS.fullmatch(address):
        msg = f"the address must begin with https://, got {address!r}."
        raise ValueError(msg)
    changes = (root / "CHANGELOG.md").read_text("utf-8")
    if not re.search(r"^## \[Unreleased\]\s+(###[^\n]*\s+)*-", changes, re.MULTILINE):
        msg = (
            "CHANGELOG.md has no lines under [Unreleased]: there is nothing to release."
        )
        raise ValueError(msg)
    for name, pattern, text in (
        ("setup.cfg", r"^version = .*$", f"version = {version}"),
        ("setup.cfg", r"^wheels =.*$", f"wheels = {address.rstrip('/')}"),
        ("CITATION.cff", r"^version: .*$", f"version: {version}"),
        ("CITATION.cff", r"^(date-released: .*\n)?license:", _dated(day)),
        ("CHANGELOG.md", r"^## \[Unreleased\]$", _heading(version, day)),
    ):
        path = root / name
        found, count = re.subn(
            pattern,
            lambda _, text=text: text,
            path.read_text("utf-8"),
            flags=re.MULTILINE,
        )
        if count != 1:
            msg = f"{name} must have one line like {pattern}, got {count}."
            raise ValueError(msg)
        path.write_text(found, "utf-8")


def _dated(day: str) -> str:
    return f"date-released: {day}\nlicense:"


def _heading(version: str, day: str) -> str:
    return f"## [Unreleased]\n\n## [{version}] - {day}"


def _settings(root: Path) -> tuple[str, str]:
    settings = configparser.ConfigParser()
    settings.read(root / "setup.cfg", encoding="utf-8")
    return settings["metadata"]["version"], settings["release"]["wheels"]


def check_versions(root: Path) -> None:
    """Raise if files of the checkout name different versions."""
    version, _ = _settings(root)
    cited = re.search(
        r"^version: (.*)$", (root / "CITATION.cff").read_text("utf-8"), re.MULTILINE
    )
    if cited is None or cited[1].strip("\"' ") != version:
        msg = f"CITATION.cff must name version {version}, as setup.cfg does."
        raise ValueError(msg)


def check_notebooks(root: Path) -> None:
    """Raise if a notebook does not install the wheel that `setup.cfg` names."""
    version, address = _settings(root)
    file = f"tfp_flows-{version}-py3-none-any.whl"
    expected = f'WHEEL = "{address}/{file}"' if address else 'WHEEL = ""'
    for path in sorted((root / "colab").glob("*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
        if expected not in text:
            msg = f"{path.name} must have {expected}: run python colab/build.py."
            raise ValueError(msg)


def _run(*words: object, cwd: Path = ROOT) -> str:
    command = [str(word) for word in words]
    print("+", " ".join(command)[:150], flush=True)
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nfailed: {' '.join(command)[:150]}")
    return done.stdout


def _environment(folder: Path, *packages: str) -> Path:
    """Return the interpreter of a new environment."""
    venv.create(folder, with_pip=True)
    python = folder / (
        "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    )
    _run(python, "-m", "pip", "install", "-q", *packages)
    return python


def _build(work: Path, out: Path) -> tuple[Path, Path, set[str]]:
    """Build wheel and sdist of what git holds; return them, and its files."""
    source = work / "source"
    source.mkdir()
    listed = set(filter(None, _run("git", "ls-files", "-z").split("\0")))
    for name in listed:
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    python = _environment(work / "tools", "build", "twine")
    _run(python, "-m", "build", "--outdir", out, source, cwd=source)
    version, _ = _settings(ROOT)
    wheel = out / f"tfp_flows-{version}-py3-none-any.whl"
    sdist = out / f"tfp_flows-{version}.tar.gz"
    print(_run(python, "-m", "twine", "check", "--strict", wheel, sdist).strip())
    return wheel, sdist, listed


def _check_contents(wheel: Path, sdist: Path, listed: set[str]) -> None:
    """Exit if a file of the package is missing, or another one is inside."""
    tracked = {name for name in listed if name.startswith("tfp_flows/")}
    with zipfile.ZipFile(wheel) as archive:
        inside = {n for n in archive.namelist() if ".dist-info/" not in n}
    if inside != tracked:
        sys.exit(f"the wheel differs from git: {sorted(inside ^ tracked)[:10]}")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = {*tracked, "setup.cfg", "pyproject.toml", "LICENSE", "NOTICE"} - names
    if missing:
        sys.exit(f"the sdist lacks {sorted(missing)[:10]}")
    size = wheel.stat().st_size / 2**20
    print(f"wheel: {len(inside)} files of the package, {size:.1f} MB")


def _try(work: Path, wheel: Path) -> None:
    """Install the wheel in an empty environment, and use it."""
    version, _ = _settings(ROOT)
    place = work / "trial"
    place.mkdir()
    python = _environment(work / "empty", f"{wheel}[cli]")
    _run(python, "-m", "pip", "check", cwd=place)
    _run(python, "-c", TRIAL.format(version=version), cwd=place)
    shell = python.with_name("tfp-flows")
    for words in (["--help"], ["-V"], ["list"], ["info", "trial.keras"]):
        _run(shell, *words, cwd=place)


def main(arguments: list[str] | None = None) -> int:
    """Make or check a release, and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Make a release, or check what there is."
    )
    parser.add_argument("version", nargs="?", help="such as 0.2.0")
    parser.add_argument("address", nargs="?", help="folder of the web for the wheels")
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--out", default="dist", help="folder of the results")
    options = parser.parse_args(arguments)
    if options.check != (options.version is None) or options.check == bool(
        options.address
    ):
        parser.error("give VERSION and ADDRESS, or --check")
    out = Path(options.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    try:
        if not options.check:
            if _run("git", "status", "--porcelain").strip():
                parser.error("there are changes that are not committed")
            day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
            fill(ROOT, options.version, options.address, day)
            _run(sys.executable, "colab/build.py")
        check_versions(ROOT)
        _run(sys.executable, "colab/build.py", "--check")
        check_notebooks(ROOT)
    except ValueError as error:
        sys.exit(str(error))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        wheel, sdist, listed = _build(work, out)
        _check_contents(wheel, sdist, listed)
        _try(work, wheel)
    print(f"{wheel}\n{sdist}\nare sound: commit, tag and upload them.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
