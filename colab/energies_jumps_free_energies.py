# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Energies, jumps and free energies
#
# A density is known up to a constant, as an energy, and there are no data. A flow
# learns to draw from it. The trouble is with modes that lie apart: a fit can lose one,
# and a chain stays where it began. This notebook fits four bent energies, lets chains
# jump between eight wells, and tells how much one of two wells is worth. It takes a
# minute and a half on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf

SEED = 0

# %% [markdown]
# ## Four energies
#
# Of Rezende and Mohamed (2015), who introduced flows with them: two arcs, a wave, and
# two waves that part in different ways.

# %%


def wave(x):
    return tf.sin(0.5 * np.pi * x)


def on_box(log_density, x):
    outside = tf.nn.relu(tf.abs(x) - 4.0)  # the waves run on forever: a wall
    return log_density - 20.0 * tf.reduce_sum(outside**2, axis=-1)


def u1(z):
    x, y = z[..., 0], z[..., 1]
    arcs = tf.reduce_logsumexp(
        [-0.5 * ((x - m) / 0.6) ** 2 for m in (2.0, -2.0)], axis=0
    )
    return arcs - 0.5 * ((tf.sqrt(x**2 + y**2 + 1e-12) - 2.0) / 0.4) ** 2


def u2(z):
    x, y = z[..., 0], z[..., 1]
    return on_box(-0.5 * ((y - wave(x)) / 0.4) ** 2, z)


def two_waves(z, shift, widths):
    x, y = z[..., 0], z[..., 1]
    tops = [y - wave(x), y - wave(x) + shift]
    pairs = zip(tops, widths, strict=True)
    return on_box(
        tf.reduce_logsumexp([-0.5 * (t / w) ** 2 for t, w in pairs], axis=0), z
    )


def u3(z):
    return two_waves(
        z, 3.0 * tf.exp(-0.5 * ((z[..., 0] - 1.0) / 0.6) ** 2), (0.35, 0.35)
    )


def u4(z):
    return two_waves(z, 3.0 * tf.sigmoid((z[..., 0] - 1.0) / 0.3), (0.4, 0.35))


# %%
energies = {"u1": u1, "u2": u2, "u3": u3, "u4": u4}
reports = {}
for name, energy in energies.items():
    flow = tfpf.flows.build("nsf", 2, num_layers=3, hidden_units=(32, 32), seed=SEED)
    _, reports[name] = tfpf.inference.fit_posterior(
        energy, flow, objective="alpha", start="none", steps=290, draws=4_000,
        repairs=0, seed=SEED, verbose=0,
    )  # fmt: skip
    value, stderr = reports[name].sample.log_evidence
    print(
        f"{name}: log Z {value:.3f} +- {stderr:.3f}, ESS per draw "
        f"{reports[name].ess_per_draw:.2f}, k-hat {reports[name].k_hat:.2f}"
    )

# %%
grid = np.linspace(-4.5, 4.5, 150, dtype="float32")
plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape((-1, 2))
_, axes = plt.subplots(2, 4, figsize=(10, 5), sharex=True, sharey=True)
for column, (name, energy) in enumerate(energies.items()):
    density = np.exp(energy(plane).numpy()).reshape((150, 150))
    axes[0, column].pcolormesh(grid, grid, density, shading="auto")
    axes[0, column].set_title(name)
    flow, whitened = reports[name].flow, reports[name].whitened
    drawn = whitened.unwhitened(flow.sample(4_000, seed=SEED)).numpy()
    axes[1, column].hist2d(*drawn.T, bins=75, range=[[-4.5, 4.5]] * 2)
    axes[1, column].set_xlabel("x")
for ax, word in zip(axes[:, 0], ("energy", "draws of the flow"), strict=True):
    ax.set_ylabel(f"{word}: y")

# %% [markdown]
# What to see: above exp(-energy), below draws. Both parts of each are there. `k-hat`
# says how far reweighted draws can be trusted (below 0.7), and log Z comes with the
# draws.
#
# ## Chains that jump
#
# Eight wells on a circle, each as deep as the others. Chains of the no-U-turn sampler
# all start in one. Do they know?

# %%
angle = np.arange(8) * np.pi / 4
centres = 4.0 / 1.414 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
wells = tfd.MixtureSameFamily(
    tfd.Categorical(logits=tf.zeros(8)),
    tfd.MultivariateNormalDiag(centres.astype("float32"), tf.fill([8, 2], 0.35)),
)
stuck = tfpf.inference.sample_posterior(
    wells, "nuts", start="laplace", num_draws=400, burn_in=100, seed=SEED
)
print(stuck)

# %%
jumping = tfpf.inference.sample_posterior(
    wells,
    "flow-mcmc",
    tfpf.flows.build("nsf", 2, num_layers=3, hidden_units=(32, 32), seed=SEED),
    start="laplace",
    num_draws=2_000,
    num_states=512,
    burn_in=100,
    seed=SEED,
)
print(jumping)


# %%
def shares(draws):
    x = draws.reshape((-1, 2))
    nearest = np.argmin(np.linalg.norm(x[:, None] - centres, axis=-1), axis=-1)
    return np.bincount(nearest, minlength=8) / len(x)


_, axes = plt.subplots(1, 3, figsize=(10, 3))
for ax, found, word in zip(axes, (stuck, jumping), ("nuts", "flow-mcmc"), strict=False):
    ax.scatter(*found.draws[:, ::5].reshape((-1, 2)).T, s=1)
    ax.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="x", ylabel="y", title=word)
places = np.arange(8)
axes[2].bar(places - 0.2, shares(stuck.draws), 0.4, label="nuts")
axes[2].bar(places + 0.2, shares(jumping.draws), 0.4, label="flow-mcmc")
axes[2].axhline(0.125, color="black", lw=1)
axes[2].set(xlabel="well", ylabel="share of the draws", title="an eighth each")
_ = axes[2].legend(frameon=False)

# %% [markdown]
# What to see: chains without jumps stay in a few wells near the first. Their own R-hat
# shows it only if they ended in different ones: where all stay in one, it looks
# perfect. With jumps each well has its eighth, within a per cent or so.
#
# ## Free energies
#
# Two wells of unequal depth. Simulations gave samples of both, but in equal parts: they
# know the shape of each well, and nothing of their proportion. A flow trained on them,
# reweighted by the energy, puts it right: a Boltzmann generator.


# %%
def log_density(z):
    x, y = z[..., 0], z[..., 1]
    return -(x**4 - 6.0 * x**2 + x) - 0.5 * y**2


rng = np.random.default_rng(SEED)
line = np.linspace(-3.0, 3.0, 6_001)
weights = np.exp(-(line**4 - 6.0 * line**2 + line) - 12.0)
sides = [
    rng.choice(line, 2_000, p=weights * side / np.sum(weights * side))
    for side in (line < 0.0, line > 0.0)
]
first = np.concatenate(sides) + rng.uniform(-5e-4, 5e-4, 4_000)
samples = np.stack([first, rng.normal(size=4_000)], axis=-1).astype("float32")

flow, _ = tfpf.fit(
    "nsf", samples, steps=400, num_layers=3, hidden_units=(32, 32), base="normal",
    validation=None, columns="continuous", seed=SEED, verbose=0,
)  # fmt: skip
found = tfpf.inference.importance_sample(log_density, flow, 40_000, seed=SEED)
gap = tfpf.inference.free_energy_difference(
    found, lambda x: x[:, 0] < 0.0, lambda x: x[:, 0] >= 0.0
)
print(f"right above left: {gap.value:.3f} +- {gap.stderr:.3f} kT, exact 3.380 kT")

# %%
profile = tfpf.inference.free_energy_profile(
    found, lambda x: x[:, 0], np.linspace(-2.6, 2.6, 41)
)
_, ax = plt.subplots(figsize=(5, 3))
exact = -np.log(weights)
ax.plot(line, exact - exact.min(), color="black", lw=1, label="exact")
ax.plot(profile.centres, profile.value, "o", ms=3, label="reweighted flow")
ax.set(xlabel="x", ylabel="free energy [kT]", ylim=(-0.5, 14), xlim=(-2.6, 2.6))
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: both wells and their difference are right, though the samples had it
# wrong. On top of the barrier no sample was, and few draws are: points are missing or
# scatter there.
#
# ## An exercise
#
# Give one of the eight wells a weight of 0.3 and the others 0.1 each. Do the shares
# follow?

# %%
# Your turn:
