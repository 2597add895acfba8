# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Continuous flows and flow matching
#
# A continuous flow has no layers. A network says with which velocity each point moves
# at each time; points of a Gaussian that follow it from time 0 to 1 become data, and
# back. Flow matching fits the velocity without following anything. This notebook
# animates a field, and asks what a density costs. It takes a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from IPython.display import Image
from matplotlib.animation import FuncAnimation, PillowWriter
from scipy.optimize import linear_sum_assignment

import tfp_flows as tfpf

SEED = 0

# %% [markdown]
# ## A field, and points that follow it
#
# Two moons, a thousand steps of training, some seconds.

# %%
x = tfpf.datasets.toy("two_moons", 4000, seed=SEED)
new = tfpf.datasets.toy("two_moons", 2000, seed=SEED + 1)
flow, history = tfpf.fit(
    "flow-matching",
    x,
    hidden_units=(64, 64),
    base="normal",
    steps=1000,
    batch_size=256,
    learning_rate=5e-3,
    jit_compile=False,
    seed=SEED,
    verbose=0,
)
(ode,) = flow.odes
times = np.linspace(0.0, 1.0, 25)
start = tf.random.stateless_normal([400, 2], [SEED, 0])
stops = [ode.copy(stop=float(t)).forward(start).numpy() for t in times]
side = np.linspace(-3.0, 3.0, 17, dtype="float32")
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)

figure, ax = plt.subplots(figsize=(4.4, 4.4))
arrows = ax.quiver(*grid.T, *ode.velocity(0.0, grid).numpy().T, color="0.7", scale=40.0)
colors = np.arctan2(*start.numpy().T)
points = ax.scatter(*stops[0].T, c=colors, cmap="twilight", s=8)
ax.set(xlim=(-3, 3), ylim=(-3, 3), xlabel="x", ylabel="y")


def frame(i):
    arrows.set_UVC(*ode.velocity(times[i], grid).numpy().T)
    points.set_offsets(stops[i])
    ax.set_title(f"time {times[i]:.2f}")
    return arrows, points


frames = [*range(len(times)), *[len(times) - 1] * 8]
FuncAnimation(figure, frame, frames=frames).save("field.gif", PillowWriter(fps=12))
plt.close(figure)
Image(filename="field.gif")

# %% [markdown]
# What to see: each point keeps its colour, the direction in which it began. The arrows
# change with time: first they pull the cloud apart, at the end they press each half
# onto its moon. Points that start side by side stay side by side.
#
# (The field lives in standardised units; the flow moves its end into those of data.)
#
# ## How it was trained
#
# Draw a point `z` of the base, an event `x`, and a time `t`. Between the two lies
# `(1 - t) * z + t * x`, and the line there has the velocity `x - z`. The network is
# fitted to that velocity, by least squares. It never learns one line: where lines cross
# it learns their mean, and the field of the means carries the base exactly to the data.
# Pairs are chosen within each batch such that lines cross less: optimal transport.

# %%
rng = np.random.default_rng(SEED)
units = flow.bijector().bijectors[0]  # the standardisation, next to the data
ends = units.inverse(x[:40]).numpy()
begins = rng.normal(size=ends.shape)
costs = np.square(begins[:, None] - ends).sum(axis=-1)
pairs = {"at random": np.arange(40), "optimal": linear_sum_assignment(costs)[1]}
_, axes = plt.subplots(1, 2, figsize=(9, 4), sharex=True, sharey=True)
for ax, (name, order) in zip(axes, pairs.items(), strict=True):
    for z, to in zip(begins, ends[order], strict=True):
        ax.plot(*np.stack([z, to]).T, color="0.7", linewidth=1)
    ax.plot(*begins.T, ".", label="base")
    ax.plot(*ends.T, ".", label="data")
    ax.set(title=f"paired {name}", xlabel="x", ylabel="y")
_ = axes[0].legend()

# %% [markdown]
# What to see: at random, lines cross everywhere, and their mean velocity is far from
# each; paired, hardly any cross, and the field is nearly straight: few steps follow it.
#
# ## What a density costs
#
# The log-det is the integral of the trace of the field's Jacobian along the way. Few
# steps are fast and a little wrong. `solve_by` changes the solver of a trained flow;
# with `num_steps=None` each event takes the steps that its tolerance needs.

# %%
flow.solve_by(num_steps=None, tolerance=1e-6)
exact = flow.log_prob(new[:500]).numpy()
truth = tfpf.datasets.toy_log_prob("two_moons", new[:500])
print(f"above the entropy: {np.mean(truth - exact):.3f} nats")
cost = flow.path(new[:500]).num_evaluations.numpy()
print(f"evaluations by tolerance: {cost.min():.0f} to {cost.max():.0f} for an event")
print(f"{'steps':>5} {'evaluations':>11} {'largest error':>13} {'mean error':>10}")
for steps in (1, 2, 4, 10, 20):
    flow.solve_by(num_steps=steps, method="rk4")
    error = np.abs(flow.log_prob(new[:500]).numpy() - exact)
    print(f"{steps:5d} {4 * steps:11d} {error.max():13.4f} {error.mean():10.5f}")

# %% [markdown]
# What to see: ten steps, forty evaluations, are off by some thousandths of a nat at
# worst. One or two steps are far off: a sample may look right, a density does not.
#
# ## In many dimensions: a trace by random directions
#
# An exact trace takes one direction for each coordinate. One random direction gives an
# estimate, whose mean is right: the errors of many events cancel.

# %%
flow.solve_by(num_steps=10, exact=True)
whole = flow.log_prob(new).numpy()
for probes in (1, 4, 16):
    flow.solve_by(exact=False, num_probes=probes)
    error = flow.log_prob(new).numpy() - whole
    print(f"{probes:2d} probes: deviation {error.std():.3f}, mean {error.mean():+.4f}")
flow.solve_by(exact=True, num_probes=1)

# %% [markdown]
# ## There, back, and half of the way
#
# Times add up: from 0 to 1/2 and on to 1 is from 0 to 1. Backwards is the same field.

# %%
z = tf.random.stateless_normal([500, 2], [SEED, 1])
half = ode.copy(stop=0.5).forward(z)
on = ode.copy(start=0.5).forward(half)
print("by half of the way:", np.abs(on - ode.forward(z)).max())
back = ode.inverse(tf.identity(ode.forward(z)))
print("there and back:    ", np.abs(back - z).max())

# %% [markdown]
# ## By likelihood
#
# The flow `cnf` is the same map, trained through the solver: each step follows the
# events and their log-dets. It is slow, and sees the likelihood itself. Here it goes on
# from nothing for a few steps; `objective=` of `fit` trains either flow either way.

# %%
cnf, history = tfpf.fit(
    "cnf",
    x,
    hidden_units=(32, 32),
    base="normal",
    steps=150,
    batch_size=256,
    learning_rate=1e-2,
    jit_compile=False,
    seed=SEED,
    verbose=0,
)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
for ax, one, title in zip(
    axes,
    (flow, cnf),
    ("flow matching, 1000 steps", "likelihood, 150 steps"),
    strict=True,
):
    tfpf.plots.density_2d(one, num=80, ax=ax)
    gap = np.mean(tfpf.datasets.toy_log_prob("two_moons", new) - one.log_prob(new))
    ax.set_title(f"{title}: {gap:.2f} nats")

# %% [markdown]
# What to see: nats above the exact entropy, on new points. A step of likelihood does
# more, and costs more: tens of evaluations, with their derivatives, where flow matching
# takes one. In two dimensions both are affordable; in many, matching is what is left.
#
# ## An exercise
#
# Train `flow-matching` once more with
# `objective=tfpf.training.FlowMatching(pairing="independent")`, and print the table of
# steps and errors again. How many steps does it take now for an error of 0.01?

# %%
# Your turn:
