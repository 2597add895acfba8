"""The script that makes a release, but for the build itself."""

from __future__ import annotations

import configparser
import importlib.util
import shutil

import pytest

FILES = ("setup.cfg", "CITATION.cff", "CHANGELOG.md")


@pytest.fixture
def release(repository):
    path = repository / ".ci" / "make_release.py"
    if not path.exists():
        pytest.skip("needs the scripts of a checkout")
    spec = importlib.util.spec_from_file_location("make_release", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(repository, tmp_path):
    for name in FILES:
        shutil.copy(repository / name, tmp_path)
    (tmp_path / "colab").mkdir()
    return tmp_path


def test_versions_and_notebooks_agree_as_they_are(release, repository):
    release.check_versions(repository)
    release.check_notebooks(repository)


def test_a_release_fills_every_place(release, checkout):
    for version, day in (("0.2.0", "2026-12-01"), ("0.3.0rc1", "2027-01-01")):
        release.fill(checkout, version, "https://example.org/wheels/", day)
        settings = configparser.ConfigParser()
        settings.read(checkout / "setup.cfg")
        assert settings["metadata"]["version"] == version
        assert settings["release"]["wheels"] == "https://example.org/wheels"
        cited = (checkout / "CITATION.cff").read_text()
        assert f"version: {version}\n" in cited
        assert cited.count("date-released:") == 1
        release.check_versions(checkout)
        changes = (checkout / "CHANGELOG.md").read_text()
        assert f"## [Unreleased]\n\n## [{version}] - {day}\n" in changes
        with pytest.raises(ValueError, match="nothing to release"):
            release.fill(checkout, version, "https://example.org/wheels", day)
        new = "## [Unreleased]\n\n### Fixed\n\n- A line.\n"
        changes = changes.replace("## [Unreleased]\n", new)
        (checkout / "CHANGELOG.md").write_text(changes)


def test_a_notebook_of_another_version_is_refused(release, checkout):
    release.fill(checkout, "0.2.0", "https://example.org/wheels", "2026-12-01")
    wheel = "https://example.org/wheels/tfp_flows-0.1.0-py3-none-any.whl"
    source = f'"WHEEL = \\"{wheel}\\""'
    notebook = checkout / "colab" / "quickstart.ipynb"
    notebook.write_text(f'{{"cells": [{{"source": [{source}]}}]}}')
    with pytest.raises(ValueError, match=r"quickstart.ipynb must have .*flows-0\.2\.0"):
        release.check_notebooks(checkout)
    notebook.write_text(notebook.read_text().replace("0.1.0", "0.2.0"))
    release.check_notebooks(checkout)


@pytest.mark.parametrize(
    ("version", "address", "message"),
    [
        ("2", "https://example.org", "must be such as"),
        ("0.2.0", "example.org", "must begin with https"),
        ("0.2.0", "https://example.org/a b", "must begin with https"),
    ],
)
def test_bad_versions_and_addresses_change_nothing(
    version, address, message, release, checkout
):
    before = [(checkout / name).read_text() for name in FILES]
    with pytest.raises(ValueError, match=message):
        release.fill(checkout, version, address, "2026-12-01")
    assert [(checkout / name).read_text() for name in FILES] == before


def test_citation_has_what_the_format_asks_for(repository):
    fields = {
        line.partition(":")[0]
        for line in (repository / "CITATION.cff").read_text().splitlines()
        if line[:1].strip()
    }
    assert {"cff-version", "message", "title", "authors", "version"} <= fields
