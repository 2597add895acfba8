"""What the estimators share: their arguments, one fit, and a fitted flow."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from tfp_flows import _documented, datasets, flows, training
from tfp_flows.estimators import checks
from tfp_flows.preprocessing.checks import MIN_ROWS

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BLOCK", "FlowEstimator", "in_blocks", "seed_of"]

# Rows of one call of a flow: bounds the memory that its networks take.
BLOCK = 16_384
# Arguments that are dictionaries, of which searches may set one entry.
_ENTRIES = ("options", "fit_arguments")
FlowLike = str | Callable[..., flows.Flow] | flows.Flow


# What is said of an argument where an estimator says nothing else.
ARGUMENTS = {
    "options": 'Options of the flow, such as `{"num_layers": 3}`.',
    "batch_size": "Rows per update.",
    "learning_rate": "Highest learning rate.",
    "validation": "Share of rows held out for early stopping, or `None`.",
    "patience": "Epochs without improvement before training stops.",
    "missing": '`"error"`, or `"impute"`: missing cells of the rows to fit are filled '
    "from similar rows. Rows to score must be whole.",
    "fit_arguments": 'Further arguments of `tfp_flows.fit`, such as `{"noise": 0.05}`.',
    "random_state": "Int, `RandomState`, or `None` for NumPy's global one.",
    "verbose": "As in `keras.Model.fit`; 0 is silent.",
}


class FlowEstimator(_documented.Documented, BaseEstimator):
    """Base class of the estimators: what they are told, and a fit.

    `FlowDensity` says what the arguments and the attributes are.
    """

    _arguments = ARGUMENTS

    _base: str | None = None  # base density unless another is asked for
    _argument = "X"  # whose density is fitted

    def __init__(
        self,
        flow: FlowLike = flows.DEFAULT,
        *,
        options: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation: float | Literal["auto"] | None = "auto",
        patience: int | None = None,
        missing: Literal["error", "impute"] = "error",
        fit_arguments: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | str = 0,
    ) -> None:
        self.flow = flow
        self.options = options
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation = validation
        self.patience = patience
        self.missing = missing
        self.fit_arguments = fit_arguments
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params: Any) -> Self:
        """Set arguments; `options__num_layers=2` sets one option of the flow.

        Args:
            **params: Arguments by name. Behind `options__` and `fit_arguments__` stand
                single entries of these, beside those that are there.
        """
        owners = tuple(f"{name}__" for name in _ENTRIES if hasattr(self, name))
        single = [name for name in params if name.startswith(owners)]
        entries = {name: params.pop(name) for name in single}
        super().set_params(**params)
        for name, value in entries.items():
            owner, _, entry = name.partition("__")
            setattr(self, owner, {**(getattr(self, owner) or {}), entry: value})
        return self

    def __sklearn_tags__(self) -> Any:
        """Say whether rows to fit may have missing cells."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "impute"
        return tags

    def _reading(self) -> dict[str, Any]:
        """Return how scikit-learn is to read rows to fit."""
        finite: Any = "allow-nan" if self.missing == "impute" else True
        return {
            "dtype": checks.FLOATS,
            "ensure_all_finite": finite,
            "ensure_min_samples": MIN_ROWS,
        }

    def _fit_flow(
        self,
        x: np.ndarray,
        condition: np.ndarray | None = None,
        *,
        columns: dict[str, Any],
        sample_weight: Any = None,
        groups: Any = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Fit the flow to checked rows.

        Args:
            x: Events.
            condition: Conditions.
            columns: `columns` and `condition_columns` of the flow, as far as known.
            sample_weight: Weights of the rows.
            groups: Group of each row; all rows of one are held out, or none.
            more: Arguments of `fit` unless `fit_arguments` has others.
        """
        seed = seed_of(self.random_state)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        check_consistent_length(x, weights, groups)
        checks.require_varying(x, columns["columns"], self._argument)
        flow, options = self._unfitted(x, condition, columns, seed)
        # Names come with the rows: as an option they would say that all are numbers.
        is_named = isinstance(flow, str) and columns["columns"] is not None
        self.flow_, history = training.fit(
            flow,
            datasets.Table(x, tuple(columns["columns"])) if is_named else x,
            condition,
            weights=weights,
            validation=self.validation,
            groups=groups,
            missing=self.missing,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            seed=seed,
            verbose=self.verbose,
            **{**(more or {}), **(self.fit_arguments or {})},
            **options,
        )
        self.history_ = dict(history.history)
        self.report_ = history.report

    def _unfitted(
        self,
        x: np.ndarray,
        condition: np.ndarray | None,
        columns: dict[str, Any],
        seed: int,
    ) -> tuple[str | flows.Flow, dict[str, Any]]:
        """Return the flow to fit, or its name, and the options that go with a name."""
        options = dict(self.options or {})
        if isinstance(self.flow, flows.Flow):
            flow: flows.Flow = copy.deepcopy(self.flow)
            for name, value in columns.items():
                if getattr(flow, name) is None:
                    setattr(flow, name, value)
            return flow, options
        options = {"dtype": "float64", **options}
        if self._base is not None:
            options.setdefault("base", self._base)
        if isinstance(self.flow, str):
            return self.flow, {
                "condition_columns": columns.get("condition_columns"),
                **options,
            }
        if not callable(self.flow):
            msg = (
                "`flow` must be a name, a flow, or what makes one, got "
                f"{type(self.flow).__name__}. Names: {', '.join(flows.names())}."
            )
            raise TypeError(msg)
        shape = None if condition is None else condition.shape[1:]
        options = {**columns, **options}
        return self.flow(x.shape[1:], shape, seed=seed, **options), {}

    def _seed(self, random_state: Any) -> int:
        """Return the seed of draws: of the argument, or else of the estimator."""
        check_is_fitted(self, "flow_")
        return seed_of(self.random_state if random_state is None else random_state)

    @property
    def _names(self) -> list[str] | None:
        """Names of the columns of `X`, if they were given."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else [str(name) for name in names]


def seed_of(random_state: Any) -> int:
    """Return the seed that scikit-learn's `random_state` stands for.

    Args:
        random_state: An int, which is the seed; a `RandomState`, which is drawn from;
            or `None` for NumPy's global one.
    """
    if isinstance(random_state, numbers.Integral):
        check_random_state(random_state)
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def in_blocks(
    function: Callable[..., Any], *arrays: Any, size: int = BLOCK
) -> np.ndarray:
    """Return what a function makes of rows, in float64, so many rows at a time."""
    parts = []
    for start in range(0, len(arrays[0]), size):
        rows = [None if a is None else a[start : start + size] for a in arrays]
        parts.append(np.asarray(function(*rows), np.float64))
    return np.concatenate(parts)
