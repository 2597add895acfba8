"""Import an optional package, or explain which extra brings it."""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["MissingExtraError", "require"]

_PURPOSE = {
    "cli": "run the command line",
    "export": "write ONNX graphs",
    "inference": "hand draws over to ArviZ",
    "plot": "draw plots",
    "sklearn": "use scikit-learn estimators and baselines",
    "tables": "read and write tables",
}
_DISTRIBUTION = {"sklearn": "scikit-learn"}


class MissingExtraError(ImportError):
    """Say that a package of one of the extras is not installed."""


def require(module: str, *, extra: str, purpose: str | None = None) -> ModuleType:
    """Import `module`, or name the extra that installs it.

    Args:
        module: Dotted name of the module to import, such as `matplotlib.pyplot`.
        extra: The extra of this package that lists it.
        purpose: What it is needed for, as it completes "is needed to ...". Default:
            the purpose of the extra.

    Returns:
        The imported module.

    Raises:
        MissingExtraError: If the package is not installed. A package that is installed
            but fails to import keeps its own error.

    Example:
        >>> require("no_such_package", extra="plot")
        Traceback (most recent call last):
        ...
        tfp_flows._optional.MissingExtraError: `no_such_package` is needed to draw \
plots: pip install 'tfp_flows[plot]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        purpose = purpose or _PURPOSE.get(extra, f"use the extra {extra!r}")
        raise MissingExtraError(
            f"`{_DISTRIBUTION.get(package, package)}` is needed to {purpose}: "
            f"pip install 'tfp_flows[{extra}]'",
            name=error.name,
        ) from error
