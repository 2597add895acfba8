"""Sphinx settings. Warnings are errors, and the build needs no network."""

from __future__ import annotations

import os
import re

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import tfp_flows

project = "tfp_flows"
author = "The tfp_flows authors"
version = release = tfp_flows.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"tfp_flows {release}"
html_show_copyright = False
html_extra_path = ["llms.txt"]

# Pages.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Code cells run at each build, as a reader would run them, and an error ends the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 180
nb_merge_streams = True
nb_output_stderr = "remove"

# Reference. A bare `name` is code, and a method that does not say anything of its own
# does not repeat what TensorFlow Probability says.
default_role = "code"
autodoc_inherit_docstrings = False
autodoc_member_order = "groupwise"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_include_init_with_doc = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Shapes"]

_CODE = re.compile(r"(``.+?``|`[^`]+`)(?=(\w?))")
_MARKUP = re.compile(r"(?<!\\)([*|]|(?<=\w)_(?!\w))")
_STARRED_ARGUMENT = re.compile(r"\s*\*{1,2}\w+:")


def _plain_line(line: str) -> str:
    pieces = _CODE.split(line)
    out = []
    for text, code, follower in zip(
        pieces[::3], [*pieces[1::3], ""], [*pieces[2::3], ""], strict=True
    ):
        out.append(_MARKUP.sub(r"\\\1", text))
        if code:  # in "`int`s" the span ends only with a separator behind it
            out.append(f"``{code.strip('`')}``" + ("\\ " if follower else ""))
    return "".join(out)


def plain(
    app: object, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Take stars, bars and trailing underscores of a docstring as they stand.

    Docstrings are written for tooltips and terminals: `x * y` or `|x|` in them is a
    formula, never emphasis or a substitution.
    """
    in_example = False
    for i, line in enumerate(lines):
        in_example = line.lstrip().startswith(">>>") or (in_example and line.strip())
        if not in_example and not _STARRED_ARGUMENT.match(line):
            lines[i] = _plain_line(line)


def setup(app: object) -> None:
    """Run `plain` before the Google sections become fields."""
    app.connect("autodoc-process-docstring", plain, priority=400)
