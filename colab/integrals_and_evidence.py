# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Integrals and evidence
#
# A number is wanted: the integral of a function over a box, or the evidence of a model,
# the integral of prior times likelihood. Plain Monte Carlo wastes nearly all points
# where there is nothing; a flow learns to put them where there is something. Each
# estimate comes with an error and a sentence that says whether to believe it, and here
# with the exact value beside it. It takes a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf

SEED = 0

# %% [markdown]
# ## Two humps in a cube
#
# The camel: two Gaussians of width 0.2 on the diagonal of the unit cube. Their tails
# leave the cube, so that the integral is a little below 1; error functions give it.

# %%
DIMS, WIDTH = 4, 0.2


def camel(x):
    scale = 0.5 * (WIDTH * math.sqrt(math.pi)) ** -DIMS
    squares = [np.sum((x - m) ** 2, axis=-1) for m in (1 / 3, 2 / 3)]
    return scale * sum(np.exp(-s / WIDTH**2) for s in squares)


near, far = (math.erf(t / 3 / WIDTH) for t in (1, 2))
exact = (0.5 * (near + far)) ** DIMS
print(f"exact {exact:.6f}")

# %%
found = tfpf.inference.integrate(
    camel, DIMS, evaluations=50_000, num_layers=2, steps=100, seed=SEED
)
print(found)

# %%
uniform = np.random.default_rng(SEED).uniform(size=(50_000, DIMS))
values = camel(uniform)
print(
    f"by uniform points: {values.mean():.4f} +- {values.std() / len(values) ** 0.5:.4f}"
)
print(f"by the flow:       {found.value:.4f} +- {found.stderr:.4f}")

# %% [markdown]
# Both spent the same number of evaluations; half of the flow's went into learning. What
# has it learned? Its points, on the cube that it works on, from -1 to 1:

# %%
points = 0.5 * (found.flow.sample(3_000, seed=SEED).numpy() + 1.0)
_, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True)
axes[0].scatter(*uniform[:3_000, :2].T, s=2)
axes[1].scatter(*points[:, :2].T, s=2)
for ax, title in zip(axes, ("uniform points", "points of the flow"), strict=True):
    ax.set(xlabel="first coordinate", title=title)
_ = axes[0].set_ylabel("second coordinate")

# %% [markdown]
# What to see: two humps, found without being told that there are two. In rounds that
# adapt, the function enters by a power that rises to 1, while the humps still overlap.
#
# ## Is the error right?
#
# The value of each round of evaluations that counts is an estimate of its own.
# Chi-square says whether they scatter as their errors claim: about 1 is right.

# %%
values, errors = np.array(found.rounds).T
_, ax = plt.subplots(figsize=(5, 2.8))
ax.errorbar(range(len(values)), values, yerr=errors, fmt="o", label="rounds")
ax.axhline(exact, color="black", lw=1, label="exact")
ax.set(xlabel="round", ylabel="integral")
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: each round agrees with the line within a bar or two. `found.judgement`
# says so in words.
#
# ## The evidence of a model, from its chains
#
# A known trap for samplers: two coordinates with two modes each, one pair skewed
# (log-gamma), one Gaussian, and eight more. All factors are densities: the log-evidence
# is 0. Any sampler's draws do; here are exact ones.

# %%
low = tfd.ExpGamma(1.0, log_rate=-10.0)
high = tfd.ExpGamma(1.0, log_rate=-20.0)


def half(first, second):
    return tfd.Mixture(tfd.Categorical(probs=[0.5, 0.5]), [first, second])


factors = [
    half(low, high),
    half(tfd.Normal(10.0, 1.0), tfd.Normal(20.0, 1.0)),
    *[low] * 3,
    *[tfd.Normal(10.0, 1.0)] * 5,
]


def log_gamma(x):
    return sum(f.log_prob(x[..., i]) for i, f in enumerate(factors))


draws = tf.stack([f.sample(6_000, seed=i) for i, f in enumerate(factors)], axis=-1)
_ = tfpf.plots.corner(
    draws[:2_000, :3].numpy(),
    figure=plt.figure(figsize=(5, 5)),
    names=["u1", "u2", "u3"],
)

# %% [markdown]
# What to see: four islands in `u1` and `u2`, with tails to the left in `u1` and `u3`.
#
# `evidence` fits a flow to half of the draws. Bridge sampling with the other half, and
# importance sampling by the flow alone, must agree.

# %%
found = tfpf.inference.evidence(
    log_gamma, draws, seed=SEED, num_draws=6_000, epochs=40, num_layers=2
)
print(found)

# %%
names = ["bridge sampling", "importance sampling"]
pairs = [found.bridge, found.importance]
_, ax = plt.subplots(figsize=(5, 1.8))
ax.errorbar(
    [p.value for p in pairs], [0, 1], xerr=[2 * p.stderr for p in pairs], fmt="o"
)
ax.set_yticks([0, 1], names)
ax.axvline(0.0, color="black", lw=1)
_ = ax.set(xlabel="log-evidence [nats], two standard errors", ylim=(-0.5, 1.5))

# %% [markdown]
# What to see: both bars meet the exact value, and each other. Draws that miss one of
# the islands would tell an evidence that is too small by ln(4/3) = 0.29, and both
# estimates would agree on it: no number shows a mode that the draws have missed.
# `sample_posterior(..., "flow-mcmc")` is a sampler that finds such islands.
#
# ## An exercise
#
# Take `DIMS = 8`. By which factor does the error of uniform points grow, and by which
# that of the flow?

# %%
# Your turn:
