"""The page of a diagnosis: one HTML file, with pictures, styles and nothing to load."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows import _optional, diagnostics, plots
from tfp_flows._counts import counted
from tfp_flows.diagnosis.measure import Measure
from tfp_flows.plots import canvas

if TYPE_CHECKING:
    from tfp_flows.diagnosis.diagnosis import Diagnosis

__all__ = ["html_of"]

# Columns of the corner plot, panels of calibration, and these in a row.
_MOST, _PANELS, _ACROSS = 5, 12, 4
_DPI = 110
_WORDS = {"finding": "to do", "fine": "fine", "unknown": "not measured"}

_STYLE = """
:root { --ink: #1d2733; --soft: #5b6b7c; --line: #e3e8ee; --bad: #b3471b;
  --good: #2c7a54; --back: #f6f8fa; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
.flow { color: var(--soft); margin: 0; white-space: pre-line;
  overflow-wrap: anywhere; }
summary { cursor: pointer; }
p.summary { font-size: 1.1rem; margin: 1rem 0 0; }
section.card { background: #fff; border: 1px solid var(--line);
  border-radius: 10px; border-left: 5px solid var(--bad);
  padding: .9rem 1.2rem; margin: .8rem 0; }
section.card h3 { margin: 0; font-size: 1.02rem; }
section.card .value { color: var(--soft); font-size: .92rem; }
section.card p { margin: .35rem 0 0; overflow-wrap: anywhere; }
section.card p.todo::before { content: "\\2192\\00a0"; color: var(--bad); }
table { width: 100%; border-collapse: collapse; background: #fff; font-size: .93rem;
  border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
th, td { text-align: left; padding: .5rem .8rem; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th, td:first-child { overflow-wrap: normal; }
th { color: var(--soft); font-weight: 600; }
tr:last-child td { border-bottom: 0; }
.tag { display: inline-block; border-radius: 999px; padding: 0 .6rem; font-size: .8rem;
  white-space: nowrap; color: #fff; background: var(--soft); }
.tag.finding { background: var(--bad); } .tag.fine { background: var(--good); }
figure { margin: 1rem 0; background: #fff; border: 1px solid var(--line);
  border-radius: 10px; padding: 1rem; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption { color: var(--soft); font-size: .92rem; margin-top: .6rem; }
@media print {
  body { background: #fff; }
  section.card, figure { break-inside: avoid; } }
"""


def html_of(diagnosis: Diagnosis) -> str:
    """Return the page; every name and value is escaped.

    Args:
        diagnosis: What was found.
    """
    escape = html.escape
    train = diagnosis.train_rows
    counts = counted(diagnosis.rows, "row") + (
        "" if train is None else f", {train:,} of the fit"
    )
    cards = "".join(_card(finding) for finding in diagnosis.findings)
    rows = "".join(_row(measure) for measure in diagnosis.measures)
    figures = "".join(
        f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for title, caption, data in _pictures(diagnosis)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Diagnosis of a flow</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>Diagnosis</h1>{_flow(diagnosis.flow)}"
        f'<p class="flow">{escape(counts)}</p>'
        f'<p class="summary">{escape(diagnosis.summary)}</p>'
        f"{cards}<h2>All that was measured</h2><table><thead><tr><th>Measure</th>"
        f"<th></th><th>Figure</th><th>Judgement</th></tr></thead><tbody>{rows}</tbody>"
        f"</table><h2>Pictures</h2>{figures}</main></body></html>\n"
    )


def _flow(described: str) -> str:
    """Return the first line of a flow; its maps unfold below it."""
    first, _, rest = html.escape(described).partition("\n")
    if not rest:
        return f'<p class="flow">{first}</p>'
    return f'<details class="flow"><summary>{first}</summary>{rest}</details>'


def _card(finding: Measure) -> str:
    about = ""
    if finding.columns:
        about += f"Columns: {', '.join(finding.columns[:20])}. "
    if finding.rows:
        listed = ", ".join(str(row + 1) for row in finding.rows[:10])
        more = len(finding.rows) - 10
        about += f"Rows: {listed}{f' and {more} more' if more > 0 else ''}."
    where = f'<p class="value">{html.escape(about)}</p>' if about else ""
    return (
        f'<section class="card"><h3>{html.escape(finding.name)}</h3>'
        f'<div class="value">{html.escape(finding.value)}</div>'
        f"<p>{html.escape(finding.judgement)}</p>"
        f'<p class="todo">{html.escape(finding.advice)}</p>{where}</section>'
    )


def _row(measure: Measure) -> str:
    return (
        f"<tr><td>{html.escape(measure.name)}</td>"
        f'<td><span class="tag {measure.level}">{_WORDS[measure.level]}</span></td>'
        f"<td>{html.escape(measure.value)}</td>"
        f"<td>{html.escape(measure.judgement)}</td></tr>"
    )


def _pictures(diagnosis: Diagnosis) -> list[tuple[str, str, str]]:
    """Return title, caption and data of each picture."""
    shown = diagnosis.pictures
    chosen = _chosen(diagnosis)
    names = [_literal(name) for name in diagnosis.columns]
    out = []
    if np.isfinite(shown.samples).all():
        axes = plots.corner(
            shown.rows[:, chosen],
            shown.samples[:, chosen],
            names=_distinct([names[i] for i in chosen]),
            labels=("rows", "samples"),
        )
        caption = "Rows and samples of the flow: contours should follow the points."
        out.append(("Rows and samples", caption, _encoded(axes[0, 0].figure)))
    panels = chosen[:_PANELS] if len(names) > _PANELS else range(len(names))
    figure = _ranks(shown.pit[:, list(panels)], [names[i] for i in panels])
    caption = (
        "Calibration: the share of samples below each value. Even where the flow is "
        "right, within the grey band; a hill means that the flow is too wide, a valley "
        "too narrow, a slope that it is shifted."
    )
    out.append(("Calibration", caption, _encoded(figure)))
    figure = _log_densities(shown.log_prob, shown.sample_log_prob)
    if figure is not None:
        caption = (
            "Log-densities of rows and of samples: rows to the left of all samples "
            "carry the deficit."
        )
        out.append(("Log-densities", caption, _encoded(figure)))
    return out


def _chosen(diagnosis: Diagnosis) -> list[int]:
    """Return the columns of the corner plot, those of findings first."""
    named = [c for finding in diagnosis.findings for c in finding.columns]
    known = [c for c in named if c in diagnosis.columns]
    order = dict.fromkeys([*known, *diagnosis.columns])
    return sorted(diagnosis.columns.index(c) for c in list(order)[:_MOST])


def _ranks(pit: np.ndarray, names: list[str]) -> Any:
    across = min(len(names), _ACROSS)
    down = -(-len(names) // across)
    figure = canvas.new_figure(2.6 * across, 2.2 * down)
    found = diagnostics.Ranks(pit, tuple(names), "flow")
    for i in range(len(names)):
        ax = figure.add_subplot(down, across, i + 1)
        plots.ranks(found, i, ax=ax)
        ax.set(ylabel="")
        legend = ax.get_legend()
        if i and legend is not None:
            legend.remove()
    return figure


def _log_densities(rows: np.ndarray, samples: np.ndarray) -> Any:
    rows, samples = rows[np.isfinite(rows)], samples[np.isfinite(samples)]
    if len(rows) < 2 or len(samples) < 2:
        return None
    figure = canvas.new_figure(6.5, 2.8)
    ax = figure.add_subplot()
    low, high = canvas.limits(np.concatenate([rows, samples]), tail=0.001)
    edges = np.linspace(low, high, 61)
    for values, color, is_filled, label in (
        (rows, canvas.DATA, True, "rows"),
        (samples, canvas.SAMPLES, False, "samples"),
    ):
        counts, _ = np.histogram(np.clip(values, low, high), edges)
        shares = counts / len(values)
        alpha = 0.45 if is_filled else 1.0
        ax.stairs(shares, edges, fill=is_filled, color=color, alpha=alpha, label=label)
    ax.set(xlabel="log-density [nats]", yticks=[])
    ax.legend(frameon=False, fontsize=9)
    canvas.tidy(ax)
    ax.spines["left"].set_visible(False)
    return figure


def _encoded(figure: Any) -> str:
    agg = _optional.require("matplotlib.backends.backend_agg", extra="plot")
    agg.FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _literal(name: str) -> str:
    """Return a name that matplotlib does not take for a formula."""
    return name.replace("$", r"\$")


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out
