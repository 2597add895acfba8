# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Keras in depth
#
# A flow is a `keras.Model`. Whatever you know of training Keras models holds: data as
# `tf.data`, callbacks, logs for TensorBoard, mixed precision, several devices, networks
# of your own, files, and serving. This notebook goes through them with one small
# conditional density. It takes half a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import importlib.util
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfp_flows as tfpf
from tfp_flows import bijectors as tfpb

SEED = 0

# %% [markdown]
# ## The data
#
# Two columns of the red wines are the events; a third one, the `pH`, is the condition.

# %%
wine = tfpf.datasets.wine("red")
train, test = wine.split(0)
events, given = ["fixed acidity", "density"], ["pH"]
x, condition = train.select(events).x, train.select(given).x
_, ax = plt.subplots(figsize=(5.5, 4))
points = ax.scatter(*x.T, c=condition[:, 0], s=4)
ax.set(xlabel=events[0], ylabel=events[1])
_ = ax.figure.colorbar(points, label="pH")

# %% [markdown]
# What to see: acid and dense wines go together, and the sour ones (low pH, dark) lie to
# the right.
#
# ## `compile`, `fit`, callbacks, `tf.data`
#
# The loss is the mean negative log-likelihood, so `compile` needs an optimizer only.
# `adapt` sets the units of events and conditions first. A dataset holds dicts of `x`
# and `condition`, or pairs.


# %%
def new_flow(**options):
    """Return an untrained flow that knows the units of the data."""
    flow = tfpf.flows.build(
        "nsf", 2, condition_shape=1, num_layers=2, columns=events, seed=SEED, **options
    )
    flow.adapt(x, condition)
    return flow


batches = tf.data.Dataset.from_tensor_slices({"x": x, "condition": condition})
batches = batches.shuffle(len(x), seed=SEED).batch(128, drop_remainder=True)
held_out = {"x": test.select(events).x, "condition": test.select(given).x}

callbacks = [
    keras.callbacks.ReduceLROnPlateau(patience=4),
    keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True),
    keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True),
    keras.callbacks.CSVLogger("log.csv"),
]
if importlib.util.find_spec("tensorboard"):  # Colab has it; else pip install it
    callbacks.append(keras.callbacks.TensorBoard("logs"))
flow = new_flow()
flow.compile(optimizer=keras.optimizers.Adam(3e-3))
history = flow.fit(
    batches,
    validation_data=held_out,
    epochs=20,
    shuffle=False,  # the dataset shuffles
    callbacks=callbacks,
    verbose=0,
)
print(f"held out: {flow.evaluate(held_out, verbose=0):.2f} nats per wine, raw units")
print("files:", sorted(os.listdir()))  # %tensorboard --logdir logs shows them

# %%
figure, axes = plt.subplots(1, 3, figsize=(12, 3.5))
tfpf.plots.history(history, ax=axes[0])
limits = ((4.5, 14), (0.991, 1.003))
for ax, ph in zip(axes[1:], (3.1, 3.5), strict=True):
    tfpf.plots.density_2d(flow, condition=[ph], limits=limits, num=100, ax=ax)
    ax.set_title(f"pH = {ph}")
plt.tight_layout()

# %% [markdown]
# What to see: validation (orange) is best early, and those weights are kept; from there
# on the flow learns the training rows by heart. In the middle and on the right, the
# density given the pH: wines of the lower pH have more acid.
#
# ## A callback of your own
#
# A callback sees the flow as `self.model`, so it can log what no loss shows: here the
# mean of samples, at a condition, after each epoch.


# %%
class MeanOfSamples(keras.callbacks.Callback):
    """Keeps the mean acidity of samples at one pH."""

    def __init__(self, ph):
        super().__init__()
        self.ph = np.array([ph], "float32")
        self.means = []

    def on_epoch_end(self, epoch, logs=None):
        """Sample with the weights of now."""
        samples = self.model.sample(500, self.ph, seed=SEED)
        self.means.append(float(np.mean(samples[:, 0])))


# %% [markdown]
# ## Mixed precision
#
# Under the policy `mixed_float16` the networks compute in half precision; maps and
# densities stay in float32, since a log-det of half precision would be noise. It is
# for GPUs: on a CPU it is not faster.

# %%
keras.mixed_precision.set_global_policy("mixed_float16")
half = new_flow()
keras.mixed_precision.set_global_policy("float32")
half.compile(optimizer=keras.optimizers.Adam(3e-3))
means = MeanOfSamples(3.1)
half.fit(batches, epochs=4, callbacks=[means], shuffle=False, verbose=0)
print(
    "networks:",
    half.dtype_policy.compute_dtype,
    "densities:",
    half.log_prob(held_out["x"], held_out["condition"]).dtype,
)
print("mean acidity at pH 3.1 after each epoch:", np.round(means.means, 2))

# %% [markdown]
# ## Several devices
#
# Inside the scope of a strategy variables are mirrored, and each device takes its share
# of a batch. Here there is one device; with more, the lines are the same.

# %%
strategy = tf.distribute.MirroredStrategy(["CPU:0"])
with strategy.scope():
    spread = new_flow()
    spread.compile(optimizer=keras.optimizers.Adam(3e-3))
spread.fit(batches, epochs=2, shuffle=False, verbose=0)
print(
    strategy.num_replicas_in_sync,
    "device,",
    f"loss {spread.evaluate(held_out, verbose=0):.2f}",
)

# %% [markdown]
# ## A network of your own as a conditioner
#
# Any Keras network, or any callable, can make the parameters of a map. `as_conditioner`
# states its shapes: from one kept coordinate to `params_size` numbers for one changed
# coordinate. Zeros in the last layer make the untrained map the identity.

# %%
spline = tfpb.RationalQuadratic(num_bins=8)


def my_network(seed):
    """Return a Keras network of two layers as a conditioner."""
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Dense(32, activation="swish"),
        keras.layers.Dense(spline.params_size, kernel_initializer="zeros"),
    ]
    network = keras.Sequential(layers)
    return tfpf.networks.as_conditioner(network, 1, (1, spline.params_size))


own = [
    tfpb.Coupling(spline, my_network(1), mask=[True, False]),
    tfpb.Coupling(spline, my_network(2), mask=[False, True]),
]
moons = tfpf.datasets.toy("two_moons", 2000, seed=SEED)
mine = tfpf.flows.Flow.from_maps(own, base="normal", standardized=True)
mine.adapt(moons)
mine.compile(optimizer=keras.optimizers.Adam(1e-2))
mine.fit(moons, epochs=15, batch_size=128, verbose=0)
print(len(mine.trainable_variables), "variables of the two networks are found")
ax = tfpf.plots.density_2d(mine, data=moons, ax=plt.subplots(figsize=(5, 3.5))[1])

# %% [markdown]
# What to see: the outer halves of two moons, from two coupling layers with your
# networks and a few hundred updates. More layers find the inner ones.
#
# ## An embedding of the condition
#
# Where the condition is large, a network in front of all layers can make it small. It
# trains with the flow.

# %%
keras.utils.set_random_seed(SEED)
embedding = keras.Sequential([keras.layers.Dense(8, activation="tanh")])
embedded = new_flow(embedding=embedding)
embedded.compile(optimizer=keras.optimizers.Adam(3e-3))
embedded.fit(batches, epochs=4, shuffle=False, verbose=0)
print(f"with an embedding: {embedded.evaluate(held_out, verbose=0):.2f} nats")

# %% [markdown]
# ## Files, and serving
#
# `save` keeps the model, in one file that runs no code when it is loaded. `export`
# writes a SavedModel with the signatures `log_prob` and `sample`, for TensorFlow
# Serving, or for a process in which this package is not installed.

# %%
flow.save("wine.keras")
again = keras.saving.load_model("wine.keras")
inputs = held_out["x"], held_out["condition"]
print(
    "equal bit for bit:",
    np.array_equal(again.log_prob(*inputs), flow.log_prob(*inputs)),
)
flow.export("served", verbose=False)
served = tf.saved_model.load("served")
print("served:", np.allclose(served.log_prob(*inputs), flow.log_prob(*inputs)))
print("samples:", served.sample(5, [SEED, 1], np.array([[3.1]], "float32")).shape)

# %% [markdown]
# ## An exercise
#
# Train with `compile(objective=...)` in place of the likelihood: write an objective
# that weighs wines with the quality of 7 and more twice (the documentation's page *An
# objective* has the form). Does the density at pH 3.1 move?

# %%
# Your turn:
