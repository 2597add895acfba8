"""What the arguments that many networks take are, for their docstrings."""

from __future__ import annotations

__all__ = ["ARGUMENTS"]

ARGUMENTS = {
    "event_size": "Number of coordinates `D`, as inputs and as outputs.",
    "params_size": "Number of parameters `P` per coordinate.",
    "output_shape": "`(D, P)`: `P` parameters for each of `D` coordinates.",
    "hidden_units": "Widths of the hidden layers.",
    "order": '`"left-to-right"`, `"right-to-left"`, `"random"` (drawn from `seed`), or '
    "the rank of each coordinate as a permutation of `range(D)`.",
    "residual": "Whether to add the input of each block to its output.",
    "activation": "Name in `tf.nn`, or a function.",
    "dropout": "Share of hidden units dropped while training.",
    "initial_output": "The `P` parameters of an untrained network, zeros if `None`.",
    "dtype": "Type of weights and result.",
    "compute_dtype": "Type of the products, for mixed precision.",
    "period": "Interval of which all inputs are angles, of which the network then sees "
    "cosines and sines; `None` for numbers.",
    "periodic": "Which inputs are angles, where some are not; `None` for all.",
    "weights": "Values or variables to use instead of new ones.",
    "seed": "Int that fixes the initial values.",
    "name": "Name.",
}
