"""A transformer that makes the rows of a table standard normal, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from tfp_flows.estimators import base, checks
from tfp_flows.estimators.density import FlowDensity

__all__ = ["Gaussianizer"]


class Gaussianizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, FlowDensity):
    """Map rows to independent standard normal features, and back.

    What `PowerTransformer` and `QuantileTransformer` do for each column, done for all
    together: features that come out are normal and independent, as far as the rows
    tell. The default is rotation-based iterative Gaussianization, fitted layer by layer
    in seconds; any other flow does, too. Features are rotated, so they have no names of
    the columns: `gaussianizer0`, `gaussianizer1`, and so on.

    It is a density of the rows as well: `score_samples`, `score`, `sample`. For missing
    values see `FlowDensity`.

    Args:
        flow: Name of a flow, a class or function that makes one, or a flow; see
            `FlowDensity`.
        options: Options of the flow, such as `{"rotation": "pca"}`; the base is normal.
        epochs: Most layers of `rbig`, most passes over the data of other flows.
        batch_size: Rows per update; not of `rbig`.
        learning_rate: Highest learning rate; not of `rbig`.
        validation: Share of rows held out to know when to stop, or `None`.
        patience: Layers, or epochs, without improvement before the fit stops.
        fit_arguments: Further arguments of `tfp_flows.fit`.

    Attributes:
        flow_: The fitted `tfp_flows.flows.Flow`.
        history_: Losses after each layer or epoch, nats per row, by name.
        report_: What the fit has come to, beside a full Gaussian; printable.
        n_features_in_: Number of columns of `X`.
        feature_names_in_: Their names, if `X` was a data frame.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("banana", 500, seed=0)
        >>> gaussianizer = tfpf.estimators.Gaussianizer(epochs=5, random_state=0)
        >>> z = gaussianizer.fit_transform(x)
        >>> bool(np.allclose(gaussianizer.inverse_transform(z), x))
        True

    References:
        Laparra, Camps-Valls, Malo (2011). Iterative Gaussianization: from ICA to
        Random Rotations. https://arxiv.org/abs/1602.00229
    """

    _base = "normal"

    def __init__(
        self,
        flow: Any = "rbig",
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
        super().__init__(
            flow,
            options=options,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            validation=validation,
            patience=patience,
            missing=missing,
            fit_arguments=fit_arguments,
            random_state=random_state,
            verbose=verbose,
        )

    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Any:
        """Fit the flow to rows.

        Args:
            X: Rows, `[n, d]`: array or data frame.
            y: Not used.
            groups: Group of each row, `[n]`: whole groups are held out.

        Returns:
            The estimator.

        Raises:
            ValueError: As in `FlowDensity`.
        """
        return super().fit(X, groups=groups)

    def transform(self, X: Any) -> np.ndarray:
        """Return the normal features of rows, `[n, d]`."""
        check_is_fitted(self, "flow_")
        x = checks.validated(self, X, reset=False, dtype=checks.FLOATS)
        return base.in_blocks(self._through(self.flow_.bijector().inverse), x)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Return the rows that belong to normal features, `[n, d]`.

        Raises:
            ValueError: If `X` has another number of columns than there are features.
        """
        check_is_fitted(self, "flow_")
        z = check_array(X, dtype=checks.FLOATS)
        if z.shape[1] != self.n_features_in_:
            msg = (
                f"X has {z.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
            raise ValueError(msg)
        return base.in_blocks(self._through(self.flow_.bijector().forward), z)

    def _through(self, function: Any) -> Any:
        dtype = self.flow_.variable_dtype
        return lambda rows: function(rows.astype(dtype))

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_
