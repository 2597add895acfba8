# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Residual, planar, Sylvester: inverses that others lack
#
# Some of the oldest flows go one way only in most libraries: a planar map has a formula
# from base to data, and none back. So it can be trained by its own samples or score
# data, not both. Here each of these maps has an inverse, found by a search that says
# when it fails, with exact derivatives. This notebook shows the maps, their inverses
# far out, and what both directions are good for. It takes half a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows import bijectors as tfpb

SEED = 0

# %% [markdown]
# ## A bend, there and back
#
# A planar map moves points along one direction, by their distance to a plane. A
# Sylvester map does so along several directions at once. The first row shows a grid
# after each map, the second the same grid after the map and its inverse.

# %%
planar = tfpb.Planar([2.0, 1.0], [0.3, 1.6], 0.0)
sylvester = tfpb.Sylvester.trainable(2, 2, seed=SEED)
tfpf.testing.perturb(sylvester, 1.2, seed=4)
net = tfpf.networks.LipschitzMLP(2, (4,), lipschitz=0.9, seed=SEED)
tfpf.testing.perturb(net, 5.0, seed=2)
residual = tfpb.ResidualBlock(net)
maps = {"planar": planar, "Sylvester": sylvester, "residual": residual}

line = np.linspace(-2.5, 2.5, 200)
marks = np.linspace(-2.5, 2.5, 13)
lines = [np.stack([0.0 * line + m, line], axis=1) for m in marks]
lines += [np.stack([line, 0.0 * line + m], axis=1) for m in marks]
figure, axes = plt.subplots(2, 3, figsize=(10.5, 7), sharex=True, sharey=True)
for column, (name, bijector) in zip(axes.T, maps.items(), strict=True):
    for points in lines:
        moved = bijector.forward(points.astype("float32"))
        back = bijector.inverse(tf.identity(moved))
        for ax, shown in zip(column, (moved, back), strict=True):
            ax.plot(*np.asarray(shown).T, color="tab:blue", linewidth=0.7)
    column[0].set(title=name)
axes[0, 0].set_ylabel("after the map")
_ = axes[1, 0].set_ylabel("after its inverse")

# %% [markdown]
# What to see: three ways to bend a plane, and three straight grids: nothing is lost.
#
# ## Why there is an inverse
#
# The planar map is `y = x + u * tanh(w . x + b)`. Along `w` it is one increasing
# function of one number as long as `w . u > -1`, which the map makes sure of for
# whatever `direction` it is given; across `w` nothing happens. So the inverse is a root
# of one function of one number. A bracket is widened until the root is in it, and
# Newton steps that leave the bracket are replaced by halvings.

# %%
w = np.array([2.0, 1.0])
height = np.linspace(-6.0, 6.0, 400)
_, ax = plt.subplots(figsize=(6, 3.6))
for wanted in (3.0, 0.0, -0.9, -3.0):
    direction = wanted * w / (w @ w)
    bent = tfpb.Planar(w.astype("float32"), direction.astype("float32"), 0.0)
    x = (height[:, None] * w / (w @ w)).astype("float32")
    ax.plot(height, bent.forward(x).numpy() @ w, label=f"w . direction = {wanted:g}")
ax.set(xlabel="w . x", ylabel="w . y", title="increasing, whatever the numbers are")
_ = ax.legend()

# %% [markdown]
# What to see: even for -3, where the formula alone would fold the line, the map only
# becomes flat in the middle: `direction` is moved to a `u` with `w . u` above -1.
#
# ## How right the inverses are, and what they cost
#
# Points from 0.1 to a hundred million away from the origin, there and back, in float32,
# whose numbers have seven digits. The error is relative to the size of a point.

# %%
rng = np.random.default_rng(SEED)
rows = rng.normal(size=(2000, 2)).astype("float32")
print(f"{'map':>10} {'size':>7} {'error':>9} {'forward':>9} {'inverse':>9}")
for name, bijector in maps.items():
    forward = tf.function(bijector.forward)
    inverse = tf.function(bijector.inverse)
    for size in (0.1, 1.0, 1e3, 1e8):
        x = tf.constant(size * rows)
        y = tf.identity(forward(x))
        inverse(y)
        start = time.perf_counter()
        forward(x)
        there = time.perf_counter() - start
        start = time.perf_counter()
        error = np.abs(inverse(y) - x).max() / size
        back = time.perf_counter() - start
        print(f"{name:>10} {size:7.0e} {error:9.1e} {there:8.4f}s {back:8.4f}s")

# %% [markdown]
# What to see: errors of the size of the dtype's last digits, everywhere. An inverse
# costs several times its forward: that is the price, and it is paid in one direction
# only.
#
# ## Residual blocks: how the inverse is found
#
# `y = x + g(x)`, where the network `g` has slopes below a bound `L` that its weights
# cannot break: each matrix is divided by its largest stretch. Then `x = y - g(x)`,
# repeated, must converge, and each step is at most `L` times the one before.

# %%
_, ax = plt.subplots(figsize=(6, 3.6))
for bound in (0.5, 0.8, 0.95):
    net = tfpf.networks.LipschitzMLP(2, (4,), lipschitz=bound, seed=SEED)
    tfpf.testing.perturb(net, 5.0, seed=2)
    y = tfpb.ResidualBlock(net).forward(rows)
    x, errors = y, []
    for _ in range(40):
        x = y - net(x)[..., 0]
        errors.append(np.abs(x - rows).max())
    (drawn,) = ax.semilogy(errors, label=f"L = {bound}")
    ax.semilogy(errors[0] * bound ** np.arange(40), ":", color=drawn.get_color())
ax.set(xlabel="step", ylabel="largest error", ylim=(1e-7, 10.0))
_ = ax.legend()

# %% [markdown]
# What to see: errors fall at least as fast as the dotted lines `L ** step`, until the
# digits end. The library stops at half of the digits; a step of Newton gives the rest.
#
# ## Both directions at work
#
# Eight Sylvester maps as a density: they are trained by the likelihood of points, in
# their fast direction. Their samples, which need the roots, come with them.

# %%
x = tfpf.datasets.toy("two_moons", 3000, seed=SEED)
options = {"seed": SEED, "verbose": 0, "jit_compile": False}
scored, _ = tfpf.fit("sylvester", x, num_layers=8, epochs=15, **options)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
tfpf.plots.density_2d(scored, num=100, ax=axes[0])
axes[0].set_title("density, trained by likelihood")
drawn = scored.sample(1500, seed=SEED).numpy()
axes[1].plot(*drawn.T, ".", markersize=2)
axes[1].set(title="its samples, by roots", xlabel="x", ylabel="y")

# %% [markdown]
# The same layers, inverted, have the samples as their fast direction. Now there are no
# data, but a density that is known up to a constant, here two crescents. `ReverseKL`
# draws from the flow and compares both densities. And the flow still scores points
# that it has not drawn: its effective sample size says how well it covers the target.


# %%
def target_log_prob(x):
    x = tf.convert_to_tensor(x)
    ring = -0.5 * tf.square((tf.norm(x, axis=-1) - 2.0) / 0.4)
    sides = -0.5 * tf.square((x[..., 0, None] - [-2.0, 2.0]) / 0.6)
    return ring + tf.reduce_logsumexp(sides, axis=-1)


drawer = tfpf.flows.build("sylvester", 2, num_layers=8, inverted=True, seed=SEED)
objective = tfpf.training.ReverseKL(target_log_prob, 256, anneal_steps=200)
drawer, history = tfpf.fit(
    drawer, None, objective=objective, steps=600, learning_rate=1e-2, **options
)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharex=True, sharey=True)
side = np.linspace(-4.0, 4.0, 100, dtype="float32")
grid = np.stack(np.meshgrid(side, side), axis=-1)
for ax, log_p in zip(axes, (target_log_prob(grid), drawer.log_prob(grid)), strict=True):
    ax.pcolormesh(side, side, np.exp(log_p), cmap="Blues")
    ax.set(xlabel="x", ylabel="y")
axes[0].set_title("target")
axes[1].set_title("flow, trained by its own samples")
draws = drawer.sample(2000, seed=SEED)
log_weights = target_log_prob(draws) - drawer.log_prob(tf.identity(draws))
weights = np.exp(log_weights - tf.reduce_max(log_weights))
print(f"effective share of draws: {weights.sum() ** 2 / (weights**2).sum() / 2000:.2f}")

# %% [markdown]
# What to see: both crescents are found, with a thread between them: the flow is a
# continuous map of one Gaussian.
#
# ## One distribution, both uses
#
# A flow with both directions goes wherever TensorFlow Probability wants a density: here
# as a component of a mixture, which needs densities of points that it did not draw.

# %%
wide = tfd.Sample(tfd.Normal(0.0, 3.0), 2)
parts = [drawer.distribution(), wide]
safe = tfd.Mixture(tfd.Categorical(probs=[0.9, 0.1]), parts)
print(safe.log_prob([[2.0, 0.0], [6.0, 6.0]]).numpy(), safe.sample(2, seed=SEED).shape)

# %% [markdown]
# ## An exercise
#
# Fit `"planar"`, `"radial"` and `"residual"` to the two moons in place of
# `"sylvester"`. Which has the highest likelihood of new points, which samples fastest?
# `residual` takes `lipschitz=`: what does 0.99 buy, and what do samples cost then?

# %%
# Your turn:
