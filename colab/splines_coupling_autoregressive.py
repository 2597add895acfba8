# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Splines, coupling, autoregressive
#
# A layer of a flow has two parts. The *transformer* is an increasing map of one number:
# scale and shift, or a spline. The *structure* says which coordinates may steer it:
# in a coupling layer one half steers the other, in an autoregressive layer each
# coordinate is steered by all before it. This notebook draws both parts, says what each
# is good at and what it costs, and ends with a sheet of all toy densities. It takes
# half a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfp_flows as tfpf
from tfp_flows import bijectors as tfpb

SEED = 0

# %% [markdown]
# ## The transformer: a spline
#
# A rational-quadratic spline is monotone by construction: it goes through knots, with a
# positive slope at each. Beyond its interval it is the identity. Its inverse is a
# closed form, the root of a quadratic equation.

# %%
spline = tfpb.RationalQuadratic(num_bins=6, range_min=-3.0, range_max=3.0)
params = np.zeros(spline.params_size, "float32")  # zeros are the identity
params[6:12] = [0.5, -1.5, 1.0, 1.0, -1.5, 0.5]  # logits of the heights of six bins
bent = spline(params)
x = tf.linspace(-4.0, 4.0, 400)
figure, axes = plt.subplots(1, 3, figsize=(12, 3.4))
axes[0].plot(x, bent.forward(x))
axes[0].plot(x, x, ":", color="gray")
axes[0].set(xlabel="x", ylabel="y", title="the map")
axes[1].plot(x, tf.exp(bent.forward_log_det_jacobian(x)))
axes[1].set(xlabel="x", ylabel="slope", title="its slope")
z = tf.random.stateless_normal([20_000], [SEED, 0])
axes[2].hist(np.asarray(bent.forward(z)), bins=80, density=True)
_ = axes[2].set(xlabel="y", ylabel="density", title="a normal behind it")

# %% [markdown]
# What to see: where the map is flat, samples heap up, where it is steep, they thin out.
# One spline of six bins makes three modes of one; scale and shift never could.
#
# ## The structure: who steers whom
#
# The Jacobian of a layer shows it: row `i`, column `j` says whether output `i` depends
# on input `j`. Both kinds are triangular, so the log-det is the sum over the diagonal.

# %%
size = 6
made = tfpf.networks.MADE(size, 2, (32,), order="left-to-right", seed=SEED)
mlp = tfpf.networks.MLP(size // 2, (size // 2, 2), (32,), seed=SEED)
layers = {
    "coupling": tfpb.Coupling(tfpb.Affine(), mlp, mask=[True] * 3 + [False] * 3),
    "autoregressive": tfpb.MaskedAutoregressive(tfpb.Affine(), made),
}
_, axes = plt.subplots(1, 2, figsize=(7, 3.2))
for ax, (name, layer) in zip(axes, layers.items(), strict=True):
    tfpf.testing.perturb(layer, 0.3)  # untrained layers are the identity
    y = tf.random.stateless_normal([1, size], [SEED, 1])
    with tf.GradientTape() as tape:
        tape.watch(y)
        normal = layer.inverse(y)
    jacobian = np.abs(tape.batch_jacobian(normal, y)[0])
    ax.imshow(jacobian, cmap="Blues", vmin=0, vmax=0.5)
    ax.set(title=name, xlabel="coordinate of x", ylabel="coordinate of z")

# %% [markdown]
# What to see: in a coupling layer half of the rows are plain; the other half depends on
# the first. An autoregressive layer fills the triangle: it does more in one layer.
#
# ## What it costs
#
# From data to base, all coordinates are known, and both need one pass of their network.
# From base to data, the autoregressive layer finds one coordinate after the other.
# Inverted, it is fast for samples and slow for the density of data.

# %%
size, rows = 32, 1000
data = tf.random.stateless_normal([rows, size], [SEED, 2])
print(f"seconds for {rows} events of {size} coordinates, second call")
for name in ("nsf", "nsf-ar", "iaf"):
    flow = tfpf.flows.build(name, size, num_layers=2, hidden_units=(64,), seed=SEED)
    seconds = []
    for work, argument in ((flow.log_prob, data), (flow.sample, rows)):
        work(argument)
        start = time.perf_counter()
        work(argument)
        seconds.append(time.perf_counter() - start)
    print(f"{name:>7}: log_prob {seconds[0]:.3f}, sample {seconds[1]:.3f}")

# %% [markdown]
# ## What each is good at
#
# Three flows of two layers and like networks, the same updates, on eight Gaussians. The
# figure is how far they end above the exact entropy, on new points: 0 is perfect.

# %%
x = tfpf.datasets.toy("8gaussians", 4000, seed=SEED)
held_out = tfpf.datasets.toy("8gaussians", 4000, seed=SEED + 1)
options = {"num_layers": 2, "hidden_units": (32, 32), "seed": SEED, "verbose": 0}
options |= {"jit_compile": False, "base": "normal"}
_, axes = plt.subplots(1, 3, figsize=(12, 3.8))
for ax, name in zip(axes, ("realnvp", "nsf", "nsf-ar"), strict=True):
    flow, _ = tfpf.fit(name, x, epochs=10, **options)
    loss = -flow.log_prob(held_out).numpy().mean()
    gap = loss - tfpf.datasets.toy_entropy("8gaussians")
    tfpf.plots.density_2d(flow, num=100, ax=ax)
    ax.set_title(f"{name}: {gap:.2f} nats above the entropy")

# %% [markdown]
# What to see: two affine layers cannot make eight modes of one. The splines can, in
# either structure, and leave threads between the modes: a map is continuous, and cannot
# tear a Gaussian apart.
#
# ## A sheet of all toys
#
# One flow for all: which toy it shall be is the *condition*, a row of zeros with a one.
# Its networks see the condition beside the other coordinates. Above the points, below
# the density given the toy.

# %%
toys = [name for name in tfpf.datasets.toy_names() if not name.startswith("ex_")]
rows = [tfpf.datasets.toy(toy, 2000, seed=SEED) for toy in toys]
units = [(points.mean(axis=0), points.std(axis=0)) for points in rows]
rows = [(p - mean) / scale for p, (mean, scale) in zip(rows, units, strict=True)]
labels = np.eye(len(toys), dtype="float32")
flow, history = tfpf.fit(
    "nsf-ar",
    np.concatenate(rows),
    np.repeat(labels, 2000, axis=0),
    num_layers=2,
    num_bins=12,
    hidden_units=(64, 64),
    base="normal",
    columns="continuous",
    batch_size=512,
    epochs=12,
    jit_compile=False,
    seed=SEED,
    verbose=0,
)
figure, axes = plt.subplots(4, 7, figsize=(14, 8.4))
limits = ((-2.6, 2.6), (-2.6, 2.6))
for k, toy in enumerate(toys):
    above, below = axes[2 * (k // 7) : 2 * (k // 7) + 2, k % 7]
    above.plot(*rows[k][:1500].T, ".", markersize=1)
    above.set(xlim=limits[0], ylim=limits[1], title=toy)
    tfpf.plots.density_2d(flow, condition=labels[k], limits=limits, num=80, ax=below)
for ax in axes.flat:
    ax.set(xlabel="", ylabel="", xticks=[], yticks=[])
plt.tight_layout()

# %% [markdown]
# What to see: smooth shapes are done; the thin ones (spirals, rings) are blurred, after
# a few hundred updates for all fourteen. More layers and updates sharpen them: the
# picture at the top of the README has a flow for each, with default settings.
#
# ## An exercise
#
# In the comparison, exchange the transformer and keep the structure: `"coupling"` with
# `transformer=tfpb.Bernstein(12)`, `tfpb.LogisticMixture(8)`, `tfpb.DeepSigmoidal(8)`.
# Which is the best on `8gaussians`, and which has the fastest samples?

# %%
# Your turn:
