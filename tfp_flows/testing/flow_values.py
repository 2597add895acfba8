"""Checks of what a flow computes: densities, samples, shapes, errors."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.flows import Ensemble
from tfp_flows.testing import registry
from tfp_flows.testing.flow_case import FlowCase, one_condition
from tfp_flows.testing.log_dets import density_mass

__all__ = [
    "check_flow_adapt",
    "check_flow_errors",
    "check_flow_mass",
    "check_flow_modes",
    "check_flow_partial",
    "check_flow_sample",
    "check_flow_seed",
    "check_flow_tfp",
]


@registry.flow_check
def check_flow_modes(case: FlowCase) -> None:
    """Eager, compiled, called, and XLA log-densities agree, in each dtype."""
    flows, inputs, expected = [], [], []
    for dtype in case.dtypes:
        flow = case.flow(dtype)
        x, *condition = case.data(flow)
        flows.append(flow)
        inputs.append((tf.constant(x), *map(tf.constant, condition)))
        expected.append(flow.distribution(*condition).log_prob(x))
        tolerance = case.tolerances.value(dtype)
        for name, found in (
            ("flow.log_prob", flow.log_prob(x, *condition)),
            ("flow(x)", flow(case.inputs(flow))),
            ("a batch of batches", _reshaped(flow, x, *condition)),
        ):
            what = f"{name} against eager in {dtype}"
            registry.compare(case, "modes", what, found, expected[-1], tolerance)
            if tf.as_dtype(found.dtype).name != dtype:
                what = f"dtype of {name}"
                case.fail("modes", what, tf.as_dtype(found.dtype).name, dtype)

    @tf.function(jit_compile=True, autograph=False)
    def xla(inputs: list) -> list[tf.Tensor]:
        return [
            flow.distribution(*condition).log_prob(x)
            for flow, (x, *condition) in zip(flows, inputs, strict=True)
        ]

    for dtype, found, wanted in zip(case.dtypes, xla(inputs), expected, strict=True):
        what = f"XLA against eager in {dtype}"
        tolerance = case.tolerances.value(dtype)
        registry.compare(case, "modes", what, found, wanted, tolerance)


def _reshaped(flow: object, x: np.ndarray, *condition: np.ndarray) -> tf.Tensor:
    """Score the same rows as `[2, 2, N / 4]` and as one batch put together again."""
    parts = [t.reshape(2, 2, -1, *t.shape[1:]) for t in (x, *condition)]
    return tf.reshape(flow.log_prob(*parts), [-1])  # type: ignore[attr-defined]


@registry.flow_check
def check_flow_sample(case: FlowCase) -> None:
    """Samples have the right shape, are finite, and have the density of the flow."""
    check, flow = "sample", case.flow()
    condition = case.condition(flow, 3)
    batch = (3,) if condition else ()
    sample = flow.sample((2, 50), one_condition(condition), [0, 1])
    wanted = (2, 50, *batch, *flow.event_shape)
    if tuple(sample.shape) != wanted:
        case.fail(check, "shape of the samples", tuple(sample.shape), wanted)
    registry.require_finite(case, check, "a sample", sample)
    log_prob = flow.log_prob(sample, *condition)
    if tuple(log_prob.shape) != (2, 50, *batch):
        case.fail(check, "shape of log_prob", log_prob.shape, (2, 50, *batch))
    registry.require_finite(case, check, "log_prob of a sample", log_prob)
    # The sampler and the density must be of one distribution, seen through TFP as well.
    target = flow.distribution(*condition)
    draw, score = target.experimental_sample_and_log_prob(50, seed=[1, 2])
    found = flow.log_prob(tf.identity(draw), *condition)
    what = "log_prob of a sample against the one it came with"
    registry.compare(case, check, what, found, score, 10 * case.tolerances.float32)


@registry.flow_check
def check_flow_seed(case: FlowCase) -> None:
    """One seed gives one sample, in every call; another seed gives another one."""
    flow = case.flow()
    condition = case.condition(flow, 3)
    for kind, seed, other in (("tensor", [0, 1], [0, 2]), ("int", 1, 2)):
        first, again, new = (
            flow.sample(5, one_condition(condition), s) for s in (seed, seed, other)
        )
        what = f"a second sample of the same {kind} seed"
        registry.compare(case, "seed", what, again, first, 0.0)
        if registry.worst(new, first) == 0.0:
            case.fail("seed", f"another {kind} seed gives the same sample")


@registry.flow_check
def check_flow_mass(case: FlowCase) -> None:
    """The density integrates to one, and so do the partial densities."""
    flow = case.flow()
    if not case.quadrature or flow.event_size > 2:
        return
    condition = tuple(c[0] for c in case.condition(flow, 1))
    for k in sorted({flow.num_maps // 2, flow.num_maps}):
        target = flow.partial(k, *condition)
        sample = np.asarray(target.sample(20_000, seed=[case.seed, 3]), np.float64)

        def log_prob(
            points: np.ndarray, target: tfd.Distribution = target
        ) -> tf.Tensor:
            shape = (-1, *flow.event_shape)
            x = points.reshape(shape).astype(flow.variable_dtype)
            return target.log_prob(x)

        flat = sample.reshape(-1, flow.event_size)
        mass = density_mass(log_prob, flat, margin=0.7)
        bound = case.tolerances.mass
        if not abs(mass - 1) <= bound:
            what = f"the density after {k} maps integrates to"
            case.fail("mass", what, f"{mass:.5f}", f"1 +- {bound}")


@registry.flow_check
def check_flow_partial(case: FlowCase) -> None:
    """`partial(0)` is the base, `partial(num_maps)` the flow, each a density."""
    check, flow = "partial", case.flow()
    x, *condition = case.data(flow)
    tolerance = case.tolerances.float32
    density = flow.distribution(*condition)
    if flow.is_discrete:  # it folds what the maps make
        density, x = density.distribution, flow.spread(x)
    expected = density.log_prob(x)
    whole = flow.partial(flow.num_maps, *condition).log_prob(x)
    registry.compare(
        case, check, "all maps against the flow", whole, expected, tolerance
    )
    start = flow.partial(0, *condition)
    base = start if isinstance(flow, Ensemble) else density.distribution
    what = "no map against the base"
    registry.compare(case, check, what, start.log_prob(x), base.log_prob(x), tolerance)
    for k in range(1, flow.num_maps):
        target = flow.partial(k, *condition)
        sample, score = target.experimental_sample_and_log_prob(seed=[0, k])
        wanted = (*target.batch_shape, *flow.event_shape)
        if tuple(sample.shape) != wanted:
            case.fail(check, f"shape after {k} maps", tuple(sample.shape), wanted)
        found = target.log_prob(tf.identity(sample))
        what = f"log_prob of a sample after {k} maps"
        registry.compare(case, check, what, found, score, 10 * tolerance)
    for k in (-1, flow.num_maps + 1):
        _must_raise(
            case, check, f"partial({k})", lambda k=k: flow.partial(k, *condition)
        )


@registry.flow_check
def check_flow_adapt(case: FlowCase) -> None:
    """Densities are in the units of the data: rescaled data only shift them."""
    first, second = case.build("float64"), case.build("float64")
    if first.preprocessing is not None:
        return  # columns have units of their own
    x, *condition = case.data(first, 200)
    scale, shift = 30.0, -7.0
    first.adapt(x, *condition)
    second.adapt(scale * x + shift, *condition)
    expected = first.log_prob(x, *condition) - first.event_size * np.log(scale)
    found = second.log_prob(scale * x + shift, *condition)
    registry.require_finite(case, "adapt", "log_prob of the data", found)
    what = "log_prob of rescaled data"
    registry.compare(case, "adapt", what, found, expected, 1e-6)


def _must_raise(case: FlowCase, check: str, what: str, call: object) -> None:
    try:
        call()  # type: ignore[operator]
    except ValueError:
        return
    case.fail(check, what, "no error", "ValueError")


@registry.flow_check
def check_flow_errors(case: FlowCase) -> None:
    """Wrong shapes, and a missing or superfluous condition, are `ValueError`s."""
    check, flow = "errors", case.flow()
    x, *condition = case.data(flow)
    size = flow.event_shape[-1] if flow.event_shape else 1
    for wrong in sorted({1, size + 1} - {size}):
        shape = (8, *flow.event_shape[:-1], wrong)
        bad = np.zeros(shape, x.dtype)
        for name, call in (
            ("log_prob", lambda bad=bad: flow.log_prob(bad, *condition)),
            ("distribution", lambda bad=bad: _score(flow, bad, *condition)),
            ("adapt", lambda bad=bad: flow.adapt(bad, *condition)),
        ):
            _must_raise(case, check, f"{name} of shape {shape}", call)
    given = np.zeros((8, *(flow.condition_shape or (2,))), x.dtype)
    kinds: list[tuple[str, tuple]] = [("superfluous", (given,))]
    if condition:
        wide = np.concatenate([given, given], -1)
        kinds = [("missing", ()), ("wrongly shaped", (wide,))]
    for kind, arguments in kinds:
        named = {"condition": arguments[0]} if arguments else {}
        for name, call in (
            ("log_prob", lambda a=arguments: flow.log_prob(x, *a)),
            ("sample", lambda n=named: flow.sample(2, seed=0, **n)),
            ("distribution", lambda a=arguments: flow.distribution(*a)),
            ("call", lambda n=named: flow({"x": x, **n})),
        ):
            _must_raise(case, check, f"{name} with a {kind} condition", call)


def _score(flow: object, x: np.ndarray, *condition: np.ndarray) -> tf.Tensor:
    return flow.distribution(*condition).log_prob(x)  # type: ignore[attr-defined]


@registry.flow_check
def check_flow_tfp(case: FlowCase) -> None:
    """The density works as a part of TFP's joint and mixture distributions."""
    check, flow = "tfp", case.flow()
    tolerance = case.tolerances.float32
    x, *condition = case.data(flow, 4)
    target = flow.distribution(*[c[0] for c in condition])
    joint = tfd.JointDistributionNamed(
        {
            "scale": tfd.LogNormal(tf.zeros([], flow.variable_dtype), 1.0),
            "x": target,
            "y": lambda scale, x: tfd.Normal(tf.reduce_sum(x), scale),
        }
    )
    draw = joint.sample(seed=[0, 1])
    parts = joint.log_prob_parts({k: tf.identity(v) for k, v in draw.items()})
    expected = target.log_prob(tf.identity(draw["x"]))
    what = "in a JointDistributionNamed"
    registry.compare(case, check, what, parts["x"], expected, tolerance)
    _check_names(case, target)

    expected = target.log_prob(x)
    found = tf.vectorized_map(
        target.log_prob, tf.constant(x), fallback_to_while_loop=False, warn=False
    )
    registry.compare(case, check, "in vectorized_map", found, expected, tolerance)

    several = case.condition(flow, 3)
    if several:
        logits = tf.constant([0.1, 0.0, -0.3], flow.variable_dtype)
        components = flow.distribution(*several)
        mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=logits), components)
        found = mixture.log_prob(x)
        each = components.log_prob(x[:, tf.newaxis])
        expected = tf.reduce_logsumexp(each + tf.nn.log_softmax(logits), -1)
        what = "in a MixtureSameFamily"
        registry.compare(case, check, what, found, expected, tolerance)
        sample = mixture.sample(5, seed=[1, 1])
        registry.require_finite(case, check, "a sample of the mixture", sample)


def _check_names(case: FlowCase, target: tfd.Distribution) -> None:
    """The default name of a density is no name of a part of a joint distribution.

    A function may call it `z`, and two of a kind stand in one list.
    """
    if target.parameters.get("name") is not None:
        return
    joint = tfd.JointDistributionSequential(
        [target, target.copy(), lambda other, z: tfd.Deterministic(tf.reduce_sum(z))]
    )
    draw = joint.sample(seed=[0, 1])
    found = joint.log_prob_parts([tf.identity(value) for value in draw])[1]
    expected = target.log_prob(tf.identity(draw[1]))
    tolerance = case.tolerances.float32
    what = "in a JointDistributionSequential"
    registry.compare(case, "tfp", what, found, expected, tolerance)
