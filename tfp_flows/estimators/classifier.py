"""A classifier that knows what it has not seen."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from tfp_flows import _checks, flows
from tfp_flows.estimators import answers, base, checks, hybrid

__all__ = ["FlowClassifier"]

# About so many updates are enough for tables of some thousand rows.
UPDATES = 3_000
# Fewer labelled rows than these are too dear to hold some of them out.
ENOUGH_TO_HOLD_OUT = 300


class FlowClassifier(answers.Answers, ClassifierMixin, base.FlowEstimator):
    """Classify rows, and say how likely a row is at all, by one pass of a flow.

    The flow maps rows to a base variable `z`. `head="linear"` tells classes by a
    softmax of `z`, which is trained as a classifier whose features are a density as
    well. `head="mixture"` gives each class a normal component of the base density: then
    rows without a label, -1 in `y`, say which way the classes go on between the rows
    that have one.

    `predict_joint` gives `log p(x)` and `log p(y|x)` together. `predict(X,
    coverage=0.8)` answers the rows that it is surest of only.

    Columns are taken for numbers. While the flow is trained they get normal noise, so
    that integers and rounded numbers have a density.

    Args:
        flow: Name of a flow such as `"realnvp"`, `"nsf"` or `"residual"`; or a class or
            function that makes one, or a flow, with the linear head.
        head: `"linear"` or `"mixture"`.
        density_weight: Weight of `log p(x)` beside `log p(y|x)` in the loss; 0 trains a
            classifier alone. By default 1 over the number of columns for the linear
            head, and 1 for the mixture.
        noise: Standard deviation of the noise, in those of the columns.
        epochs: Most passes over the rows; by default enough for 3,000 updates.
        validation: Share of rows held out for early stopping, of each class the same;
            by default a tenth where at least 300 rows have labels; `None` for none.

    Attributes:
        flow_: The fitted `tfp_flows.flows.Flow` of `p(x)`.
        classes_: The classes, sorted, `[K]`.
        coef_: Weights of the softmax of `z`, `[K, d]`; `None` for the mixture.
        intercept_: Its bias, `[K]`; `None` for the mixture.
        history_: Losses of each epoch, by name.
        n_features_in_: Number of columns of `X`.
        feature_names_in_: Their names, if `X` was a data frame.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(2, size=200)
        >>> X = rng.normal(size=(200, 2)) + 4.0 * y[:, None]
        >>> model = tfpf.estimators.FlowClassifier("linear", epochs=20, random_state=0)
        >>> model.fit(X, y).predict([[0.0, 0.0], [4.0, 4.0]])
        array([0, 1])

    References:
        Nalisnick et al. (2019). Hybrid Models with Deep and Invertible Features.
        https://arxiv.org/abs/1902.02767
        Izmailov et al. (2020). Semi-Supervised Learning with Normalizing Flows.
        https://arxiv.org/abs/1912.13025
    """

    def __init__(
        self,
        flow: Any = "realnvp",
        *,
        head: Literal["linear", "mixture"] = "linear",
        density_weight: float | None = None,
        noise: float = 0.1,
        options: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation: float | Literal["auto"] | None = "auto",
        patience: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | str = 0,
    ) -> None:
        super().__init__(
            flow,
            options=options,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            validation=validation,
            patience=patience,
            random_state=random_state,
            verbose=verbose,
        )
        self.head = head
        self.density_weight = density_weight
        self.noise = noise

    def fit(self, X: Any, y: Any) -> Any:
        """Fit flow and classes together.

        Args:
            X: Rows, `[n, d]`: array or data frame.
            y: Their classes, `[n]`; -1 for rows whose class is not known.

        Returns:
            The estimator.

        Raises:
            ValueError: If no row has a label, a class has one row only, a column is
                constant, or values are missing.
        """
        x, y = checks.validated(self, X, y, **self._reading())
        self._check()
        checks.require_varying(x, self._names, self._argument)
        targets = self._targets(column_or_1d(y, warn=True))
        seed = base.seed_of(self.random_state)
        flow = self._flow(x, targets, seed)
        x = x.astype(flow.variable_dtype)
        flow.adapt(x)
        model = hybrid.Hybrid(
            flow,
            len(self.classes_),
            self._density_weight(x.shape[1]),
            is_linear=self.head == "linear",
        )
        data, held_out = self._split(x, targets, seed)
        batch_size = self.batch_size or int(np.clip(len(data[0]) // 16, 16, 128))
        per_epoch = -(-len(data[0]) // batch_size)
        updates = UPDATES if self.epochs is None else self.epochs * per_epoch
        history = hybrid.train(
            model,
            data,
            held_out,
            updates=updates,
            batch_size=batch_size,
            learning_rate=self.learning_rate or 3e-3,
            patience=self.patience,
            noise=self.noise,
            seed=seed,
            verbose=self.verbose,
        )
        self.flow_ = flow
        self.history_ = dict(history.history)
        self.coef_ = self.intercept_ = None
        if self.head == "linear":
            self.coef_ = np.asarray(model.kernel).T
            self.intercept_ = np.asarray(model.bias)
        return self

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw rows of any class, `[n_samples, d]`."""
        _checks.count(n_samples, 0, "n_samples")
        seed = self._seed(random_state)
        return np.asarray(self.flow_.sample(n_samples, seed=seed), np.float64)

    def _check(self) -> None:
        """Raise if an argument is out of range."""
        if self.head not in ("linear", "mixture"):
            msg = f"`head` must be 'linear' or 'mixture', got {self.head!r}."
            raise ValueError(msg)
        for name in ("noise", "density_weight"):
            value = getattr(self, name)
            if value is not None and not (
                isinstance(value, numbers.Real) and 0 <= float(value) < np.inf
            ):
                msg = f"`{name}` must be a number from 0 on, got {value!r}."
                raise ValueError(msg)

    def _density_weight(self, size: int) -> float:
        if self.density_weight is not None:
            return float(self.density_weight)
        return 1.0 if self.head == "mixture" else 1.0 / size

    def _targets(self, y: np.ndarray) -> np.ndarray:
        """Return 1 for the class of each row, zeros for none, `[n, K]`."""
        unknown = np.array(
            [isinstance(v, numbers.Real) and v == answers.UNKNOWN for v in y.tolist()]
        )
        if unknown.all():
            msg = (
                "y must have labels, got -1 for all rows, which stands for rows "
                "without one. Label some rows of each class, or fit a FlowDensity."
            )
            raise ValueError(msg)
        known = y[~unknown]
        check_classification_targets(known)
        self.classes_, index, counts = np.unique(
            known, return_inverse=True, return_counts=True
        )
        if len(self.classes_) < 2:
            label = self.classes_.tolist()[0]
            msg = (
                f"y must have two classes at least, got 1 class: {label!r}. "
                "Add rows of another one, or fit a FlowAnomalyDetector."
            )
            raise ValueError(msg)
        if counts.min() < 2:
            single = self.classes_.tolist()[counts.argmin()]
            msg = (
                f"y must have two rows of each class at least, got one of {single!r}. "
                "Add rows, or give it the label -1."
            )
            raise ValueError(msg)
        targets = np.zeros((len(y), len(self.classes_)), np.float32)
        targets[np.flatnonzero(~unknown), index] = 1.0
        return targets

    def _flow(self, x: np.ndarray, targets: np.ndarray, seed: int) -> flows.Flow:
        """Return the flow, not yet fitted."""
        names = {"columns": self._names}
        flow, options = self._unfitted(x, None, names, seed)
        if isinstance(flow, str):
            options = {**hybrid.defaults(flow, x.shape[1]), **names, **options}
        elif self.head == "mixture":
            msg = (
                "`flow` must be a name with head='mixture', which sets the base "
                f"density, got {type(flow).__name__}. "
                f"Names: {', '.join(flows.names())}."
            )
            raise TypeError(msg)
        else:
            return flow
        if self.head == "mixture":
            rows = np.flatnonzero(targets.any(axis=1))
            scaled = (x - x.mean(axis=0)) / x.std(axis=0)
            options["base"] = hybrid.base_of_classes(
                scaled[rows], targets[rows].argmax(axis=1), options["dtype"]
            )
        options.pop("condition_columns", None)
        return flows.build(flow, x.shape[1:], seed=seed, **options)

    def _split(
        self, x: np.ndarray, targets: np.ndarray, seed: int
    ) -> tuple[Any, Any | None]:
        """Return rows to train by, and rows held out with labels, if there are."""
        labelled = targets.any(axis=1)
        share = self.validation
        if share == "auto":
            share = 0.1 if labelled.sum() >= ENOUGH_TO_HOLD_OUT else None
        if share is None:
            return (x, targets), None
        rows = np.flatnonzero(labelled)
        _, out = train_test_split(
            rows,
            test_size=share,
            random_state=seed % 2**32,
            stratify=targets[rows].argmax(axis=1),
        )
        kept = np.setdiff1d(np.arange(len(x)), out)
        return (x[kept], targets[kept]), (x[out], targets[out])
