# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Simulation-based inference
#
# There is a program that simulates data from parameters, and no likelihood. Draw
# parameters from the prior, run the program, and let a flow learn the posterior from
# the pairs: for any observation then in milliseconds. Two moons, whose posterior is
# known by its shape, then a queue whose likelihood nobody writes down, and the checks
# that tell whether to believe it. It takes a minute and a half on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import matplotlib.pyplot as plt
import numpy as np
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf

SEED = 0

# %% [markdown]
# ## Two moons
#
# A point on a crescent, moved by both parameters: two parameters explain a point
# equally well, and the posterior is two crescents.

# %%
prior = tfd.Independent(tfd.Uniform([-1.0, -1.0], [1.0, 1.0]), 1)


def moons(theta, seed):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(-np.pi / 2, np.pi / 2, len(theta))
    radius = rng.normal(0.1, 0.01, len(theta))
    x = radius * np.cos(angle) + 0.25 - np.abs(theta.sum(axis=1)) / np.sqrt(2)
    y = radius * np.sin(angle) + (theta[:, 1] - theta[:, 0]) / np.sqrt(2)
    return np.stack([x, y], axis=1)


theta, x = tfpf.inference.simulate(prior, moons, 5_000, seed=SEED)
npe = tfpf.inference.NPE(prior, seed=SEED)
npe.fit(theta, x, epochs=40, verbose=0)
posterior = npe.posterior([0.0, 0.0])

# %% [markdown]
# The exact posterior, by rejection: parameters whose crescents pass through the point.


# %%
def moons_log_prob(theta):
    shift = np.stack(
        [
            -(0.25 - np.abs(theta.sum(axis=1)) / np.sqrt(2)),
            -(theta[:, 1] - theta[:, 0]) / np.sqrt(2),
        ],
        axis=1,
    )
    radius = np.linalg.norm(shift, axis=1)
    found = -0.5 * ((radius - 0.1) / 0.01) ** 2 - np.log(radius)
    return np.where(shift[:, 0] > 0.0, found, -np.inf)


wide = np.random.default_rng(SEED).uniform(-1.0, 1.0, (400_000, 2))
weights = np.exp(moons_log_prob(wide))
exact = wide[np.random.default_rng(1).uniform(size=len(wide)) < weights / weights.max()]
_, axes = plt.subplots(1, 2, figsize=(7, 3.5), sharex=True, sharey=True)
axes[0].scatter(*exact[:2_000].T, s=2)
axes[1].scatter(*posterior.sample(2_000, seed=SEED).numpy().T, s=2)
for ax, title in zip(axes, ("exact", "NPE, 5,000 simulations"), strict=True):
    ax.set(xlabel="first parameter", title=title, xlim=(-1, 1), ylim=(-1, 1))
_ = axes[0].set_ylabel("second parameter")

# %% [markdown]
# What to see: both crescents, a little too thick, and a thin bridge between them, which
# a flow can make narrow but not cut. More simulations narrow both; for one observation
# `sequential` puts simulations where they count.
#
# ## A queue
#
# M/G/1: customers arrive at random, are served one after the other, each for a time
# between two limits, and only the times between departures are seen. Three parameters:
# the limits of the service, the upper one as its excess, and the rate of arrival. Its
# likelihood is an integral over all that was not seen.

# %%
queue_prior = tfd.JointDistributionNamed(
    {
        "least": tfd.Uniform(0.0, 5.0),
        "excess": tfd.Uniform(0.0, 5.0),
        "rate": tfd.Uniform(0.05, 0.4),
    }
)
CUSTOMERS = 50


def queue(theta, seed):
    rng = np.random.default_rng(seed)
    least, excess, rate = (
        np.asarray(theta[k])[:, None] for k in ("least", "excess", "rate")
    )
    size = (len(least), CUSTOMERS)
    arrival = np.cumsum(rng.exponential(size=size) / rate, axis=1)
    service = least + excess * rng.uniform(size=size)
    departure = np.zeros(size)
    free = np.zeros(len(least))
    for i in range(CUSTOMERS):
        free = np.maximum(free, arrival[:, i]) + service[:, i]
        departure[:, i] = free
    gaps = np.diff(departure, axis=1, prepend=0.0)
    return np.log(np.quantile(gaps, [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0], axis=1).T)


theta, x = tfpf.inference.simulate(queue_prior, queue, 6_000, seed=SEED)
npe = tfpf.inference.NPE(queue_prior, seed=SEED)
npe.fit(theta, x, epochs=40, verbose=0)

# %%
truth = {"least": 1.0, "excess": 4.0, "rate": 0.2}
observed = queue({k: np.array([v]) for k, v in truth.items()}, seed=7)[0]
draws = npe.posterior(observed).sample(2_000, seed=SEED)
rows = np.stack([draws[name] for name in npe.names], axis=-1)
_ = tfpf.plots.corner(
    rows,
    names=list(npe.names),
    truths=[truth[name] for name in npe.names],
    figure=plt.figure(figsize=(5.5, 5.5)),
)

# %% [markdown]
# What to see: the lower limit is known well, for no gap between departures can be
# shorter; its excess and the rate of arrival less. Lines are the parameters that made
# the data. No draw lies outside of the prior's bounds.
#
# ## Is it right?
#
# On new pairs the true parameter must have a uniform rank among the draws of its
# posterior, and sets that claim 90 % must hold it in 90 % of cases.

# %%
test_theta, test_x = tfpf.inference.simulate(queue_prior, queue, 300, seed=SEED + 1)
test_theta = np.stack([test_theta[name] for name in npe.names], axis=-1)
many = npe.draws(test_x, 200, seed=SEED)
ranks = tfpf.diagnostics.sbc(test_theta, many, names=npe.names)
covered = tfpf.diagnostics.coverage(test_theta, many)
print(ranks)
print(covered)

# %%
_ = tfpf.plots.rank_ecdf(ranks)

# %%
_ = tfpf.plots.coverage(covered)

# %% [markdown]
# What to see: curves inside of their bands. Now plant a fault, posteriors that are too
# narrow by a third:

# %%
middle = many.mean(axis=1, keepdims=True)
narrow = middle + (many - middle) / 1.5
print(tfpf.diagnostics.sbc(test_theta, narrow, names=npe.names))
_ = tfpf.plots.rank_ecdf(tfpf.diagnostics.sbc(test_theta, narrow, names=npe.names))

# %% [markdown]
# What to see: the curves leave the bands, as an S: too many true parameters lie at the
# ends of the draws.
#
# ## An exercise
#
# Hand the fifty gaps over as they are, with `embedding=tfpf.inference.SetEmbedding(8)`
# and `x[..., None]`. Are quantiles chosen by hand better?

# %%
# Your turn:
