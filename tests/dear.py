"""Which parts of the contract suite wait for `--contracts=full`.

By default the first case of each class goes through the quick checks and an eighth of
the others, and its further cases through the quick ones. A check that takes over a
minute of CPU for all cases is named here with the few on which it runs by default, and
one that compiles does so in one dtype.
The other parts are marked `full`: `--contracts=full` runs all of them, and
`--contracts=N/25` the part number `N` modulo 25.
"""

from __future__ import annotations

import dataclasses

import pytest

from tests.bijectors import cases
from tfp_flows import testing

__all__ = ["pairs", "run"]

# Further cases of classes, and presets, that another case stands for.
FURTHER: dict[str, set[str]] = {
    "bijector": {
        "act_norm_adapted",
        "act_norm_image",
        "amortized_sylvester",
        "autoregressive_attention",
        "autoregressive_convolution",
        "autoregressive_graph",
        "autoregressive_periodic",
        "autoregressive_spline",
        "chain_empty",
        "chain_conditional",
        "chain_with_tfb",
        "channel_coupling_spline",
        "coupling_conditional",
        "coupling_keras",
        "coupling_table",
        "elementwise_dense_sigmoids",
        "elementwise_vector",
        "embed_condition_in_chain",
        "invert_autoregressive",
        "lu_1x1",
        "marginal_gaussianize_kernel",
        "marginal_kernel",
        "marginal_mixture_logistic",
        "marginal_spline_one",
        "neural_ode_by_tolerance",
        "on_flattened_scalar",
        "orthogonal_two",
        "prelu_vector",
        "residual_block_sin",
        "rotation_fixed",
        "spline_circular",
        "spline_linear",
        "spline_vector",
        "squeeze_channels",
        "sylvester_householder",
        "sylvester_triangular",
        "standardize_image",
        "triangular_upper",
    },
    "flow": {
        "autoregressive",
        "bernstein",
        "circular",
        "coupling",
        "flow-matching",
        "gaussianization_condition",
        "glow_mixture",
        "glow_spline",
        "householder",
        "maf-mol",
        "maf_graph",
        "naf",
        "nice",
        "nsf-ar",
        "nsf-image",
        "nsf_one",
        "radial",
        "rbig_table",
        "realnvp",
        "realnvp_image",
        "sig",
        "sylvester",
        "sos",
        "umnn",
    },
}

# What further cases keep by default: eager values, log-dets, and shapes.
QUICK: dict[str, set[str]] = {
    "bijector": {
        "condition",
        "dtype",
        "event_shape",
        "finite_gradients",
        "is_increasing",
        "log_det",
        "opposite_log_dets",
        "round_trip",
    },
    "flow": {
        "errors",
        "gradients",
        "mass",
        "partial",
        "sample",
        "seed",
    },
}

# Checks that compile in each dtype: by default in one, turn by turn.
BY_DTYPE: dict[str, set[str]] = {"bijector": {"tf_function", "xla"}, "flow": {"modes"}}
DTYPES = ("float32", "float64")

# Checks that are not quick take each eighth case by default, each check other ones.
TURNS = 8

# Searches, which other cases with one stand for where checks are dear.
SEARCHES = {
    "elementwise_network",
    "elementwise_squares",
    "mixture_gaussianize",
    "neural_ode",
    "neural_ode_by_tolerance",
    "residual_block",
}

# Check -> the cases on which it runs by default.
DEAR: dict[str, dict[str, set[str]]] = {
    "bijector": {
        # A direction is a search that runs op by op: a minute in eager threads.
        "threads": {*cases.CASES} - SEARCHES,
        "empty_batch": {*cases.CASES} - SEARCHES,
        "unknown_shapes": {*cases.CASES} - SEARCHES,
        "vectorized_map": {*cases.CASES}
        - {"elementwise_network", "elementwise_squares", "neural_ode"},
        "one_pass": {*cases.CASES} - {"neural_ode", "residual_block"},
        # Traces six maps in two directions, with gradients.
        "loop": {
            "act_norm",
            "autoregressive_affine",
            "chain_checkpoint",
            "channel_coupling",
            "coupling_affine",
            "householder",
            "low_rank",
            "lu",
            "orthogonal",
            "spline",
        },
        # Five evaluations of four tapes within each other.
        "high_derivatives": {
            "act_norm",
            "checkerboard_coupling",
            "conv_1x1",
            "cosine_transform",
            "coupling_affine",
            "elementwise_affine",
            "haar_wavelet",
            "householder",
            "lu",
            "pixel_sigmoid",
            "residual_block",
            "spline",
            "squeeze",
        },
        # Two compilations each.
        "unknown_batch_xla": {"coupling_affine", "elementwise_spline", "act_norm"},
        # TensorFlow traces a function for each operation that it passes forwards.
        "forward_mode": {
            "autoregressive_affine",
            "chain_checkpoint",
            "coupling_spline",
            "elementwise_mixture",
            "householder",
            "low_rank",
            "normal_cdf",
            "orthogonal",
            "permutation",
        },
        # Loops of stages compile for long; tests of the solver compile one.
        "xla": {*cases.CASES} - {"neural_ode"},
        "xla_gradients": {"autoregressive_affine", "elementwise_mixture", "lu"},
    },
    "flow": {
        # TensorFlow traces a function for each operation that it passes forwards.
        "forward_mode": {"nsf"},
        # A minute of CPU for splines and tables, which the suite of maps sees.
        "second_derivatives": {"maf", "linear"},
        # Networks go through it as maps do: the suite of these has three.
        "xla_gradients": {"linear"},
        "empty": {"nsf", "maf", "glow"},
        # Each operation is checked in eager mode: one of each kind of layer.
        "numerics": {"nsf", "maf", "linear", "gaussianization"},
        # Compiles the density by XLA.
        "unknown_batch": {"nsf", "maf", "linear", "rbig", "realnvp-image"},
    },
}


def pairs(kind, known):
    """Return every triple of a case, a check and a dtype as a parameter of a test.

    The dtype is `None` for checks that choose for themselves.
    """
    dear, further = DEAR[kind], FURTHER[kind]
    checks = testing.checks(kind)
    turns = _turns(kind, known)
    unknown = ({*dear} | QUICK[kind] | BY_DTYPE[kind]) - {*checks}
    unknown |= (set().union(further, *dear.values())) - {*known}
    if unknown:
        msg = f"Tiers must name checks and cases, got {sorted(unknown)}."
        raise ValueError(msg)
    out = []
    whole = [name for name in known if name not in further]
    for number, name in enumerate(known):
        for check in checks:
            if name in further:
                taken = check in QUICK[kind]
            else:
                taken = name in dear.get(check, known)
                turn = turns.get(check)
                taken = taken and turn in (None, whole.index(name) % TURNS)
            dtypes = DTYPES if check in BY_DTYPE[kind] else (None,)
            for index, dtype in enumerate(dtypes):
                late = not taken or (len(dtypes) > 1 and index != number % 2)
                marks = [pytest.mark.full] if late else []
                label = f"{name}-{check}" + (f"-{dtype}" if dtype else "")
                out.append(pytest.param(name, check, dtype, id=label, marks=marks))
    return out


def _turns(kind, known):
    """Return which eighth of the cases goes through a check by default.

    Quick checks take all cases, and those that name few take these.
    """
    quick, dear = QUICK[kind], DEAR[kind]
    checks = [check for check in testing.checks(kind) if check not in quick]
    taking = [c for c in checks if 2 * len(dear.get(c, known)) > len(known)]
    return {check: number % TURNS for number, check in enumerate(taking)}


def run(kind, case, check, dtype):
    """Run a check on a case, in one dtype unless that is `None`."""
    reason = case.reason_to_skip(check)
    if reason is not None:
        pytest.skip(reason)
    if dtype is not None:
        case = dataclasses.replace(case, only=dtype)
    testing.checks(kind)[check](case)
