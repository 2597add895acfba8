"""`tfp-flows list`: the flows that have a name."""

from __future__ import annotations

import argparse
from typing import Any

from tfp_flows.cli.output import Report

__all__ = ["DEFAULT", "IMAGES", "MANIFOLDS", "TABLES", "add_parser", "run"]

# Known without TensorFlow; tests compare the names with the registry's.
DEFAULT = "nsf-ar"
TABLES = {
    "nice": "additive coupling, scaled at the end; a first baseline",
    "realnvp": "affine coupling; fast both ways",
    "nsf": "spline coupling; fast both ways",
    "maf": "affine autoregressive maps; fast densities",
    "iaf": "affine autoregressive maps; fast samples",
    "nsf-ar": "spline autoregressive maps; the best default for tables",
    "maf-mol": "autoregressive mixtures of logistics; separate modes",
    "bernstein": "autoregressive Bernstein polynomials; fast densities",
    "sos": "autoregressive polynomials by sums of squares; fast densities",
    "naf": "autoregressive deep sigmoidal maps; fast densities",
    "umnn": "autoregressive integrals of networks; slow, smooth densities",
    "tarflow": "autoregressive maps by attention; many columns, fast densities",
    "series": "each time given the times before, by causal convolutions; forecasts",
    "bnaf": "networks that increase in each coordinate; fast densities",
    "circular": "spline coupling of angles: densities on circle and torus",
    "coupling": "coupling of any transformer: --option transformer=...",
    "autoregressive": "autoregressive maps of any transformer",
    "linear": "a full Gaussian; the baseline to beat",
    "planar": "bends along planes; quick, few numbers",
    "radial": "points move from centres; quick, few numbers",
    "sylvester": "bends along several directions at once",
    "householder": "a full Gaussian, by reflections",
    "residual": "contractions added layer by layer; separate modes, slow samples",
    "cnf": "events follow a velocity through time; slow to train",
    "flow-matching": "the same, trained without solving it; separate modes, edges",
    "rbig": "rotations and marginals layer by layer; seconds, no tuning",
    "gis": "as rbig, along the directions of the worst fit",
    "sig": "normal noise moved to the data in slices; samples",
    "gaussianization": "trained rotations and marginal splines",
    "mixture": "flows of one kind, trained together: data that fall apart",
    "any-order": "the density of any columns given any others; fills missing cells",
    "augmented": "noise beside the data gives a flow room; densities are bounds",
    "symmetric": "the same on both sides of a centre, in some columns",
}
IMAGES = {
    "glow": "multi-scale flow of 1x1 convolutions and coupling",
    "realnvp-image": "multi-scale affine coupling",
    "nsf-image": "multi-scale spline coupling",
    "tarflow-image": "autoregressive maps of patches by attention",
}
MANIFOLDS = {
    "sphere": "spline coupling of unit vectors: densities by area",
}


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "list",
        help="list the flows that have a name",
        description="List the flows that `tfp-flows fit --flow NAME` knows. The "
        "options of one: `tfp-flows fit --options NAME`.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print names and what they are."""
    report = Report(arguments)
    width = max(map(len, (*TABLES, *IMAGES, *MANIFOLDS)))
    groups = (("tables", TABLES), ("images", IMAGES), ("unit vectors", MANIFOLDS))
    for title, known in groups:
        report.line(f"of {title}:", **{title.replace(" ", "_"): known})
        for name, words in known.items():
            default = " (default)" if name == DEFAULT else ""
            report.line(f"  {name:<{width}}  {words}{default}")
    report.facts["default"] = DEFAULT
    report.end()
