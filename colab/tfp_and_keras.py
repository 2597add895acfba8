# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Flows inside TensorFlow Probability and Keras
#
# The maps of this library are `tfb.Bijector`s and its flows are Keras 3 models, so that
# both work wherever these do. The first half uses maps in TFP: a density, a joint
# distribution, variational inference, and Hamiltonian Monte Carlo on a posterior that
# a flow has straightened. The second half treats flows as Keras models: `compile` and
# `fit` with callbacks and `tf.data`, a network of your own inside a map, and export.
# It takes about a minute on two cores, with few training steps.

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
# # In TensorFlow Probability
#
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


x = tfpf.datasets.toy("banana", 2000, seed=SEED)
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
#
# # In Keras
#
# ## `compile`, `fit`, callbacks, `tf.data`
#
# A flow is a `keras.Model` whose loss is the mean negative log-likelihood. `compile`
# needs an optimizer only. `adapt` sets the standardisation first. The events here are
# two columns of the red wines; a third one, the `pH`, is the condition.

# %%
wine = tfpf.datasets.wine("red")
train, test = wine.split(0)
events, given = ["fixed acidity", "density"], ["pH"]
flow = tfpf.flows.build(
    "nsf", 2, condition_shape=1, num_layers=2, columns=events, seed=SEED
)
x, condition = train.select(events).x, train.select(given).x
flow.adapt(x, condition)
batches = tf.data.Dataset.from_tensor_slices({"x": x, "condition": condition})
batches = batches.shuffle(len(x), seed=SEED).batch(128, drop_remainder=True)
held_out = {"x": test.select(events).x, "condition": test.select(given).x}

flow.compile(optimizer=keras.optimizers.Adam(3e-3))
history = flow.fit(
    batches,
    validation_data=held_out,
    epochs=30,
    shuffle=False,  # the dataset shuffles
    callbacks=[
        keras.callbacks.ReduceLROnPlateau(patience=4),
        keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True),
    ],
    verbose=0,
)
print(f"held out: {flow.evaluate(held_out, verbose=0):.2f} nats per wine, raw units")

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3.5), sharex=True, sharey=True)
limits = ((4.5, 14), (0.991, 1.003))
for ax, ph in zip(axes, (3.1, 3.5), strict=True):
    tfpf.plots.density_2d(flow, condition=[ph], limits=limits, num=100, ax=ax)
    ax.set_title(f"pH = {ph}")

# %% [markdown]
# What to see: acidity and density rise together, and wines of the lower pH have more
# acid.
#
# ## A network of your own as a conditioner
#
# Any Keras network, or any callable, can make the parameters of a map. `as_conditioner`
# states its shapes: from one kept coordinate to `params_size` numbers for one changed
# coordinate. Zeros in the last layer make the untrained map the identity.


# %%
def my_network(seed):
    """Return a Keras network of two layers as a conditioner."""
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Dense(32, activation="swish"),
        keras.layers.Dense(spline.params_size, kernel_initializer="zeros"),
    ]
    network = keras.Sequential(layers)
    return tfpf.networks.as_conditioner(network, 1, (1, spline.params_size))


own = tfpb.Chain(
    [
        tfpb.Coupling(spline, my_network(1), mask=[True, False]),
        tfpb.Coupling(spline, my_network(2), mask=[False, True]),
    ]
)
density = tfd.TransformedDistribution(tfd.MultivariateNormalDiag(tf.zeros(2)), own)
points = tfpf.datasets.toy("two_moons", 2000, seed=SEED)
losses = tfp.math.minimize(
    lambda: -tf.reduce_mean(density.log_prob(points)),
    num_steps=150,
    optimizer=keras.optimizers.Adam(1e-2),
    trainable_variables=density.trainable_variables,
)
print(len(density.trainable_variables), "variables of the two networks are found")
print(f"loss {losses[0]:.2f} -> {losses[-1]:.2f} nats")

# %% [markdown]
# ## Export
#
# `flow.save` keeps the Keras model. `flow.export` writes a SavedModel with the
# signatures `log_prob` and `sample`; TensorFlow alone is enough to load it.

# %%
flow.export("served", verbose=False)
served = tf.saved_model.load("served")
inputs = held_out["x"], held_out["condition"]
print("equal:", np.allclose(served.log_prob(*inputs), flow.log_prob(*inputs)))
print("samples:", served.sample(5, [SEED, 1], np.array([[3.1]], "float32")).shape)
