# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A posterior for a TFP model
#
# A joint distribution of TensorFlow Probability and its data go in, a posterior comes
# out, with a number that says whether to trust it. The model is the eight schools, in
# the form that is known to be hard: effects around a mean, with a scale that the data
# hardly tell. Four ways are compared: independent normals, a flow, chains that the flow
# helps (NeuTra), and a long reference. It takes a good minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf

SEED = 0

# %% [markdown]
# ## The model
#
# Coaching for a test was tried in eight schools. Each has an estimated gain and its
# standard error (Rubin, 1981).

# %%
gains = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]
errors = tf.constant([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
_, ax = plt.subplots(figsize=(6, 2.5))
ax.errorbar(range(1, 9), gains, errors, fmt="o", color="black")
ax.axhline(np.mean(gains), color="tab:red", lw=1)
ax.set(xlabel="school", ylabel="gain in points")

# %% [markdown]
# What to see: nearly all bars reach the common mean, in red. Do the schools differ at
# all? Each has an effect around a mean, with a spread that is to be found, too.

# %%
model = tfd.JointDistributionNamedAutoBatched(
    {
        "mean": tfd.Normal(0.0, 5.0),
        "spread": tfd.HalfCauchy(0.0, 5.0),
        "effect": lambda mean, spread: tfd.Sample(tfd.Normal(mean, spread), 8),
        "gain": lambda effect: tfd.MultivariateNormalDiag(effect, errors),
    }
)
pinned = model.experimental_pin(gain=gains)

# %% [markdown]
# Where `spread` is small all effects are nearly equal, where it is large they are free:
# a funnel, in which one step size suits nowhere.
#
# ## A reference
#
# The same model in other variables, effects in units of the spread, has no funnel.
# Chains of the no-U-turn sampler over it are the reference.

# %%
apart = tfd.JointDistributionNamedAutoBatched(
    {
        "mean": tfd.Normal(0.0, 5.0),
        "spread": tfd.HalfCauchy(0.0, 5.0),
        "unit": tfd.Sample(tfd.Normal(0.0, 1.0), 8),
        "gain": lambda mean, spread, unit: tfd.MultivariateNormalDiag(
            mean[..., None] + spread[..., None] * unit, errors
        ),
    }
)
reference = tfpf.inference.sample_posterior(
    apart.experimental_pin(gain=gains), "nuts", num_draws=1_000, burn_in=300, seed=SEED
)
print(reference)

# %% [markdown]
# ## Independent normals
#
# The usual start: a normal distribution for each number, `exp` for the spread. TFP's
# own `tfp.vi` fits it; here it is the start of `fit_posterior`, with a flow that does
# nothing but move and scale. What do importance weights say of it?

# %%
diagonal = tfpf.flows.Flow.from_maps(
    [
        tfb.Shift(tf.Variable(tf.zeros(10))),
        tfb.Scale(log_scale=tf.Variable(tf.zeros(10))),
    ],
    event_shape=10,
)
mean_field, report = tfpf.inference.fit_posterior(
    pinned, diagonal, start="mean-field", steps=100, repairs=0, seed=SEED, verbose=0
)
print(report)

# %% [markdown]
# ## A flow
#
# The default: RealNVP, trained by its own draws, here from the start that was seen.
# A flow that the report does not trust is then trained on where chains go that start
# there, in up to two rounds; that is left out here (`repairs=0`), for chains follow.

# %%
posterior, report = tfpf.inference.fit_posterior(
    pinned, start="mean-field", steps=600, repairs=0, seed=SEED, verbose=0
)
print(report)

# %% [markdown]
# Where k-hat stays above 0.7, the report says not to trust the weights: some part of
# the posterior, here the neck, has too few draws. More steps help, and so do the chains
# below.
#
# `posterior` is a distribution over the model's own structure, usable wherever TFP
# takes one. `report.sample` are its draws with weights: expectations come with errors.

# %%
print({name: part.shape for name, part in posterior.sample(3, seed=SEED).items()})
better = report.sample.expectation()
print(f"mean {better.value['mean']:.2f} +- {better.stderr['mean']:.2f}")

# %% [markdown]
# ## Chains where the flow made it simple
#
# NeuTra: the no-U-turn sampler runs over the numbers from which the flow makes events,
# and puts right what the flow has wrong. Its flow is another, fast in
# sampling, from the best of several starts.

# %%
chains = tfpf.inference.sample_posterior(
    pinned, "neutra", num_draws=1_000, num_chains=16, burn_in=300, seed=SEED
)
print(chains)

# %% [markdown]
# ## Side by side

# %%


def columns(draws):
    flat = {
        name: np.reshape(part, (-1, *np.shape(part)[2:]))
        for name, part in draws.items()
    }
    return np.stack(
        [flat["mean"], np.log(flat["spread"]), flat["effect"][:, 0]], axis=-1
    )[::4]


units = reference.draws
units = {
    "mean": units["mean"],
    "spread": units["spread"],
    "effect": units["mean"][..., None] + units["spread"][..., None] * units["unit"],
}
found = {
    "independent normals": columns(mean_field.sample([8, 1_000], seed=SEED)),
    "flow": columns(posterior.sample([8, 1_000], seed=SEED)),
    "NeuTra": columns(chains.draws),
}
names = ["mean", "log spread", "effect of school 1"]
truth = columns(units)
for word, rows in found.items():
    away = np.abs(rows.mean(axis=0) - truth.mean(axis=0)) / truth.std(axis=0)
    wide = rows.std(axis=0) / truth.std(axis=0)
    print(
        f"{word:20s} means off by {away.round(2)} sd, scales {wide.round(2)} of right"
    )

# %%
_ = tfpf.plots.corner(
    truth,
    found,
    names=names,
    labels=("reference", "found"),
    figure=plt.figure(figsize=(7, 7)),
)

# %% [markdown]
# What to see: independent normals have a fifth of the width of the spread's logarithm:
# the neck of the funnel, at small spreads, is missing, and so are most large ones. The
# flow has two thirds, and its k-hat was a warning; chains over the same kind of flow
# reach nearly all of it.
#
# ## Into ArviZ
#
# `tfpf.inference.to_arviz(chains)` hands draws over with their names, chains kept, for
# its summaries and plots (`pip install 'tfp_flows[inference]'`).
#
# ## An exercise
#
# Double all gains. Which of the three ways changes its judgement?

# %%
# Your turn:
