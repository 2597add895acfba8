"""What distributions share: arguments without a batch, columns, one density inside."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows.distributions.naming import Named
from tfp_flows.distributions.noticing import Noticing
from tfp_flows.distributions.pickling import Picklable

__all__ = ["Columns", "Unsliced", "Wrapper"]


class Unsliced(Named, Noticing, tfd.Distribution):
    """A distribution none of whose arguments is cut where its batch is.

    TFP wants `_parameter_properties` named again in each class that has an `__init__`.
    """

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        del dtype, num_classes
        return {}


class Columns(Picklable, Unsliced):
    """One density of some columns: events are vectors, and there is no batch."""

    # Positions of the columns among all of them, a sequence of ints.
    _places: Any

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([len(self._places)])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([len(self._places)])

    def _batch_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _batch_shape_tensor(self) -> tf.Tensor:
        return tf.constant([], tf.int32)


class Wrapper(Named, Picklable, Noticing, tfd.Distribution):
    """A distribution made of another one, which has its batch."""

    _distribution: tfd.Distribution

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        del dtype, num_classes
        return {"distribution": tfp.util.BatchedComponentProperties()}

    @property
    def distribution(self) -> tfd.Distribution:
        """The density inside."""
        return self._distribution

    def __getitem__(self, slices: Any) -> Any:
        """Return a part of a batch of distributions."""
        return self.copy(distribution=self.distribution[slices])
