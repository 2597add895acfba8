"""Tutorials, talks and systems whose result is that something runs, or a picture."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

import tfp_flows
from published.entries import Figure, entry, least, nll
from published.small import TONYDUAN
from tfp_flows import bijectors as maps
from tfp_flows import datasets, flows, networks, plots, training
from tfp_flows.examples import ex_1d, ex_2d

# A fit that the validation loss stops takes fewer than it may.
MOST_EPOCHS = 999
EXAMPLES = (
    *("planar", "radial", "realnvp", "maf"),
    *("nsf_ar", "nsf_cl", "actnorm", "onebyoneconv"),
)


@entry("examples-as-commands", "A9", TONYDUAN)
def commands(quick: bool) -> Iterator[Figure]:
    """Both examples as commands, for each name of a flow that they have."""
    from PIL import Image

    names = EXAMPLES[:1] if quick else EXAMPLES
    heads = set()
    for example in (ex_1d, ex_2d):
        good = 0
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                out, printed = Path(folder) / f"{name}.png", io.StringIO()
                steps = ["--iterations", "1" if quick else "50", "--n", "500"]
                with contextlib.redirect_stdout(printed):
                    code = example.main(["--flow", name, *steps, "--out", str(out)])
                with Image.open(out) as picture:
                    # Three panels side by side.
                    good += code == 0 and picture.width > 2 * picture.height
                columns = printed.getvalue().splitlines()[0].split()
                heads.add(tuple(word for word in columns if word[-1].isalpha()))
        what = (
            f"{example.__name__.split('.')[-1]}: flows of {len(names)} with a picture"
        )
        yield least(what, good, len(names))
    yield Figure("different columns of the log", len(heads), 1)


@entry("training-gif", "B2", "LinearFlow, a post with code: samples while it learns")
def gif(quick: bool) -> Iterator[Figure]:
    """One call fits a flow and writes the animation."""
    from PIL import Image

    x = datasets.toy("jang_gaussian", 200 if quick else 5_000, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "linear.gif"
        plots.training_gif(path, "linear", x, epochs=1 if quick else 10, seed=0)
        with Image.open(path) as picture:
            frames, shown = picture.n_frames, picture.info["duration"]
    yield least("frames", frames, 30)
    yield Figure("milliseconds of a frame", shown, 200)


def letters(count: int, seed: int) -> np.ndarray:
    """Return points inside of a word, uniform, `[count, 2]`, in units of its height."""
    from matplotlib.path import Path as Path2D
    from matplotlib.textpath import TextPath

    path = TextPath((0.0, 0.0), "SIGGRAPH", size=1.0)
    low, high = path.vertices.min(axis=0), path.vertices.max(axis=0)
    rng = np.random.default_rng(seed)
    x = rng.uniform(low, high, (8 * count, 2))
    inside = np.zeros(len(x), bool)
    for polygon in path.to_polygons():
        # A hole is inside of two outlines.
        inside ^= Path2D(polygon).contains_points(x)
    return x[inside][:count].astype(np.float32)


def normalised() -> flows.Flow:
    """Return the stack of the post: affine couplings, batch norms, permutations."""
    layers: list[maps.Bijector] = []
    for seed in range(6):
        network = networks.MLP(1, (1, 2), (64, 64), seed=seed)
        layers.append(maps.Coupling(maps.Affine(), network, [True, False]))
        layers += [maps.BatchNorm.trainable(2), maps.Permutation((1, 0))]
    return flows.Flow.from_maps(layers, base="normal", standardized=True)


@entry("moons-and-letters", "C7", "E. Jang, tutorial part 2; point set of letters")
def jang(quick: bool) -> Iterator[Figure]:
    """Letters of our own, as those of the post are not at hand: beside kernels.

    The bars are the published distances to a kernel density, whose NLL is .234 there.
    """
    from sklearn.neighbors import KernelDensity

    few = {"hidden_units": (8,), "num_layers": 1, "epochs": 1} if quick else {}
    x = letters(200 if quick else 9_800, 0)
    cut = len(x) * 4 // 5
    center, scale = x[:cut].mean(axis=0), x[:cut].std(axis=0)
    x = (x - center) / scale
    kernels = max(
        KernelDensity(bandwidth=width).fit(x[:cut]).score(x[cut:]) / (len(x) - cut)
        for width in (0.02, 0.03, 0.05, 0.08, 0.12)
    )
    yield Figure("letters, kernels (best of five widths): NLL", -kernels)
    rows: list[tuple[str, Any, float | None]] = [
        (name, name, {"maf": 0.186, "nsf-ar": 0.066}.get(name))
        for name in ("realnvp", "maf", "iaf", "nsf-ar")
    ]
    rows.append(("couplings, BatchNorm, Permutation", normalised(), None))
    for what, flow, bar in rows[: 1 if quick else None]:
        fitted, _ = tfp_flows.fit(flow, x[:cut], seed=0, verbose=0, **few)
        over = nll(fitted, x[cut:]) + kernels
        yield Figure(f"letters, {what}: NLL over kernels", over, bar)
    if quick:
        return
    moons = datasets.toy("two_moons", 9_800, 0)
    test = datasets.toy("two_moons", 100_000, 1)
    for name in ("realnvp", "maf", "iaf", "nsf-ar"):
        flow, _ = tfp_flows.fit(name, moons[:cut], seed=0, verbose=0)
        bar = {"maf": 0.42, "nsf-ar": 0.30}.get(name)
        found = nll(flow, test)
        yield Figure(f"moons, {name}: NLL", found, bar, reference="floor 0.2892")


def in_a_joint_distribution(x: np.ndarray, flow: flows.Flow) -> bool:
    """A flow is a prior of a joint model."""
    model = tfd.JointDistributionSequential(
        [flow.distribution(), lambda z: tfd.Independent(tfd.Normal(z, 0.1), 1)]
    )
    draws = model.sample(4, seed=1)
    parts = flow.log_prob(draws[0]) + model.log_prob_parts(draws)[1]
    return bool(np.allclose(model.log_prob(draws), parts, rtol=1e-4, atol=1e-4))


def as_a_surrogate(x: np.ndarray, flow: flows.Flow) -> bool:
    """A flow is trained by TFP's variational loss."""
    target = tfd.MultivariateNormalDiag(
        tf.constant([1.0, -1.0]), tf.constant([0.5] * 2)
    )
    surrogate = flows.build("realnvp", 2, seed=0, num_layers=2, hidden_units=(16,))
    optimizer = keras.optimizers.Adam(1e-2)
    losses = []
    for seed in range(60):
        with tf.GradientTape() as tape:
            loss = tfp.vi.monte_carlo_variational_loss(
                target.log_prob, surrogate.distribution(), sample_size=64, seed=seed
            )
        variables = surrogate.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        losses.append(float(loss))
    return bool(np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5]))


