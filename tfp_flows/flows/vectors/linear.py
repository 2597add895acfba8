"""Linear flow: a Gaussian with full covariance, as a flow."""

from __future__ import annotations

from tfp_flows import _serialize
from tfp_flows.bijectors import transformers
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.linear import triangular
from tfp_flows.flows._model import policy
from tfp_flows.flows._model.options import option
from tfp_flows.flows.vectors import base, layers

__all__ = ["LinearFlow"]

# A number fitted by maximum likelihood costs 1 / (2 N) nats per row. From so many rows
# for each number on, holding a tenth of them back costs more than it can save.
ROWS_PER_NUMBER = 100


@_serialize.register()
class LinearFlow(base.VectorFlow):
    """Affine map with a triangular matrix: with a normal base, a full Gaussian.

    With a condition, mean and diagonal scale depend on it through a network.
    Sampling and density are equally fast: one product.
    """

    # What XLA compiles stays in memory when the flow is gone.
    fit_policy = policy.FitPolicy(xla="conditional", rows_per_number=ROWS_PER_NUMBER)
    is_affine = True
    num_layers: int = option(
        default=1, doc="Number of affine maps; more than one adds no flexibility."
    )

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        found: list[bijector_base.Bijector] = [
            triangular.TriangularAffine.trainable(size, dtype=self.variable_dtype)
            for _ in range(self.num_layers)
        ]
        if condition_shape is not None:
            affine = transformers.Affine()
            layer = layers.conditional_elementwise(
                affine, size, condition_shape, self._network()
            )
            found.append(layer)
        return found
