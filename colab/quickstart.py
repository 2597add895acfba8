# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Quickstart: the density of white wines
#
# A normalizing flow is a density that you fit to data, and then score, sample, save
# and load. This notebook fits one to eleven measurements of 4,898 white wines, compares
# it with a Gaussian and with a mixture of Gaussians on wines that none of them saw, and
# ends with a conditional density. It takes about a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.mixture import GaussianMixture

import tfp_flows as tfpf

SEED = 0

# %% [markdown]
# ## The data
#
# The table comes with the package (UCI Wine Quality, P. Cortez and others, CC BY 4.0).
# Its rows are divided into ten folds: fold 0 is held out here. Many wines are listed
# several times; `split` puts all copies of a wine on one side, so that those held out
# are new. The values stay in their own units. The flow standardises inside, so its
# densities are in these units, too.

# %%
wine = tfpf.datasets.wine("white")
train, test = wine.split(0)
print(len(train), "wines to fit,", len(test), "held out")
for name, low, high in zip(wine.columns, wine.x.min(0), wine.x.max(0), strict=True):
    print(f"{name:>22}: {low:8.3f} to {high:8.3f}")

# %% [markdown]
# ## Fit
#
# One call. It holds a tenth of the rows back, watches their likelihood, stops when that
# no longer rises, and restores the best weights. The 40 passes over the data that are
# allowed here are few, to be quick; without `epochs` it chooses itself.

# %%
flow, history = tfpf.fit(
    "nsf-ar", train.x, columns=train.columns, epochs=40, seed=SEED, verbose=0
)
print(flow)

# %%
ax = tfpf.plots.history(history, ax=plt.subplots(figsize=(6, 3.5))[1])

# %% [markdown]
# What to see: both curves fall steeply and flatten. The dot is the best epoch on the
# rows held back, whose weights the flow keeps. At first the training curve is the
# higher one, since dropout acts on it only.
#
# ## Held-out likelihood
#
# The mean log-density of wines that no model saw, in nats, of columns in their own
# units (standardised ones would shift all figures by the same constant). Higher is
# better, and 1 nat more means that the model finds a typical wine 2.7 times as likely.

# %%
loc, scale = train.x.mean(0), train.x.std(0)


def score_mixture(num_components):
    """Fit a Gaussian mixture to standardised rows; score in the units of the data."""
    mixture = GaussianMixture(num_components, random_state=SEED)
    mixture.fit((train.x - loc) / scale)
    return mixture.score_samples((test.x - loc) / scale) - np.log(scale).sum()


scores = {
    "Gaussian": score_mixture(1),
    "10 Gaussians": score_mixture(10),
    "flow": flow.log_prob(test.x).numpy(),
}
for name, score in scores.items():
    error = score.std() / np.sqrt(len(score))
    print(f"{name:>12}: {score.mean():6.2f} +- {error:.2f} nats per wine")

# %% [markdown]
# What to see: the flow beats both. A standard error here is mostly that of one strange
# wine, of which more below: the Gaussian finds it nearly impossible, the flow, whose
# tails adapt, does not.
#
# ## Samples
#
# `flow.sample` draws new wines. The same seed gives the same ones.

# %%
samples = flow.sample(len(wine), seed=SEED).numpy()
columns = ["residual sugar", "chlorides", "density", "pH", "alcohol"]
axes = tfpf.plots.corner(
    wine,
    samples,
    columns=columns,
    names=wine.columns,
    labels=("wines", "samples"),
    figure=plt.figure(figsize=(9, 9)),
)

# %% [markdown]
# What to see: the contours of the samples (50 % and 90 % of them) follow the points of
# the data, also where these are bent or bounded: a sharp peak and a long shoulder in
# residual sugar, and a band of density against sugar.
#
# ## Unusual wines
#
# A density finds the rows that fit in least.

# %%
log_prob = flow.log_prob(wine.x).numpy()
deviations = (wine.x - loc) / scale
for row in np.argsort(log_prob)[:3]:
    column = int(np.abs(deviations[row]).argmax())
    print(
        f"row {row:4d}: log-density {log_prob[row]:6.1f}, {wine.columns[column]} is "
        f"{deviations[row, column]:.1f} standard deviations from the mean"
    )

# %% [markdown]
# ## Save and load
#
# One file holds weights, architecture, the standardisation and the columns' names.

# %%
flow.save("wine.keras")
again = tfpf.load("wine.keras")
print(again.columns[:3], "...")
same = np.array_equal(again.log_prob(test.x), flow.log_prob(test.x))
print("equal bit for bit:", same)

# %% [markdown]
# ## A conditional density
#
# How strong is a wine, given its other ten measurements? Pass them as `condition`. The
# flow then takes one in each call.

# %%
others = [name for name in wine.columns if name != "alcohol"]
conditional, _ = tfpf.fit(
    "nsf",
    train.select(["alcohol"]).x,
    condition=train.select(others).x,
    columns=["alcohol"],
    num_layers=2,
    epochs=15,
    seed=SEED,
    verbose=0,
)
alcohol, condition = test.select(["alcohol"]).x, test.select(others).x
marginal = -0.5 * (np.log(2 * np.pi) + ((alcohol - loc[-1]) / scale[-1]) ** 2)
print(f"Gaussian, no condition: {(marginal - np.log(scale[-1])).mean():.2f} nats")
given_others = conditional.log_prob(alcohol, condition).numpy()
print(f"flow, given the others: {given_others.mean():.2f} nats")

# %%
grid = np.linspace(8, 14.5, 300, dtype="float32")
_, ax = plt.subplots(figsize=(7, 3.5))
for row in (0, 5, 7):
    density = conditional.distribution(condition=condition[row])
    (line,) = ax.plot(grid, density.prob(grid[:, None]), label=f"held-out wine {row}")
    ax.axvline(alcohol[row, 0], color=line.get_color(), linestyle=":")
ax.set(xlabel="alcohol [vol %]", ylabel="density given the other columns")
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: each wine has a density of its own, far narrower than the range of all
# wines, and the measured value (dotted) lies inside it.
#
# ## An exercise
#
# Take `density` instead of `alcohol`, given the others. Why is it so much narrower?
#
# Next: *Flows inside TensorFlow Probability*, and *RealNVP in Keras, in six lines*.

# %%
# Your turn:
