# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # VAEs with flows
#
# A variational autoencoder explains images by a few latent numbers. Its encoder
# guesses them, most often by a Gaussian; a flow after the Gaussian can guess better.
# This notebook trains small autoencoders on black and white digits (scikit-learn's,
# 8 x 8 pixels), reads their bounds in nats, and looks at what they draw. It takes about
# a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from tfp_flows import models

SEED = 0
digits = load_digits()
x = (digits.data > 7).astype("float32")
order = np.random.default_rng(SEED).permutation(len(x))
train, test = x[order[:1_400]], x[order[1_400:]]
test_digit = digits.target[order[1_400:]]

# %% [markdown]
# ## Two numbers, to look at
#
# With two latent numbers the posterior of each image is a spot in the plane. The prior
# is a flow here, which learns where the spots lie.

# %%
flat = models.FlowVAE(
    64, 2, posterior="iaf", posterior_options={"num_layers": 2}, prior="maf",
    hidden_units=(128, 64), warmup_steps=100, seed=SEED,
)  # fmt: skip
flat.compile(keras.optimizers.Adam(3e-3))
history = flat.fit(train, epochs=30, batch_size=100, verbose=0)
z = flat.encode(test, seed=SEED).numpy()
prior = flat.sample_latent(2_000, seed=SEED).numpy()

figure, axes = plt.subplots(1, 2, figsize=(10, 4))
axes[0].plot(history.history["loss"])
axes[0].set(xlabel="epoch", ylabel="negative bound, nats per image")
axes[1].plot(*prior.T, ".", color="0.8", ms=3, zorder=0)
spots = axes[1].scatter(*z.T, c=test_digit, cmap="tab10", s=12)
axes[1].set(xlabel="first latent number", ylabel="second latent number")
_ = figure.colorbar(spots, ax=axes[1], label="digit", ticks=range(10))

# %% [markdown]
# What to see: digits of a class lie together though no class was shown, and the flow of
# the prior (grey) covers where they lie, and not much else.
#
# ## Eight numbers, and bounds
#
# The loss is the negative evidence lower bound: nats per image, the sum over pixels.
# The importance-weighted bound (`log_prob_bound`) comes closer to `log p(x)`, and is
# what to compare models by.

# %%
found = {}
for name, options in {
    "gaussian": {},
    "sylvester": {"num_layers": 3},
    "iaf": {"num_layers": 2},
}.items():
    vae = models.FlowVAE(
        64, 8, posterior=name, posterior_options=options, hidden_units=(128, 64),
        warmup_steps=140, seed=SEED,
    )  # fmt: skip
    vae.compile(keras.optimizers.Adam(3e-3))
    vae.fit(train, epochs=25, batch_size=100, verbose=0)
    elbo = -vae.elbo(test, draws=10, seed=SEED).mean()
    bound = -vae.log_prob_bound(test, draws=100, seed=SEED).mean()
    found[name] = vae
    print(f"{name:>10}: -ELBO {elbo:.2f} nats, weighted bound {bound:.2f}")
independent = np.clip(train.mean(axis=0), 1e-3, 1 - 1e-3)
plain = test * np.log(independent) + (1 - test) * np.log(1 - independent)
print(f"  independent pixels: {-plain.sum(axis=1).mean():.2f}")

# %% [markdown]
# What to see: every autoencoder is far below independent pixels. Among them fractions
# of a nat count, and one seed says little: `benchmarks/learning/vaes.py` repeats this
# longer and with seeds.
#
# ## Draws and reconstructions

# %%
vae = found["iaf"]
again = vae.reconstruct(test[:10], seed=SEED).numpy()
new = vae.sample(10, mean=True, seed=SEED).numpy()
rows = np.concatenate([test[:10], again, new]).reshape(3, 10, 8, 8)
rows = np.pad(rows, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=0.5)
_, ax = plt.subplots(figsize=(8, 2.8))
ax.imshow(rows.transpose(0, 2, 1, 3).reshape(30, 100), "gray")
ax.set(xticks=[], yticks=[4.5, 14.5, 24.5], yticklabels=["test", "again", "new"])
_ = ax.set_title("digits, their reconstructions, and new ones")

# %% [markdown]
# What to see: reconstructions keep digit and style; most of the new ones are digits.
#
# ## An exercise
#
# Give the best of the models a prior (`prior="maf"`). Which of the two bounds gains?

# %%
# Your turn:
