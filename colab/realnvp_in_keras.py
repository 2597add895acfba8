# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # RealNVP in Keras, in six lines
#
# The Keras examples have a page, *Density estimation using Real NVP*, with two hundred
# lines: coupling layers, their networks, the log-det, a training step. Here is the same
# task, two moons, with a library that has all of that, and with three things that the
# page has not: a score on points that were held out, beside the best score that is
# possible; callbacks; and a file. It takes half a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfp_flows as tfpf

SEED = 0

# %% [markdown]
# ## The data
#
# Two half circles with Gaussian noise around them. The density of `toy` is known, so
# that we shall know how far a fit is from the truth.

# %%
name = "two_moons_noisy"
x = tfpf.datasets.toy(name, 6000, seed=SEED)
held_out = tfpf.datasets.toy(name, 6000, seed=SEED + 1)
entropy = tfpf.datasets.toy_entropy(name)
_, ax = plt.subplots(figsize=(5, 3.5))
ax.plot(*x.T, ".", markersize=1)
_ = ax.set(xlabel="x0", ylabel="x1", title=f"exact entropy {entropy:.3f} nats")

# %% [markdown]
# What to see: two moons of one width. No density has a mean negative log-likelihood
# below their entropy, on points that it has not seen.
#
# ## The six lines

# %%
flow = tfpf.flows.build("realnvp", 2, num_layers=8, hidden_units=(64, 64), seed=SEED)
flow.adapt(x)
rate = keras.optimizers.schedules.CosineDecay(5e-3, decay_steps=60 * 6000 // 256)
flow.compile(optimizer=keras.optimizers.Adam(rate))
history = flow.fit(x, epochs=60, batch_size=256, validation_data=held_out, verbose=0)
gap = flow.evaluate(held_out, verbose=0) - entropy

# %%
print(f"held out: {gap + entropy:.3f} nats, {gap:.3f} above the exact entropy")
ax = tfpf.plots.history(history, ax=plt.subplots(figsize=(6, 3.5))[1])
ax.axhline(entropy, color="k", ls=":", label="exact entropy")
ax.set_ylim(bottom=entropy - 0.03)
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: both curves fall together and end a tenth of a nat above it. `compile`
# wants an optimizer and no loss: a flow's loss is the mean negative log-likelihood,
# in nats. `adapt` sets the units, as `adapt` of a `Normalization` layer does.
#
# ## The four panels
#
# A flow goes both ways. Above: data, and what `inverse` makes of them, which should be
# a round Gaussian. Below: draws of the Gaussian, and what `forward` makes of them,
# which should be the data.

# %%
bijector = flow.bijector()
z = np.random.default_rng(SEED).normal(size=(4000, 2)).astype("float32")
panels = {
    "x: data": held_out[:4000],
    "inverse of data": bijector.inverse(held_out[:4000]),
    "z: draws of the base": z,
    "forward of draws": bijector.forward(z),
}
_, axes = plt.subplots(2, 2, figsize=(8, 7))
colors = ("tab:blue", "tab:orange", "tab:orange", "tab:blue")
for ax, color, (title, points) in zip(axes.flat, colors, panels.items(), strict=True):
    ax.plot(*np.asarray(points).T, ".", markersize=1, color=color)
    ax.set(title=title, xlabel="first coordinate", ylabel="second coordinate")
plt.tight_layout()

# %% [markdown]
# What to see: on the right of the upper row a seam, where the two moons were pulled
# together; below, some points between the moons. The map is continuous and cannot tear
# the Gaussian in two. How much mass is between them?

# %%
samples = flow.sample(20_000, seed=SEED).numpy()
lost = tfpf.datasets.toy_log_prob(name, samples) < -8
print(f"{lost.mean():.2%} of the samples lie where hardly a point of the data does")
_, ax = plt.subplots(figsize=(5.5, 4))
ax = tfpf.plots.density_2d(flow, log=True, colorbar=True, ax=ax)

# %% [markdown]
# What to see: the colours are those of the *log*-density, twelve nats deep. There is a
# bridge between the moons. *Sharp bits* in the documentation says what helps.
#
# ## The layers
#
# Each coupling layer scales and shifts one coordinate by functions of the other.

# %%
figure = plt.figure(figsize=(12, 3))
axes = tfpf.plots.layers(flow, ks=range(0, flow.num_maps + 1, 2), figure=figure)
plt.tight_layout()

# %% [markdown]
# What to see: from the base on the left, points wander column by column until they are
# the moons. The colour is the direction from which a point of the base came.
#
# ## Callbacks
#
# What works with a Keras model works here: learning rates, checkpoints, early stopping,
# and a run that goes on where it stopped.

# %%
flow = tfpf.flows.build("realnvp", 2, num_layers=8, hidden_units=(64, 64), seed=SEED)
flow.adapt(x)
flow.compile(optimizer=keras.optimizers.Adam(3e-3))
more = flow.fit(
    x,
    epochs=8,
    batch_size=256,
    validation_data=held_out,
    callbacks=[
        keras.callbacks.ReduceLROnPlateau(patience=2, factor=0.3),
        keras.callbacks.EarlyStopping(patience=6, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True),
        keras.callbacks.CSVLogger("log.csv"),
    ],
    verbose=0,
)
best = keras.saving.load_model("best.keras")
print("epochs", len(more.history["loss"]), "best", min(more.history["val_loss"]))
print("the checkpoint scores", best.evaluate(held_out, verbose=0))

# %% [markdown]
# ## A file
#
# One file holds the weights, the architecture and the units.

# %%
flow.save("moons.keras")
again = tfpf.load("moons.keras")
same = np.array_equal(again.log_prob(x[:100]), flow.log_prob(x[:100]))
print("equal bit for bit:", same)
print(again.sample(3, seed=SEED).numpy())

# %% [markdown]
# ## And with one word changed
#
# A spline in place of scale and shift bends more in each layer.

# %%
spline, _ = tfpf.fit(
    "nsf", x, num_layers=3, epochs=10, jit_compile=False, seed=SEED, verbose=0
)
score = -spline.log_prob(held_out).numpy().mean()
print(f"nsf, 10 epochs: {score - entropy:.3f} nats above the exact entropy")

# %% [markdown]
# ## An exercise
#
# Train the RealNVP of the six lines on `two_moons`, whose noise is half as large. What
# happens to the gap, and to the share of samples between the moons? Then try `base=`
# with a mixture of two Gaussians (`tfpf.distributions.Base`, or any
# `tfd.Distribution`).

# %%
# Your turn:
