# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Conditional densities: regression that knows what it does not know
#
# A regressor predicts a number. Where an answer may be one of several, or where noise
# depends on where you are, a number says little. A conditional flow predicts the whole
# distribution. This notebook fits one to answers that are two-fold, takes intervals and
# samples from it, and checks whether its probabilities are true. It takes about a
# minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

from tfp_flows.estimators import ConditionalFlowDensity

SEED = 0

# %% [markdown]
# ## Data with two answers
#
# A cause `y` has an effect `x`. Asked for the cause, as a robot's arm asks for its
# angles, there are up to three answers. The noise grows to the right, too.

# %%
rng = np.random.default_rng(SEED)
y = rng.uniform(0, 1, size=2000)
x = y + 0.3 * np.sin(2 * np.pi * y) + (0.02 + 0.06 * y) * rng.normal(size=2000)
X = x[:, None]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=SEED)
_, ax = plt.subplots(figsize=(6, 4))
ax.plot(x, y, ".", markersize=2)
_ = ax.set(xlabel="x, what is seen", ylabel="y, what is asked for")

# %% [markdown]
# What to see: near the middle a vertical line crosses the cloud three times. The effect
# is `x = y + 0.3 sin(2 pi y) + noise`.
#
# ## A mean is no answer
#
# Boosted trees predict the mean of what is possible, which is in the middle between
# the branches, where there are hardly any data.

# %%
trees = HistGradientBoostingRegressor(random_state=SEED).fit(X_train, y_train)
grid = np.linspace(-0.05, 1.05, 120)[:, None]
model = ConditionalFlowDensity(
    "nsf-ar", options={"num_layers": 2}, epochs=60, random_state=SEED
).fit(X_train, y_train)
heights = np.linspace(-0.1, 1.1, 150)
density = model.predict_dist(grid).prob(heights[:, None]).numpy()
_, ax = plt.subplots(figsize=(6, 4))
image = ax.pcolormesh(grid[:, 0], heights, np.sqrt(density), cmap="Blues")
ax.plot(grid[:, 0], trees.predict(grid), color="tab:red", label="boosted trees")
ax.plot(grid[:, 0], model.predict(grid), color="k", ls=":", label="mean of the flow")
ax.set(xlabel="x", ylabel="y")
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: the density (blue, its square root) follows all branches, wide where the
# noise is. Both means agree with each other, and with hardly any of the data.
#
# ## From the density to numbers
#
# Everything else follows from the distribution of each row: quantiles, intervals,
# probabilities, samples. `predict_dist` is a `tfd.Distribution` with one density for
# each row.

# %%
rows = np.array([[0.1], [0.5], [0.9]])
print("median and tails:\n", model.predict(rows, quantiles=[0.05, 0.5, 0.95]).round(2))
above = 1.0 - model.predict_dist(rows).cdf(0.5).numpy()
print("probability that y > 0.5:", above.round(2))
draws = model.sample(rows, 500, random_state=SEED)
_, ax = plt.subplots(figsize=(6, 3))
ax.hist(list(draws), bins=40, histtype="step", label=[f"x = {r[0]}" for r in rows])
ax.set(xlabel="y", ylabel="draws")
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: at 0.5 the draws have several humps, at 0.1 and 0.9 one.
#
# ## Are the probabilities true?
#
# If `F(y | x)` is the predicted distribution function, then `u = F(y | x)` of new rows
# must be uniform: a tenth of them below 0.1, and so on. That is calibration, and needs
# rows that the fit has not seen.

# %%
u = model.predict_dist(X_test).cdf(y_test).numpy()
_, ax = plt.subplots(figsize=(6, 3))
ax.hist(u, bins=20, range=(0, 1))
ax.axhline(len(u) / 20, color="k", ls=":")
ax.set(xlabel="F(y | x) of new rows", ylabel="rows")
low, high = model.predict_interval(X_test, coverage=0.9).T
inside = np.mean((low <= y_test) & (y_test <= high))
print(f"intervals of 90 % hold {inside:.1%} of {len(y_test)} new targets")

# %% [markdown]
# What to see: a level histogram, apart from chance. A hump in the middle would mean
# intervals that are too wide, heaps at both ends intervals that are too narrow.
#
# ## Real data
#
# The progress of diabetes a year on, given ten measurements of 442 patients, of which
# 331 are fitted: few, so the network is small. Intervals differ by patient.

# %%
X, target = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, target, random_state=SEED)
small = {"num_layers": 1, "hidden_units": (16,), "dropout": 0.2}
patients = ConditionalFlowDensity(
    "nsf-ar", options=small, epochs=60, random_state=SEED
).fit(X_train, y_train)
low, high = patients.predict_interval(X_test, coverage=0.9).T
mean = patients.predict(X_test)
order = np.argsort(mean)
_, ax = plt.subplots(figsize=(6, 3.5))
ax.fill_between(np.arange(len(order)), low[order], high[order], alpha=0.3)
ax.plot(mean[order], label="mean")
ax.plot(y_test[order], ".", label="measured")
ax.set(xlabel="new patients, by mean", ylabel="progress")
ax.legend(frameon=False)
inside = np.mean((low <= y_test) & (y_test <= high))
print(f"intervals of 90 % hold {inside:.1%} of {len(y_test)} new patients")
print(f"log-density of new targets: {patients.score(X_test, y_test):.2f} nats")

# %% [markdown]
# What to see: wide intervals, since ten measurements tell little; they widen with the
# mean, and hold about as many patients as they say, within what 111 patients can show.
#
# ## An exercise
#
# Fit the first model to 200 rows in place of 1,500, and to 50. How do the histogram of
# `F(y | x)` and the score on `X_test` change? Then take `flow="maf"` with one layer,
# whose densities are Gaussians: where does it put the branches?

# %%
# Your turn:
