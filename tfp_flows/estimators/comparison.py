"""Flows beside a Gaussian, a mixture and a kernel density, on the same rows."""

from __future__ import annotations

import dataclasses
import time as clock
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfp_flows import datasets, preprocessing
from tfp_flows import flows as library
from tfp_flows.estimators.baselines import BASELINES, fit_baseline
from tfp_flows.estimators.results import Comparison, Score, estimated
from tfp_flows.preprocessing.checks import MIN_ROWS
from tfp_flows.training import fit, report
from tfp_flows.training.data import arrays, named, screening

__all__ = ["FLOWS", "compare"]

# Compared by default: the best of tables, a coupling flow, one without gradients.
FLOWS = (library.DEFAULT, "maf", "nsf", "rbig")
# Rows that are scored at most; and of a quick comparison updates of each flow, rows
# that are fitted, and rows that are scored.
MOST_SCORED = 10_000
QUICK_STEPS, QUICK_ROWS, QUICK_SCORED = 800, 10_000, 4_000
# At a column's atom a density can be as high as one likes.
_ATOM = (
    "column {name!r} takes {value:g} in {share:.0f} % of the rows: a density can be "
    "made as high as one likes there, so leave the column out of a comparison."
)

Entry = str | library.Flow


def compare(
    x: Any,
    condition: Any = None,
    *,
    flows: Sequence[Entry] | Mapping[str, Entry] = FLOWS,
    baselines: Sequence[str] = tuple(BASELINES),
    test_fraction: float = 0.1,
    groups: Any = None,
    time: Any = None,
    quick: bool = False,
    seed: int = 0,
    fit_arguments: Mapping[str, Any] | None = None,
    callbacks: Callable[[str], Sequence[Any]] = lambda _: (),
    on_score: Callable[[Score], None] | None = None,
) -> Comparison:
    """Compare densities of a table by the likelihood of the same rows held out.

    All copies of a row are held out or none. Rounded numbers and labels get uniform
    noise of one rounding step, the same for all models, so that none wins by spikes on
    the grid. What each model chooses, it chooses on validation rows among the others.

    Args:
        x: Events, `[N, D]`: array, data frame, or `datasets.Table`.
        condition: Conditions, `[N, C]`, or `None`; text and categories of a data frame
            are given to all models as zeros and a one for each label.
        flows: Names of flows to fit; or flows that are fitted already, which are scored
            as they are; or either of them by the name to show.
        baselines: Some of `"gaussian"`, `"mixture"` and `"kernel"`, see `fit_baseline`.
        test_fraction: Share of the rows that are held out.
        groups: What rows belong together, `[N]`: whole groups are held out.
        time: When rows were observed, `[N]`: the last rows are held out.
        quick: Whether flows get 800 updates only, mixtures a single start, and all
            models at most 10,000 rows.
        seed: Int that fixes rows, noise, starts and initial weights.
        fit_arguments: Further arguments of `fit`, such as `{"epochs": 50}`.
        callbacks: Function of a flow's name that returns Keras callbacks of its fit.
        on_score: Function that is given each score as soon as it is known.

    Raises:
        ValueError: If the rows have no density, a name is unknown, or a flow does not
            fit to the table.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("banana", 400, seed=0)
        >>> found = tfpf.estimators.compare(x, flows=["rbig"], baselines=["gaussian"])
        >>> [score.name for score in found.scores]
        ['Gaussian', 'rbig']
    """
    entries = _entries(flows, baselines)
    data, notes = _screened(x, condition, seed)
    data.place(groups, time)
    for name, entry in entries.items():
        if isinstance(entry, library.Flow):
            _require_fitting(name, entry, data)
    task = _Task.of(data, test_fraction, seed, quick=quick)
    arguments = dict(fit_arguments or {})
    scores: list[Score] = []

    def note(score: Score) -> None:
        gaussian = next((s for s in scores if s.name == "Gaussian"), None)
        scores.append(score.over(gaussian, task.clusters))
        if on_score is not None:
            on_score(scores[-1])

    for name in baselines:
        note(task.baseline(name))
    for name, entry in entries.items():
        if isinstance(entry, library.Flow):
            note(task.score_fitted(name, entry))
        else:
            note(task.fit(name, entry, arguments, callbacks(name)))
    return Comparison(
        scores=tuple(scores),
        rows=(len(task.train), len(task.raw)),
        held_out=task.held_out,
        clusters=task.clusters,
        notes=(*notes, *task.notes()),
        seed=seed,
        quick=quick,
    )


@dataclasses.dataclass(frozen=True)
class _Task:
    """Rows to fit and rows to score, the same for all models."""

    train: arrays.Data
    test: arrays.Data
    raw: arrays.Data  # the latter as they are in the table
    held_out: np.ndarray
    clusters: np.ndarray | None
    steps: np.ndarray
    left_out: tuple[int, int]
    quick: bool
    seed: int

    @classmethod
    def of(cls, data: arrays.Data, share: float, seed: int, *, quick: bool) -> _Task:
        if not 0.0 < share < 1.0:
            msg = f"`test_fraction` must lie between 0 and 1, got {share!r}."
            raise ValueError(msg)
        copies = datasets.folds.copies(data.x, data.condition)
        given = data.groups
        if given is not None:
            given = datasets.splits.joined_groups(given, data.x, data.condition)
        count = max(2, round(share * len(data)))
        rest, held_out = datasets.split_rows(
            count, seed, data.x, data.condition, groups=given, time=data.time
        )
        if len(rest) < MIN_ROWS or not len(held_out):
            msg = (
                f"`test_fraction` must leave at least {MIN_ROWS} rows to fit and one "
                f"held out, got {len(rest)} and {len(held_out)}. Choose another share, "
                "or give more rows."
            )
            raise ValueError(msg)
        most = QUICK_SCORED if quick else MOST_SCORED
        kept = held_out[report.spread(len(held_out), most)]
        fitted = rest
        if quick and len(rest) > QUICK_ROWS:
            drawn = np.random.default_rng(seed).permutation(len(rest))[:QUICK_ROWS]
            fitted = rest[np.sort(drawn)]
        steps = preprocessing.rounding_steps(data.x)
        raw, data = data, data.with_indicators()
        noise = np.random.default_rng(seed).uniform(-0.5, 0.5, raw.x.shape)
        data.x = raw.x.astype(np.float64) + steps * noise
        # Noise makes copies differ, which are to stay on one side all the same.
        data.groups = given if given is not None else copies
        if data.time is not None:
            data.groups = None
        clusters = given if given is not None else copies
        return cls(
            train=data.select(fitted),
            test=data.select(kept),
            raw=raw.select(kept),
            held_out=kept,
            clusters=None if clusters is None else clusters[kept],
            steps=steps,
            left_out=(len(rest) - len(fitted), len(held_out) - len(kept)),
            quick=quick,
            seed=seed,
        )

    def notes(self) -> Iterator[str]:
        names = self.train.columns or datasets.table.default_columns(len(self.steps))
        spread = [
            f"{name} ({step:g})"
            for name, step in zip(names, self.steps, strict=True)
            if step
        ]
        if spread:
            yield (
                "Uniform noise of one rounding step for all models: "
                f"{', '.join(spread)}."
            )
        for count, what in zip(self.left_out, ("to fit", "held out"), strict=True):
            if count:
                yield f"{count:,} of the rows {what} are left out, to save time."

    def baseline(self, name: str) -> Score:
        start = clock.monotonic()
        try:
            found = fit_baseline(
                name,
                self.train.x,
                self.train.condition,
                groups=_groups(self.train),
                quick=self.quick,
                seed=self.seed,
            )
        except (ValueError, FloatingPointError, MemoryError) as error:
            return Score(name, is_flow=False, failure=_sentence(error))
        values = found.log_prob(self.test.x, self.test.condition)
        seconds = clock.monotonic() - start
        return self._score(found.name, values, seconds, found.parameters, is_flow=False)

    def fit(
        self,
        label: str,
        name: str,
        arguments: dict[str, Any],
        callbacks: Sequence[Any],
    ) -> Score:
        start = clock.monotonic()
        trained = library.flow_class(name).fit_policy.method == "gradients"
        if self.quick and trained and not {"steps", "epochs"} & set(arguments):
            arguments = {"steps": QUICK_STEPS, **arguments}
        names = self.train.columns
        try:
            with warnings.catch_warnings():
                # Screened before; the table itself says who loses.
                warnings.simplefilter("ignore", preprocessing.DataNotice)
                warnings.filterwarnings("ignore", "The flow loses to a full Gaussian")
                flow, _ = fit(
                    name,
                    self.train.x,
                    self.train.condition,
                    columns="continuous" if names is None else list(names),
                    groups=_groups(self.train),
                    time=self.train.time,
                    outliers="keep",
                    seed=self.seed,
                    verbose=0,
                    callbacks=callbacks,
                    **arguments,
                )
            values = _log_prob(flow, self.test)
        except (ValueError, FloatingPointError, MemoryError) as error:
            return Score(label, is_flow=True, failure=_sentence(error))
        seconds = clock.monotonic() - start
        count = report.parameter_count(flow)
        return self._score(label, values, seconds, count, flow=flow)

    def score_fitted(self, label: str, flow: library.Flow) -> Score:
        start = clock.monotonic()
        spec = flow.preprocessing
        # A flow that knows the steps gives the mass of a cell over its width.
        rounds = spec is not None and any(
            c.step is not None or c.categories is not None for c in spec.columns
        )
        rows = self.raw if rounds else self.test
        rows = rows.select(np.arange(len(rows)))
        rows.condition = self.raw.condition_for(flow.condition_columns)
        if flow.columns and rows.columns is not None:
            order = np.array([rows.columns.index(name) for name in flow.columns])
            known = flow.category_labels()
            rows.x = named.recoded(rows.x[:, order], flow.columns, rows.labels, known)
        values = _log_prob(flow, rows)
        seconds = clock.monotonic() - start
        count = report.parameter_count(flow)
        return self._score(label, values, seconds, count, flow=flow, is_fitted=True)

    def _score(
        self,
        name: str,
        values: np.ndarray,
        seconds: float,
        parameters: int | None,
        **more: Any,
    ) -> Score:
        return Score(
            name,
            log_prob=values,
            mean=estimated(values, self.clusters),
            seconds=seconds,
            parameters=parameters,
            **more,
        )


def _entries(
    flows: Sequence[Entry] | Mapping[str, Entry], baselines: Sequence[str]
) -> dict[str, Entry]:
    """Return flows by the names to show.

    Raises:
        ValueError: If a name is unknown, or there is none.
    """
    if isinstance(flows, (str, library.Flow)):
        flows = [flows]
    if not isinstance(flows, Mapping):
        flows = {
            entry if isinstance(entry, str) else type(entry).__name__: entry
            for entry in flows
        }
    known = library.names()
    for entry in flows.values():
        if not isinstance(entry, library.Flow) and entry not in known:
            msg = (
                f"`flows` must be flows or their names, got {entry!r}. Names: "
                f"{', '.join(known)}."
            )
            raise ValueError(msg)
    for name in baselines:
        if name not in BASELINES:
            msg = f"`baselines` must be some of {', '.join(BASELINES)}, got {name!r}."
            raise ValueError(msg)
    if not flows and not baselines:
        msg = "`flows` must name a flow, got none, and no baseline either."
        raise ValueError(msg)
    return dict(flows)


def _screened(x: Any, condition: Any, seed: int) -> tuple[arrays.Data, list[str]]:
    """Return the rows that can be compared, and what was found in them.

    Raises:
        ValueError: If they have no density.
    """
    if datasets.frames.is_frame(condition):
        text = datasets.frames.text_columns(condition)
        condition = datasets.to_table(condition, categories=text)
    data = arrays.Data(x, condition, seed=seed)
    if data.x.ndim == 1:
        data.x = data.x[:, np.newaxis]
    if data.x.ndim != 2:
        msg = (
            "`x` must have shape [N, D], got "
            f"{data.x.shape}. Comparisons are of tables."
        )
        raise ValueError(msg)
    kinds = preprocessing.detect(data.x)
    found = screening.screen(
        data, "drop", kinds=lambda part: preprocessing.detect(part.x)
    )
    errors = [str(f) for f in found.findings if f.severity == "error"]
    if errors:
        raise ValueError(" ".join(errors))
    notes = [str(f) for f in found.findings]
    names = data.columns or datasets.table.default_columns(len(kinds))
    for name, kind, values in zip(names, kinds, data.x.T, strict=True):
        if kind.atoms and kind.step is None:
            share = 100 * float(np.mean(values == kind.atoms[0]))
            notes.append(_ATOM.format(name=name, value=kind.atoms[0], share=share))
    return found.data, notes


def _require_fitting(name: str, flow: library.Flow, data: arrays.Data) -> None:
    """Raise if a fitted flow is none of such rows."""
    size = 0 if data.condition is None else data.condition.shape[1]
    has = (flow.event_shape, flow.condition_shape or (0,))
    if has != (data.x.shape[1:], (size,)):
        msg = (
            f"`flows` must fit the table, got {name!r} of events {has[0]} given "
            f"{has[1]} for rows {data.x.shape[1:]} given {(size,)}. Give the columns "
            "that it was fitted to."
        )
        raise ValueError(msg)
    for known, given in (
        (flow.columns, data.columns),
        (flow.condition_columns, data.condition_columns),
    ):
        if known and given and set(known) != set(given):
            msg = (
                f"`flows` must fit the table, got {name!r} of the columns "
                f"{', '.join(known)} for a table of {', '.join(given)}. Give these "
                "columns."
            )
            raise ValueError(msg)


def _groups(data: arrays.Data) -> np.ndarray | None:
    """Return the groups of rows, `None` if there is one alone."""
    if data.groups is None or len(np.unique(data.groups)) < 2:
        return None
    return data.groups


def _log_prob(flow: library.Flow, rows: arrays.Data) -> np.ndarray:
    parts = []
    for start in range(0, len(rows), report.BLOCK):
        some = rows.select(np.arange(start, min(start + report.BLOCK, len(rows))))
        parts.append(np.asarray(flow.log_prob(some.x, some.condition), np.float64))
    return np.concatenate(parts)


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 300 else f"{text[:297]}..."
