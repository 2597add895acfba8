"""Write flows to files that later versions must load: `python write.py [NAME ...]`.

A file is written once, by the version whose format it stands for, and never again: the
test compares what today's code loads with the log-densities of then. A change of a
configuration adds a file under a new name.
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np

from tfp_flows import flows

FOLDER = pathlib.Path(__file__).parent
ROWS = 20


def nsf():
    """Return a conditional flow of named columns."""
    return flows.build(
        "nsf",
        3,
        2,
        num_layers=2,
        hidden_units=(6, 6),
        num_bins=4,
        tail_bound=4.0,
        activation="tanh",
        columns=["alcohol", "ash", "hue"],
        condition_columns=["year", "price"],
        dtype="float64",
        seed=1,
    )


def maf_mog():
    """Return a flow whose name has changed since."""
    return flows.build(
        "maf-mol",
        3,
        num_layers=2,
        hidden_units=(6,),
        num_components=3,
        order="random",
        mixing="permute",
        base="student-t",
        dtype="float64",
        seed=2,
    )


def glow():
    """Return a flow of images, of mixtures of logistics."""
    return flows.build(
        "glow",
        (4, 4, 1),
        num_steps=1,
        hidden_units=(4,),
        coupling="mixture",
        num_components=2,
        num_values=16,
        dtype="float64",
        seed=3,
    )


def rbig():
    """Return a flow whose layers are set by a fit."""
    types = ["spline", "conditional-affine", "radial", "table", "mixture"]
    return flows.build(
        "rbig", 2, num_bins=6, layer_types=types, dtype="float64", seed=4
    )


def table():
    """Return a flow of columns that are more than numbers."""
    return flows.build(
        "nsf-ar",
        4,
        num_layers=1,
        hidden_units=(6,),
        num_bins=4,
        columns={
            "visits": ("integer", "positive"),
            "share": ("bounded", 0, 100),
            "rain": ("positive", ("atom", 0.0)),
            "season": ("category", ["dry", "wet", "cold"]),
        },
        dtype="float64",
        seed=5,
    )


FLOWS = {"nsf": nsf, "maf-mog": maf_mog, "glow": glow, "rbig": rbig, "table": table}


def main(names: list[str]) -> None:
    """Write those named, all by default, with inputs and log-densities beside."""
    for name in names or FLOWS:
        path = FOLDER / f"{name}.keras"
        if path.exists():
            print(f"{path} stays as it is.")
            continue
        flow = FLOWS[name]()
        rng = np.random.default_rng(0)
        arrays = {"x": rng.normal(2.0, 3.0, [ROWS, *flow.event_shape])}
        if len(flow.event_shape) == 3:
            arrays["x"] = rng.integers(0, 16, [ROWS, *flow.event_shape])
        if flow.cells is not None:
            arrays["x"] = flow.cells.on_columns(rng.normal(0.0, 1.0, [ROWS, 4]))
        if flow.condition_shape is not None:
            arrays["condition"] = rng.normal(1.0, 2.0, [ROWS, *flow.condition_shape])
        flow.adapt(**arrays)
        for variable in flow.trainable_variables:
            noise = rng.normal(0.0, 0.2, variable.shape)
            variable.assign(variable.value + noise)
        flow.save(path)
        np.savez_compressed(
            FOLDER / f"{name}.npz", log_prob=flow.log_prob(**arrays), **arrays
        )


if __name__ == "__main__":
    main(sys.argv[1:])
