# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Flows inside TensorFlow Probability
#
# The maps of this library are `tfb.Bijector`s and its densities `tfd.Distribution`s, so
# that both work wherever these do: in a joint distribution, in variational inference,
# inside Hamiltonian Monte Carlo on a posterior that a flow has straightened, sliced
# like any batch, and, in one dimension, with a CDF and quantiles. No Keras model is
# needed for any of it. It takes half a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows import bijectors as tfpb

SEED = 0

# %% [markdown]
# ## A picture first
#
# A cloud of points that is no Gaussian, with the density that the next cell fits to it.

# %%
x = tfpf.datasets.toy("banana", 2000, seed=SEED)
_, ax = plt.subplots(figsize=(4.5, 4))
ax.plot(*x.T, ".", markersize=2)
_ = ax.set(xlabel="x0", ylabel="x1")

# %% [markdown]
# ## A density from a map and a base
#
# A *transformer* is a scalar map with parameters, here a rational-quadratic spline. A
# *conditioner* is a network that makes the parameters; MADE is the masked one, whose
# outputs for a coordinate see only the coordinates before it. Together they are an
# autoregressive map. The spline acts on `[-5, 5]`, so a `Standardize` map between it
# and the data holds their location and scale. The distribution lists all variables,
# and any optimizer can train it.


# %%
def autoregressive(transformer, event_size, seed):
    """Return an untrained autoregressive map with a small network."""
    made = tfpf.networks.MADE(event_size, transformer.params_size, (32, 32), seed=seed)
    return tfpb.MaskedAutoregressive(transformer, made)


units = tfpb.Standardize.trainable(2)
units.adapt(x)
spline = tfpb.RationalQuadratic(num_bins=8)
density = tfd.TransformedDistribution(
    tfd.MultivariateNormalDiag(tf.zeros(2)),
    tfpb.Chain([units, autoregressive(spline, 2, SEED)]),
)
losses = tfp.math.minimize(
    lambda: -tf.reduce_mean(density.log_prob(x)),
    num_steps=200,
    optimizer=keras.optimizers.Adam(1e-2),
    trainable_variables=density.trainable_variables,
)
print(len(density.trainable_variables), "trainable variables")
print(f"loss {losses[0]:.2f} -> {losses[-1]:.2f} nats")
print(f"entropy of the data {tfpf.datasets.toy_entropy('banana'):.2f} nats")

# %%
ax = tfpf.plots.density_2d(density, data=x, ax=plt.subplots(figsize=(4.5, 4))[1])

# %% [markdown]
# What to see: the density (blue) follows the bent cloud of points (orange). Its loss
# comes close to the entropy of the data, which no density can undercut for long.
#
# ## In a joint distribution
#
# A fitted density is a part of a model like any other. Here it is the prior of a point
# of which only the second coordinate is measured, with noise.

# %%
joint = tfd.JointDistributionNamed(
    {
        "point": density,
        "measured": lambda point: tfd.Normal(point[..., 1], 0.5),
    }
)
draw = joint.sample(3, seed=SEED)
print({name: value.shape.as_list() for name, value in draw.items()})
print(joint.log_prob(draw).numpy())

# %% [markdown]
# ## Variational inference
#
# The eight schools: the effect of coaching, measured in eight schools, each with a
# known standard error (Rubin, 1981). The effects `theta` scatter around a mean `mu`
# with an unknown deviation `tau`. The posterior has ten dimensions and a funnel: where
# `tau` is small the effects are pinned together.

# %%
effects = np.array([28, 8, -3, 7, -1, 1, 18, 12], "float32")
errors = np.array([15, 10, 16, 11, 9, 11, 10, 18], "float32")

model = tfd.JointDistributionSequential(
    [
        tfd.Normal(0.0, 10.0),  # mu
        tfd.Normal(2.0, 1.0),  # log tau
        lambda log_tau, mu: tfd.Independent(
            tfd.Normal(mu[..., None], tf.exp(log_tau)[..., None] + tf.zeros(8)), 1
        ),
        lambda theta: tfd.Independent(tfd.Normal(theta, errors), 1),
    ]
)


def log_posterior(z):
    """Evaluate the posterior, up to a constant, at `[..., (mu, log tau, theta)]`."""
    return model.log_prob([z[..., 0], z[..., 1], z[..., 2:], effects])


# %% [markdown]
# The surrogate has to be sampled, and its samples scored: an *inverted* autoregressive
# map does both in one pass. Two of them with the affine transformer are enough here.

# %%
rough = tfpb.Standardize(
    np.array([5, 2] + [5] * 8, "float32"), np.array([5, 1] + [8] * 8, "float32")
)
layers = [tfpb.Invert(autoregressive(tfpb.Affine(), 10, seed)) for seed in (1, 2)]
to_posterior = tfpb.Chain([rough, *layers])
surrogate = tfd.TransformedDistribution(
    tfd.MultivariateNormalDiag(tf.zeros(10)), to_posterior
)
rate = keras.optimizers.schedules.CosineDecay(1e-2, decay_steps=500)
losses = tfp.vi.fit_surrogate_posterior(
    log_posterior,
    surrogate,
    optimizer=keras.optimizers.Adam(rate),
    num_steps=500,
    sample_size=64,
    trainable_variables=surrogate.trainable_variables,
    seed=SEED,
    jit_compile=True,
)
_, ax = plt.subplots(figsize=(6, 3))
ax.plot(losses)
_ = ax.set(xlabel="step", ylabel="negative ELBO [nats]", ylim=(31, 40))

# %% [markdown]
# What to see: the bound falls steeply at first and has levelled off at the end.
#
# ## Hamiltonian Monte Carlo in the space of the base
#
# The surrogate is not exact, but its map straightens the posterior. Hamiltonian Monte
# Carlo that moves in the space of the base, and is mapped to the posterior, is exact
# and mixes better (NeuTra, Hoffman and others, 2019). All it takes is one
# `TransformedTransitionKernel`. For comparison the same sampler runs with the map that
# only standardises.


# %%
def run_chains(bijector):
    """Draw 200 states of 50 chains, and whether each step was accepted."""
    kernel = tfp.mcmc.HamiltonianMonteCarlo(
        log_posterior, step_size=0.4, num_leapfrog_steps=4
    )

    @tf.function(jit_compile=True)
    def run():
        return tfp.mcmc.sample_chain(
            num_results=200,
            num_burnin_steps=50,
            current_state=surrogate.sample(50, seed=[SEED, 1]),
            kernel=tfp.mcmc.TransformedTransitionKernel(kernel, bijector),
            trace_fn=lambda _, results: results.inner_results.is_accepted,
            seed=[SEED, 2],
        )

    return run()


chains = {}
for name, bijector in (("the flow", to_posterior), ("units only", rough)):
    states, accepted = run_chains(bijector)
    draws = tfp.mcmc.effective_sample_size(states, cross_chain_dims=1).numpy()
    print(
        f"{name:>10}: {100 * accepted.numpy().mean():.0f} % accepted, effective draws "
        f"of log tau {draws[1]:.0f} of {50 * 200}"
    )
    chains[name] = states.numpy().reshape(-1, 10)

# %%
axes = tfpf.plots.corner(
    chains["the flow"][:, :3],
    surrogate.sample(4000, seed=[SEED, 2]).numpy()[:, :3],
    names=["mu", "log tau", "theta of school 1"],
    labels=("chains", "surrogate"),
    figure=plt.figure(figsize=(6, 6)),
)

# %% [markdown]
# What to see: the funnel, in which `theta` spreads as `log tau` grows. The chains
# (blue) reach at least as far down into small `tau` as the surrogate (orange): the
# bound that trained it prefers a density that is too narrow.

# %% [markdown]
# ## One coordinate has a CDF, and quantiles
#
# A map of one coordinate is increasing, and TFP then knows the CDF of the density. With
# a condition, `distribution(c)` is a batch: one density for each row of `c`. Here it is
# the alcohol of red wines, given their density.

# %%
wine = tfpf.datasets.wine("red")
flow, _ = tfpf.fit(
    tfpf.flows.build("nsf-ar", (), condition_shape=1, num_layers=1, seed=SEED),
    wine.select(["alcohol"]).x[:, 0],
    wine.select(["density"]).x - 0.9968,
    epochs=15,
    noise=0.05,
    seed=SEED,
    verbose=0,
)
given = np.array([-0.004, -0.002, 0.0], "float32")
alcohol = flow.distribution(given[:, None])
print(alcohol)
levels = [0.05, 0.5, 0.95]
for level in levels:
    print(f"{level:4.0%} quantiles:", alcohol.quantile(level).numpy().round(2))
print("share below 10 % alcohol:", alcohol.cdf(10.0).numpy().round(2))

# %%
grid = np.linspace(8, 15, 200, dtype="float32")[:, None]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5))
axes[0].plot(grid, alcohol.prob(grid))
axes[1].plot(grid, alcohol.cdf(grid))
for ax, name in zip(axes, ("density", "CDF"), strict=True):
    ax.set(xlabel="alcohol [vol %]", ylabel=name)
labels = [f"density of the wine {0.9968 + g:.4f}" for g in given]
_ = axes[0].legend(labels, frameon=False)

# %% [markdown]
# What to see: light wines are strong ones. The curves on the right are the integrals of
# those on the left, from one pass of the map, without any integration.
#
# ## Slices
#
# A batch of densities slices as a batch of any TFP distribution does, and a slice still
# trains the same variables.

# %%
print(alcohol.batch_shape, alcohol[1:].batch_shape, alcohol[1].batch_shape)
same = np.allclose(alcohol[1].log_prob(10.5), alcohol.log_prob(10.5)[1])
print("a slice has the log-density of its row:", same)
mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.2, 0.3, 0.5]), alcohol)
draws = mixture.sample(5, seed=[SEED, 3]).numpy().round(1)
print("a mixture of the three:", mixture.prob(10.5).numpy(), "draws", draws)

# %% [markdown]
# ## An exercise
#
# Put the fitted banana into a joint distribution with *two* measurements of the point,
# of its first coordinate with deviation 0.3 and of its second with 0.5. Sample the
# point given both by Hamiltonian Monte Carlo, once as it is and once through
# `density.bijector`, and compare effective draws.

# %%
# Your turn:
