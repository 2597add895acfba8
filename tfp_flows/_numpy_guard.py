"""One clear sentence where a map of TFP does not go with the NumPy that is installed.

NumPy 2.4 has dropped a word by which TFP 0.25 makes `Pad`. So `SoftmaxCentered` and
`UnitVector` fail as well, and what is built on them: the supports of `Dirichlet`,
`VonMisesFisher` and others.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

__all__ = ["NumPyError", "explain_pad", "explained"]

# The word that `np.reshape` no longer takes.
WORD = "newshape"


class NumPyError(RuntimeError):
    """Raised where a map of TFP cannot be made with the NumPy that is installed."""


def explained(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor whose error over that word says what to do.

    Args:
        init: The constructor of `tfb.Pad`.
    """

    @functools.wraps(init)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            init(self, *args, **kwargs)
        except TypeError as error:
            if WORD not in str(error):
                raise
            msg = (
                "`Pad`, `SoftmaxCentered` and `UnitVector` of TensorFlow Probability "
                f"{tfp.__version__} do not work with NumPy {np.__version__}. Install "
                "numpy<2.4 to use them."
            )
            raise NumPyError(msg) from error

    return wrapped


def explain_pad() -> None:
    """Have `tfb.Pad` explain its error, where NumPy does not know the word."""
    if WORD not in inspect.signature(np.reshape).parameters:
        tfb.Pad.__init__ = explained(tfb.Pad.__init__)
