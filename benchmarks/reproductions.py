"""Published systems and results, beside what this library reaches.

Each entry is a paper, a tutorial or a repository: the command runs it by name, all
without a name, and prints the published or exact figure, ours, the bar, and whether it
is reached. `--list` names them. `--quick` runs everything with a few steps and few
rows: the numbers have no meaning then and are held against nothing.

`--write` puts the lines of what was run into the table of `docs/reproductions.md`, with
date, commit and seconds. Data that are not in the package or in scikit-learn are read
from `../shared/data`; without them an entry is skipped, and says so.

Run `python benchmarks/reproductions.py NAME ...`.
"""

from __future__ import annotations

import datetime
import re
import subprocess
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import _report
from published import ENTRIES
from published.entries import Absent, Entry, Figure

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reproductions.md"
HEAD = (
    "| name | source | figure | published or exact | ours | bar | reached | run |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
START, END = "<!-- table -->\n", "<!-- end -->\n"
SMOKE = ("normal-cdf", "two-block-realnvp", "sine-wave")


def git(*arguments: str) -> str:
    """Return what a command of git prints about the checkout."""
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def commit() -> str:
    """Return the commit of the checkout, with a plus where its code differs from it."""
    changed = git("status", "--porcelain", "--", "benchmarks", "tfp_flows")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def number(value: float) -> str:
    """Return a number with four significant digits, whole ones in full."""
    text = f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
    return text.replace("e-0", "e-").replace("e+0", "e+")


def bar(figure: Figure) -> str:
    """Return the bar of a figure in words."""
    if figure.bar is None:
        return "-"
    return f"{'at least' if figure.at_least else 'at most'} {number(figure.bar)}"


def run(item: Entry, *, quick: bool) -> tuple[list[Figure], str]:
    """Run an entry; print and return its figures, and when and how it was run."""
    start, found = time.perf_counter(), []
    print(f"{item.name} ({item.source})", flush=True)
    try:
        for figure in item.run(quick):
            found.append(figure)
            cells = f"  {figure.what:56}{figure.reference or '-':>18}"
            cells += f"{number(figure.ours):>12}"
            if not quick:
                cells += f"{bar(figure):>18}{figure.reached:>5}"
            print(cells, flush=True)
    except Absent as missing:
        print(f"  skipped: {missing}", flush=True)
    except Exception:
        # The others are run all the same.
        traceback.print_exc()
        print("  failed", flush=True)
        found = []
    seconds = time.perf_counter() - start
    print(f"  {seconds:.0f} s", flush=True)
    today = datetime.date.today().isoformat()
    return found, f"{today}, {commit()}, {seconds:.0f} s"


def lines(item: Entry, figures: Sequence[Figure], when: str) -> list[str]:
    """Return the lines of an entry in the table; only the first one is named."""
    out = []
    for i, figure in enumerate(figures):
        first = (f"`{item.name}`", item.source, when) if i == 0 else ("", "", "")
        cells = (
            *first[:2],
            figure.what,
            figure.reference or "-",
            number(figure.ours),
            bar(figure),
            figure.reached,
            first[2],
        )
        out.append("| " + " | ".join(cells) + " |\n")
    return out


def table(text: str) -> dict[str, list[str]]:
    """Return the lines of the table of a page by the name of their entry."""
    out: dict[str, list[str]] = {}
    name = ""
    for line in text.split(START)[1].split(END)[0].splitlines(keepends=True)[2:]:
        named = re.match(r"\| `([^`]+)` \|", line)
        name = named[1] if named else name
        out.setdefault(name, []).append(line)
    return out


def written(text: str, name: str, found: Sequence[str]) -> str:
    """Return a page in which the lines of one entry are replaced."""
    old = table(text) | {name: list(found)}
    body = "".join("".join(old[key]) for key in ENTRIES if key in old)
    before, rest = text.split(START)
    return before + START + HEAD + body + END + rest.split(END)[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run entries, and print or write the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--list", action="store_true", help="names and sources")
    parser.add_argument("--quick", action="store_true", help="no meaning, no bars")
    parser.add_argument("--write", action="store_true", help="fill the docs' table")
    args = parser.parse_args(arguments)
    args.quick |= args.smoke
    if args.smoke:
        args.names = args.names or list(SMOKE)
    if unknown := sorted(set(args.names) - set(ENTRIES)):
        parser.error(f"unknown: {', '.join(unknown)}; see --list")
    if args.write and args.quick:
        parser.error("--write takes figures that mean something: leave out --quick")
    chosen = [ENTRIES[name] for name in args.names or ENTRIES]
    if args.list:
        for item in chosen:
            print(f"{item.name:28}{item.source}")
        return
    _report.header("published figures and ours", "scikit-learn")
    for item in chosen:
        found, when = run(item, quick=args.quick)
        if args.write and found:
            page = written(PAGE.read_text(), item.name, lines(item, found, when))
            PAGE.write_text(page)


if __name__ == "__main__":
    main()
