# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Bijectors from first principles
#
# A bijector is an invertible map that knows by how much it stretches space. Push a
# simple density through one, and you get a less simple density that you can still
# evaluate and sample. This notebook bends a Gaussian into a banana in three ways: by a
# class of your own, by `tfb.Inline`, and by a ready map. Then it lets gradients find a
# map, and draws a film of that. It follows two posts: L. C. Tiao's on the bijector API
# of TFP (2018), and one on linear flows. It takes half a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from IPython.display import Image
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows import bijectors as tfpb

SEED = 0

# %% [markdown]
# ## A picture first
#
# On the left, points of a correlated Gaussian. A map moves the second coordinate down
# by the square of the first, and that is all. Colours follow the points.

# %%
covariance = np.array([[1.0, 0.95], [0.95, 1.0]])
base = tfd.MultivariateNormalTriL(
    tf.zeros(2, tf.float64), np.linalg.cholesky(covariance)
)
z = base.sample(2000, seed=[SEED, 0]).numpy()
bent = np.stack([z[:, 0], z[:, 1] - z[:, 0] ** 2 - 1], axis=-1)
_, axes = plt.subplots(1, 2, figsize=(9, 4))
for ax, points, title in zip(axes, (z, bent), ("z: the base", "x = f(z)"), strict=True):
    ax.scatter(*points.T, c=z[:, 0], s=3, cmap="viridis")
    ax.set(title=title, xlabel="first coordinate", ylabel="second coordinate")

# %% [markdown]
# What to see: no point changes its column, so neighbours stay neighbours, and nothing
# is torn. Each vertical line is only shifted, so areas stay as they are.
#
# ## The one formula
#
# Where a map `f` stretches a small volume around `z` by the factor
# $|\det \partial f / \partial z|$, the same probability fills a larger volume, and the
# density is divided by it:
#
# $$\log p_x(x) = \log p_z(z) - \log \left|\det \frac{\partial f}{\partial z}\right|,
# \qquad z = f^{-1}(x).$$
#
# So a bijector needs three things: `forward` for samples, `inverse` to get back, and
# the log of that factor, the *log-det*. For the banana the matrix of derivatives is
# triangular with ones on its diagonal: the log-det is 0.
#
# ## By a class of your own
#
# Declare the parameters, and write one method for each direction. Each returns the
# value and the log-det together. Shapes, dtypes, batches and training follow from the
# declaration. `"D-1"` is the shape: one number for each coordinate but the first.


# %%
class MyBanana(tfpb.Bijector):
    """`y[i] = x[i] + curvature[i] * (x[0]**2 + 1)` for all but the first coordinate."""

    curvature: Any = tfpb.Parameter("D-1", "Multiple for each other coordinate.")

    def _bent(self, x, sign):
        bend = sign * self.curvature * (x[..., :1] ** 2 + 1)
        return tf.concat([x[..., :1], x[..., 1:] + bend], -1), tf.zeros_like(x[..., 0])

    def _forward_and_log_det(self, x):
        return self._bent(x, 1.0)

    def _inverse_and_log_det(self, y):
        return self._bent(y, -1.0)


# %% [markdown]
# The checks that the library's own maps pass are there for yours: round trips,
# log-dets against automatic differentiation, far inputs, copies. `tfpf.testing.checks`
# lists them; `check_bijector` runs all, which takes a minute, and here we take three.

# %%
case = tfpf.testing.BijectorCase(
    lambda dtype: MyBanana(tf.constant([-1.0], dtype)), event_shape=(2,)
)
for check in ("round_trip", "log_det", "finite_gradients"):
    tfpf.testing.checks("bijector")[check](case)
    print("MyBanana passes", check)

# %% [markdown]
# ## By `tfb.Inline`
#
# TFP builds a bijector from functions. It is good for a quick try; it has no
# parameters of its own, and nobody checks it.


# %%
def bend(x, sign):
    """Move the second coordinate, keep all others, of events of any size."""
    moved = x[..., 1:2] + sign * (x[..., :1] ** 2 + 1)
    return tf.concat([x[..., :1], moved, x[..., 2:]], axis=-1)


inline = tfb.Inline(
    forward_fn=lambda x: bend(x, -1.0),
    inverse_fn=lambda y: bend(y, 1.0),
    inverse_log_det_jacobian_fn=lambda y: tf.zeros([], y.dtype),
    forward_min_event_ndims=1,
    is_constant_jacobian=True,
)

# %% [markdown]
# ## Ready-made
#
# `Banana` has the curvature and a shift, both of which can be trained. All three are
# the same density. A million samples say how large the entropy is; the exact value is
# that of the Gaussian, since areas are kept: 1.674 nats.

# %%
banana = tfpb.Banana(tf.constant([-1.0], tf.float64), tf.constant([-1.0], tf.float64))
mine = MyBanana(tf.constant([-1.0], tf.float64))
exact = tfpf.datasets.toy_entropy("banana")
print(f"{'exact':>12}: {exact:.4f} nats")
for name, bijector in {"class": mine, "Inline": inline, "ready": banana}.items():
    density = tfd.TransformedDistribution(base, bijector)
    x = tf.identity(density.sample(1_000_000, seed=[SEED, 1]))
    entropy = -tf.reduce_mean(density.log_prob(x))
    log_det = bijector.inverse_log_det_jacobian(x, event_ndims=1)
    print(f"{name:>12}: {entropy:.4f} nats, largest log-det {np.abs(log_det).max()}")

# %% [markdown]
# The `tf.identity` is there on purpose. TFP remembers which `z` an `x` came from, and
# would not call `inverse` at all for a sample of its own; a wrong inverse would go
# unnoticed.
#
# With five coordinates nothing changes: only the second one is bent, the other four
# are kept.

# %%
five = tf.random.stateless_normal([4, 5], [SEED, 2], dtype=tf.float64)
bends = tf.constant([-1.0, 0.0, 0.0, 0.0], tf.float64)
for bijector in (MyBanana(bends), inline, tfpb.Banana(bends, bends)):
    y = bijector.forward(five)
    same = np.isclose(y, five).all(axis=0)
    back = np.abs(bijector.inverse(tf.identity(y)) - five).max()
    print(type(bijector).__name__, "keeps", same, f"round trip {back:.0e}")

# %%
ax = tfpf.plots.density_2d(density, data=x, ax=plt.subplots(figsize=(4.5, 4))[1])
_ = ax.set_title("log_prob on a grid, and samples")

# %% [markdown]
# What to see: the density (blue) was computed by `inverse`, the points (orange) by
# `forward`. They agree.
#
# ## Let gradients find the map
#
# So far we knew the map. A flow learns it: its parameters are variables, and the mean
# of `log_prob` over the data is what rises. The simplest one that is useful is affine,
# `x = L z + b` with `L` triangular. It can become any Gaussian, and its log-det is the
# sum of the logs of the diagonal. While it learns, a callback keeps samples, and
# writes them as a film.

# %%
x = tfpf.datasets.toy("jang_gaussian", 2000, seed=SEED)
flow, history = tfpf.plots.training_gif(
    "linear.gif",
    "linear",
    x,
    frames=30,
    epochs=60,
    learning_rate=0.02,
    seed=SEED,
    adapt=False,
    verbose=0,
)
Image(filename="linear.gif")

# %% [markdown]
# What to see: the model (orange) starts as a round Gaussian at the origin, and finds
# the place, the two widths and the tilt of the target (blue). How well did it do?

# %%
print("mean of the data     ", x.mean(axis=0).round(3))
print(
    "mean of the flow     ", flow.sample(50_000, seed=1).numpy().mean(axis=0).round(3)
)
print("covariance of the data\n", np.cov(x.T).round(3))
samples = flow.sample(50_000, seed=1).numpy()
print("covariance of the flow\n", np.cov(samples.T).round(3))
gap = -flow.log_prob(x).numpy().mean() - tfpf.datasets.toy_entropy("jang_gaussian")
print(f"loss less the exact entropy: {gap:.3f} nats")

# %% [markdown]
# ## Compose them
#
# Bijectors chain, and log-dets add up. A banana behind an affine map can learn the
# banana from its points alone; `from_maps` lists maps from the base to the data.

# %%
x = tfpf.datasets.toy("banana", 3000, seed=SEED)
maps = [tfpb.TriangularAffine.trainable(2), tfpb.Banana.trainable(2)]
flow = tfpf.flows.Flow.from_maps(maps, base="normal")
flow, history = tfpf.fit(
    flow, x, epochs=60, learning_rate=0.05, adapt=False, seed=SEED, verbose=0
)
learned = flow.bijector().bijectors[0]
print("curvature", learned.curvature.numpy(), "of -1")
print(f"loss {history.history['loss'][-1]:.3f}, exact entropy {exact:.3f} nats")
axes = tfpf.plots.layers(flow, figure=plt.figure(figsize=(10, 3.4)))
plt.tight_layout()

# %% [markdown]
# What to see: from the base to the data, first a Gaussian with a tilt, then its bend.
# A real flow is the same with many maps, whose parameters come from networks: *RealNVP
# in Keras* and *Splines, coupling, autoregressive* go on from here.
#
# ## An exercise
#
# Write a `Wave` that adds `amplitude * sin(frequency * x[0])` to the second coordinate,
# pass `check_bijector`, and fit it to `tfpf.datasets.toy("sin_wave", 3000)`. From which
# start of the frequency does it get there, and why not from all of them?

# %%
# Your turn:
