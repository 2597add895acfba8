"""Flows fitted to toy densities of one and two dimensions with known entropies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows
from published.entries import Figure, entry, least, mean, minimise, nll
from tfp_flows import bijectors as maps
from tfp_flows import datasets, flows

TONYDUAN = "github.com/tonyduan/normalizing-flows, examples"
POINTS, HELD_OUT = 512, 100_000
TINY = {"hidden_units": (8, 8), "num_layers": 1}
# Two affine autoregressive layers tell four bumps apart by steps of their networks
# only, which small smooth networks make from few points more steadily.
SMALL = {"num_layers": 2, "hidden_units": (16, 16), "activation": "tanh"}
# One layer of splines can be any density of two coordinates: with the few numbers that
# the example has too, all points may be used to the last step.
EXAMPLE = {
    "num_bins": 5,
    "tail_bound": 3.0,
    "hidden_units": (8, 8),
    "activation": "tanh",
    "validation": None,
}
# Couplings follow single points sooner: noise keeps them smooth.
SMOOTH = {**EXAMPLE, "noise": 0.1, "num_layers": 2}


def gap(flow: str, toy: str, steps: int, seed: int, **options: Any) -> float:
    """Return the gap to the entropy of one fit to the points of an example."""
    x = datasets.toy(toy, POINTS, seed)
    test = datasets.toy(toy, HELD_OUT, seed + 1_000)
    options = {"epochs": steps, "batch_size": POINTS, **options}
    fitted, _ = tfp_flows.fit(flow, x, seed=seed, verbose=0, **options)
    return nll(fitted, test) - datasets.toy_entropy(toy)


def two_blocks(
    quick: bool, flow: str, bars: dict[tuple[str, int], float], **options: Any
) -> Iterator[Figure]:
    """Yield gaps of a flow, means over five draws of data and weights."""
    few = {**TINY, "epochs": 1} if quick else {}
    for (toy, steps), bar in list(bars.items())[: 1 if quick else None]:
        gaps = (
            gap(flow, toy, steps, seed, **options, **few)
            for seed in range(1 if quick else 5)
        )
        what = f"gap to the entropy of {toy}, {steps} steps"
        yield Figure(what, mean(gaps), bar, reference="0")


@entry("two-block-realnvp", "A3", TONYDUAN)
def two_block_realnvp(quick: bool) -> Iterator[Figure]:
    """A block moves both halves, so that two are four coupling layers."""
    layers = {} if quick else {"num_layers": 4}
    yield from two_blocks(quick, "realnvp", {("ex_2d", 500): 0.104}, **layers)


@entry("two-block-maf", "A6", TONYDUAN)
def two_block_maf(quick: bool) -> Iterator[Figure]:
    """The code of the example is at 1.23 after 2,000 steps."""
    bars = {("ex_2d", 500): 0.129, ("ex_2d", 2000): 0.20}
    yield from two_blocks(quick, "maf", bars, **({} if quick else SMALL))


@entry("one-block-nsf-ar", "A7", TONYDUAN)
def one_block_nsf_ar(quick: bool) -> Iterator[Figure]:
    """Autoregressive splines, all points to the last step."""
    bars = {("ex_1d", 500): 0.020, ("ex_2d", 500): 0.093}
    options = {} if quick else {**EXAMPLE, "num_layers": 1}
    yield from two_blocks(quick, "nsf-ar", bars, **options)


@entry("two-block-nsf", "A8", TONYDUAN)
def two_block_nsf(quick: bool) -> Iterator[Figure]:
    """Coupling splines with noise of a tenth of a deviation."""
    toys = ("ex_2d", "ex_2d_mixture")
    bars = dict(zip([(toy, 500) for toy in toys], (0.10, 0.08), strict=True))
    bars |= {(toy, 2000): 0.15 for toy in toys}
    yield from two_blocks(quick, "nsf", bars, **({} if quick else SMOOTH))


def moments(flow: flows.Flow) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of an affine map of a Gaussian base."""
    base = flow.partial(0)
    corners = np.concatenate([np.zeros([1, 2]), np.eye(2)]).astype(np.float32)
    images = flow.bijector().forward(tf.constant(corners)).numpy().astype(float)
    matrix = (images[1:] - images[0]).T
    mean = images[0] + matrix @ base.mean().numpy()
    return mean, matrix @ np.diag(base.variance().numpy()) @ matrix.T


@entry("linear-flow", "B1", "LinearFlow, a post with code")
def linear_flow(quick: bool) -> Iterator[Figure]:
    """A correlated Gaussian, against the closed form on the same points."""
    yield from against_closed_form(quick, "normal")


@entry("trainable-base", "H2", "Papamakarios et al. 2019, the likelihood's gradients")
def trainable_base(quick: bool) -> Iterator[Figure]:
    """Location and scale of the base and the map are trained jointly."""
    yield from against_closed_form(quick, "diagonal-normal")


def against_closed_form(quick: bool, base: str) -> Iterator[Figure]:
    """Yield how far linear flows are from the best Gaussian of the same points."""
    rng = np.random.default_rng(0)
    factor = np.linalg.cholesky([[1.0, 0.7], [0.7, 2.0]])
    x = rng.standard_normal((200 if quick else 10_000, 2)) @ factor.T + [1.0, -2.0]
    x = x.astype(np.float32)
    points = x.astype(np.float64)
    covariance = np.cov(points.T, bias=True)
    best = 1 + np.log(2 * np.pi) + 0.5 * np.linalg.slogdet(covariance)[1]
    exact = f"{best:.5f}"
    if base == "normal":
        steps = 2 if quick else 9_000
        flow = flows.build("linear", 2, seed=0)
        flow.compile(keras.optimizers.Adam(1e-3), jit_compile=not quick)
        batches = tf.data.Dataset.from_tensors(tf.constant(x)).repeat(steps)
        flow.fit(batches, shuffle=False, verbose=0)
        what = "Adam 1e-3, 9,000 steps: above the optimum"
        yield Figure(what, nll(flow, x) - best, 0.045, reference=exact)
    options = {"epochs": 1} if quick else {}
    flow, _ = tfp_flows.fit("linear", x, base=base, seed=0, verbose=0, **options)
    what = "default fit: above the optimum"
    yield Figure(what, nll(flow, x) - best, 1e-4, reference=exact)
    found = moments(flow)
    for name, ours, truth in zip(
        ("mean", "covariance"), found, (points.mean(axis=0), covariance), strict=True
    ):
        yield Figure(f"largest error of the {name}", np.abs(ours - truth).max(), 1e-2)
    if base != "normal":
        moved = [np.abs(v.numpy()).max() for v in flow.base.trainable_variables]
        yield least("largest trained number of the base", max(moved), 1e-3)


@entry("parabola", "B6", "Papamakarios et al. 2017, figure 1; kamenbliznashki's code")
def parabola(quick: bool) -> Iterator[Figure]:
    """With x2 first every conditional is Gaussian, with x1 first one has two modes."""
    steps, batch = (2, 20) if quick else (20_000, 100)
    x = datasets.toy("parabola", steps * batch, 0)
    test = datasets.toy("parabola", HELD_OUT, 1_000)
    made = {"num_layers": 1, "base": "normal"}
    mixture = {**made, "num_components": 10}
    right, wrong = {"order": "right-to-left"}, {"order": "left-to-right"}
    losses = {}
    for name, flow, settings, bar in (
        ("MADE, x2 first", "maf", {**made, **right}, None),
        ("MADE, x1 first", "maf", {**made, **wrong}, None),
        ("MADE-MoG(10), x2 first", "maf-mol", {**mixture, **right}, 4.27),
        ("MADE-MoG(10), x1 first", "maf-mol", {**mixture, **wrong}, 4.27),
        ("MAF(5)", "maf", {"num_layers": 5}, 4.30),
        ("autoregressive splines", "nsf-ar", {}, 4.25),
    ):
        options = {"epochs": 1, "batch_size": batch, "validation": None, **settings}
        few = {"hidden_units": (8,)} if quick else {}
        fitted, _ = tfp_flows.fit(flow, x, seed=0, verbose=0, **options, **few)
        losses[name] = nll(fitted, test)
        yield Figure(f"{name}: NLL", losses[name], bar, reference="floor 4.2242")
        if quick:
            return
    lost = losses["MADE, x1 first"] - losses["MADE, x2 first"]
    yield least("what MADE loses in the wrong order", lost, 0.1)


def fresh(
    quick: bool, flow: str, toy: str, steps: int, batch: int, **options: Any
) -> float:
    """Return the held-out loss after steps of fresh points each."""
    steps, batch, few = (2, 20, TINY) if quick else (steps, batch, {})
    x = datasets.toy(toy, steps * batch, 0)
    options = {"epochs": 1, "batch_size": batch, "validation": None, **options, **few}
    fitted, _ = tfp_flows.fit(flow, x, seed=0, verbose=0, **options)
    return nll(fitted, datasets.toy(toy, HELD_OUT, 1_000))


def plane(quick: bool, flow: str) -> Iterator[Figure]:
    """Yield the losses after steps of 512 fresh points each, splines of 64 bins.

    Rings take six layers and 5,000 steps, the others as many layers as the flow has and
    3,000.
    """
    bars = {"8gaussians": 2.90, "checkerboard": 3.60, "2spirals": 2.76, "rings": 2.76}
    for toy, bar in list(bars.items())[: 1 if quick else None]:
        floor = f"floor {datasets.toy_entropy(toy):.4f}"
        deep = {"num_layers": 6} if toy == "rings" else {}
        steps = 5_000 if deep else 3_000
        found = fresh(quick, flow, toy, steps, 512, num_bins=64, **deep)
        yield Figure(f"{toy}: NLL", found, bar, reference=floor)


@entry("splines-in-the-plane", "E1", "Durkan et al. 2019, plane data, couplings")
def coupling_splines(quick: bool) -> Iterator[Figure]:
    """The flow `nsf`."""
    yield from plane(quick, "nsf")


@entry("autoregressive-in-the-plane", "E1", "Durkan et al. 2019, autoregressive")
def autoregressive_splines(quick: bool) -> Iterator[Figure]:
    """The flow `nsf-ar`."""
    yield from plane(quick, "nsf-ar")


@entry("deepbayes-realnvp", "C9", "deepbayes 2019, day 3, normalizing flows")
def deepbayes(quick: bool) -> Iterator[Figure]:
    """The notebook's moons, 5,001 steps of 100 fresh points."""
    for flow, bar, options in (
        ("realnvp", 0.45, {"num_layers": 6, "hidden_units": (256, 256)}),
        ("nsf", 0.34, {}),
    ):
        loss = fresh(quick, flow, "two_moons", 5_001, 100, **({} if quick else options))
        yield Figure(f"{flow}: NLL of moons", loss, bar, reference="floor 0.2892")


@entry("cs294-moons", "C5", "CS294-158 of 2019, homework 2, moons of noise 0.1")
def cs294(quick: bool) -> Iterator[Figure]:
    """3,000 steps of 256 fresh points."""
    for flow, bar in (("nsf-ar", 1.08), ("realnvp", 1.15)):
        loss = fresh(quick, flow, "two_moons_noisy", 3_000, 256)
        yield Figure(f"{flow}: NLL of moons", loss, bar, reference="floor 1.0076")


@entry(
    "cs294-one-dimension", "C5", "CS294-158 of 2019, lecture on flows, one dimension"
)
def cs294_lines(quick: bool) -> Iterator[Figure]:
    """A mixture of two Gaussians, a uniform and a triangular density, 10,000 points."""
    rng, n = np.random.default_rng(0), 200 if quick else 10_000

    def mixture(count: int) -> np.ndarray:
        left = rng.uniform(size=count) < 0.5
        return np.where(left, rng.normal(-1, 0.25, count), rng.normal(0.5, 0.5, count))

    for name, draw, floor, bar in (
        ("mixture", mixture, 1.01009, 1.03),
        ("uniform", lambda count: rng.uniform(-2, 2, count), np.log(4.0), None),
        (
            "triangular",
            lambda count: rng.triangular(0, 1, 1, count),
            0.5 - np.log(2),
            None,
        ),
    ):
        few = {"epochs": 1} if quick else {}
        x, test = draw(n)[:, None], draw(HELD_OUT)[:, None]
        flow, _ = tfp_flows.fit("nsf-ar", x, seed=0, verbose=0, **few)
        yield Figure(
            f"{name}: NLL", nll(flow, test), bar, reference=f"floor {floor:.4f}"
        )
        if quick:
            return


class Banana(maps.Bijector):
    """The map of the post: a parabola under the second coordinate."""

    def __init__(self) -> None:
        parameters = dict(locals())
        super().__init__(event_shape=(2,), parameters=parameters, name="banana")

    @staticmethod
    def _bent(x: tf.Tensor, sign: float) -> tuple[tf.Tensor, tf.Tensor]:
        first, second = x[..., :1], x[..., 1:]
        second += sign * (first**2 + 1.0)
        return tf.concat([first, second], axis=-1), tf.zeros_like(first[..., 0])

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._bent(x, -1.0)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._bent(y, 1.0)


@entry("banana-bijector", "C1", "L. Tiao 2018, bijectors of TFP")
def banana(quick: bool) -> Iterator[Figure]:
    """A subclass of the library's map, over a correlated normal base."""
    factor = np.linalg.cholesky([[1.0, 0.95], [0.95, 1.0]])
    base = tfd.MultivariateNormalTriL(tf.zeros(2, tf.float64), factor)
    density = tfd.TransformedDistribution(base, Banana())
    x = tf.identity(density.sample(1_000 if quick else 1_000_000, seed=0))
    loss = -float(tf.reduce_mean(density.log_prob(x)))
    what = "-E log p of samples: distance from the entropy"
    yield Figure(what, abs(loss - 1.67393), 5e-3, reference="1.674")
    log_det = Banana().inverse_log_det_jacobian(x, event_ndims=1)
    yield Figure("largest log-det", float(np.abs(log_det).max()), 0.0, reference="0")


def jang_chain(order: tuple[int, int], slope: float, count: int) -> maps.Chain:
    """Return affine maps (triangular plus low rank) with leaky units between them.

    Slopes below 1 and their inverses take turns, so that the chain starts as the
    identity but for the order of the columns.
    """
    layers: list[maps.Bijector] = []
    for seed in range(count):
        layers.append(maps.LowRankAffine.trainable(2, rank=1, seed=seed))
        layers.append(maps.TriangularAffine.trainable(2))
        leak = 1.0 / slope if seed % 2 else slope
        layers.append(maps.PReLU.trainable(2, negative_slope=leak))
    units = maps.Standardize.trainable(2)
    return maps.Chain([maps.Permutation(order), units, *layers[:-1]])


def trained(
    chain: maps.Chain, x: np.ndarray, steps: int, base: tfd.Distribution
) -> tuple[float, tfd.Distribution]:
    """Return the mean loss of the last tenth of the points, and the density.

    Args:
        chain: What is trained.
        x: Fresh points of each step, `[steps, N, 2]`.
        steps: Number of steps, of which each sees its points once.
        base: The base distribution.
    """
    batches = tf.constant(x[:steps])
    units = next(m for m in chain.bijectors if isinstance(m, maps.Standardize))
    units.adapt(chain.bijectors[0].inverse(tf.reshape(batches, [-1, 2])))

    def loss(seed: tf.Tensor) -> tf.Tensor:
        # XLA would compile a slice anew for each place that it starts at.
        z, log_det = chain.inverse_and_log_det(tf.gather(batches, seed[0]))
        return -tf.reduce_mean(base.log_prob(z) + log_det)

    minimise(loss, chain.trainable_variables, steps)
    density = tfd.TransformedDistribution(base, chain)
    last = x[steps - max(1, steps // 10) : steps].reshape(-1, 2)
    return nll(density, last), density


@entry("jang-affine-leaky-relu", "C6, E14", "E. Jang, tutorial part 1; breadbread1984")
def jang(quick: bool) -> Iterator[Figure]:
    """Six affine layers with leaky units, 5,000 steps of 512 fresh points.

    Both orders of the columns and two slopes race for 1,500 steps of the same points;
    the one with the lowest loss of the last of them is trained anew.
    """
    race, steps = (1, 3) if quick else (1_500, 5_000)
    count = 1 if quick else 6
    starts = [(order, slope) for order in ((0, 1), (1, 0)) for slope in (0.5, 0.7)]
    base = tfd.MultivariateNormalDiag(tf.zeros(2), tf.ones(2))
    for toy, bar, reference in (
        ("jang_gaussian", 4.96, "floor 4.9541"),
        ("parabola", 4.39, "floor 4.2242"),
    ):
        x = datasets.toy(toy, steps * 512, 0).reshape(steps, 512, 2)
        losses = [
            trained(jang_chain(*start, count), x, race, base)[0] for start in starts
        ]
        best = starts[int(np.nanargmin(losses))]
        _, density = trained(jang_chain(*best, count), x, steps, base)
        found = nll(density, datasets.toy(toy, HELD_OUT, 1_000))
        yield Figure(f"{toy}: NLL", found, bar, reference=reference)


@entry("asymmetric-bimodal", "E6", "CDE_with_BNF, toy of 5,000 points")
def bimodal_by_half(quick: bool) -> Iterator[Figure]:
    """Conditional densities, 4,000 points to fit, 100,000 fresh ones to score."""
    name = "asymmetric_bimodal"
    x, condition = datasets.conditional_toy(name, 200 if quick else 4_000, 0)
    test = datasets.conditional_toy(name, HELD_OUT, 1)
    for flow in ("maf-mol", "nsf-ar"):
        options = {**TINY, "epochs": 1} if quick else {}
        fitted, _ = tfp_flows.fit(flow, x, condition, seed=0, verbose=0, **options)
        reference = "mixture 2.092, flow 2.221"
        yield Figure(f"{flow}: NLL", nll(fitted, *test), 2.09, reference=reference)


@entry("normalizing-flow-network", "E8", "siboehm/NormalizingFlowNetwork, two toys")
def flow_network(quick: bool) -> Iterator[Figure]:
    """Conditional densities from 400 points, judged at evenly spaced conditions."""
    even = np.repeat(np.linspace(-3.0, 3.0, 1_000), 20)
    for name, bars, published in (
        ("sinusoidal", (0.45, 1.62), "1.70"),
        ("bimodal", (0.1012, 1.50), "1.66"),
    ):
        x, condition = datasets.conditional_toy(name, 400, 0)
        test, given = datasets.conditional_toy(name, len(even), 1, condition=even)
        truth = datasets.conditional_toy_log_prob(name, test, given)
        for members in (1, 5):
            options = {**TINY, "epochs": 1} if quick else {}
            if members > 1:
                options["members"] = members
            flow, _ = tfp_flows.fit(
                "maf-mol", x, condition, seed=0, verbose=0, **options
            )
            off = np.abs(np.exp(flow.log_prob(test, given)) - np.exp(truth))
            what = f"{name}, {members} of maf-mol"
            yield Figure(f"{what}: mean error of density", float(off.mean()), bars[0])
            loss = nll(flow, test, given)
            yield Figure(f"{what}: NLL", loss, bars[1], reference=published)