def in_a_transition_kernel(x: np.ndarray, flow: flows.Flow) -> bool:
    """Its map straightens the space of a chain."""
    kernel = tfp.mcmc.TransformedTransitionKernel(
        tfp.mcmc.HamiltonianMonteCarlo(flow.log_prob, 0.5, 2), flow.bijector()
    )
    state = tf.constant(x[:64])
    draws, accepted = tfp.mcmc.sample_chain(
        20, state, kernel=kernel, seed=2,
        trace_fn=lambda _, results: results.inner_results.is_accepted,
    )  # fmt: skip
    found = np.mean(accepted) > 0.5 and np.all(np.isfinite(draws))
    return bool(found)


def with_callbacks_and_files(x: np.ndarray, flow: flows.Flow) -> bool:
    """Keras trains it with callbacks; its weights are saved and loaded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "best.weights.h5"
        trained, other = (flows.build("realnvp", 2, seed=s) for s in (0, 1))
        trained.adapt(x)
        trained.compile(keras.optimizers.Adam(1e-3))
        saving = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
        trained.fit(x, epochs=1, verbose=0, callbacks=[saving])
        other.load_weights(path)
        return bool(np.array_equal(trained.log_prob(x), other.log_prob(x)))


def in_a_keras_file(x: np.ndarray, flow: flows.Flow) -> bool:
    """A file of Keras gives bit for bit what was saved."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flow.keras"
        flow.save(path)
        loaded = keras.saving.load_model(path)
        return bool(np.array_equal(loaded.log_prob(x), flow.log_prob(x)))


DOORS: tuple[Callable[[np.ndarray, flows.Flow], bool], ...] = (
    in_a_joint_distribution,
    as_a_surrogate,
    in_a_transition_kernel,
    with_callbacks_and_files,
    in_a_keras_file,
)


@entry("drop-in", "D13", "TFP's joint models, VI and chains; Keras' fit and files")
def drop_in(quick: bool) -> Iterator[Figure]:
    """A fitted flow where TFP and Keras take one of theirs."""
    x = datasets.toy("two_moons", 500, 0)
    flow, _ = tfp_flows.fit("nsf", x, seed=0, verbose=0, epochs=2, num_layers=2)
    for door in DOORS[: 1 if quick else None]:
        words = door.__name__.replace("_", " ")
        yield least(f"{words}: works", float(door(x, flow)), 1.0)


@entry("equal-dimensions", "F7", "Papamakarios et al. 2019, limits of flows")
def equal_dimensions(quick: bool) -> Iterator[Figure]:
    """Events of another size are refused in a sentence that names both sizes."""
    names = ("realnvp", "maf", "nsf", "rbig", "linear")[: 1 if quick else None]
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    refused = 0
    for name in names:
        flow, _ = tfp_flows.fit(name, x, seed=0, verbose=0, **_few(name))
        try:
            flow.log_prob(x[:, :2])
        except ValueError as error:
            refused += "3" in str(error)
    yield least(
        f"flows of {len(names)} that refuse two columns for three", refused, len(names)
    )


def _few(name: str) -> dict[str, int]:
    return {"num_layers": 2} if name == "rbig" else {"epochs": 1}


@entry("training-by-one-fit", "F8", "Papamakarios et al. 2019, section on training")
def one_fit(quick: bool) -> Iterator[Figure]:
    """Likelihood, reverse KL, stopping, schedules and dequantisation by `fit`."""
    x = datasets.toy("jang_gaussian", 300 if quick else 4_000, 0)
    floor = f"floor {datasets.toy_entropy('jang_gaussian'):.4f}"
    test = datasets.toy("jang_gaussian", 10_000, 1)
    few = {"epochs": 1} if quick else {}
    flow, _ = tfp_flows.fit("linear", x, seed=0, verbose=0, **few)
    yield Figure("likelihood: NLL", nll(flow, test), 4.97, reference=floor)
    _, history = tfp_flows.fit("realnvp", x[:200], seed=0, verbose=0, **few)
    stopped = len(history.history["loss"])
    yield Figure("epochs of 200 points, of 1,000 at most", stopped, MOST_EPOCHS)
    target = tfd.MultivariateNormalTriL(scale_tril=[[2.0, 0.0], [1.0, 0.5]])
    kl = training.ReverseKL(target.log_prob, 64)
    steps = {"steps": 5 if quick else 2_000}
    flow = flows.build("linear", 2, seed=0)
    flow, _ = tfp_flows.fit(flow, objective=kl, seed=0, verbose=0, **steps)
    draws = flow.sample(10_000, seed=1)
    lost = float(tf.reduce_mean(flow.log_prob(draws) - target.log_prob(draws)))
    yield Figure("reverse KL: nats", lost, 0.01, reference="0")
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9)
    flow, _ = tfp_flows.fit(
        "linear", x, seed=0, verbose=0, callbacks=[halve], epochs=1 if quick else 30
    )
    yield Figure("a schedule of one's own: NLL", nll(flow, test), 4.97, reference=floor)
    counts = np.random.default_rng(0).poisson(3.0, (len(x), 2)).astype(np.float32)
    flow, _ = tfp_flows.fit(
        "nsf-ar", counts, seed=0, verbose=0, epochs=1 if quick else 20
    )
    exact = 2 * float(tfd.Poisson(3.0).log_prob(counts).numpy().mean()) * -1.0
    over = nll(flow, counts) - exact
    yield Figure("counts, dequantised: nats over the truth", over, 0.1, reference="0")
