# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Point clouds
#
# A cloud is a set of points on the surface of something. `models.PointFlow` learns a
# distribution of shapes and, for each shape, a density of points: it samples new
# clouds of as many points as you like. Here the shapes are ellipses in the plane, and
# stretched spheres and boxes in space. It takes about a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

from tfp_flows import datasets, diagnostics, models

SEED = 0

# %% [markdown]
# ## Ellipses
#
# Each cloud has 64 points on an ellipse of its own two half-axes and direction.

# %%
x = datasets.point_clouds("rings", 500, points=64, seed=SEED)
test = datasets.point_clouds("rings", 60, points=64, seed=SEED + 1)
model = models.PointFlow(
    2, latent_size=4, flow_options={"num_layers": 4}, hidden_units=(64, 64), seed=SEED
)
model.adapt(x)
model.compile(keras.optimizers.Adam(4e-3))
history = model.fit(x, epochs=40, batch_size=50, verbose=0)
print(
    f"bound of new clouds: {model.elbo(test, seed=SEED).mean() / 64:.2f} nats a point"
)

# %%
again = model.reconstruct(test[:5], points=400, seed=SEED).numpy()
new = model.sample(5, points=400, seed=SEED).numpy()
figure, axes = plt.subplots(3, 5, figsize=(10, 6), sharex=True, sharey=True)
for row, (name, clouds) in enumerate(
    {"test, 64 points": test, "again, 400": again, "new, 400": new}.items()
):
    for ax, cloud in zip(axes[row], clouds[:5], strict=True):
        ax.plot(*cloud.T, ".", ms=2)
        ax.set_aspect("equal")
    axes[row, 0].set_ylabel(name)
for ax in axes[-1]:
    ax.set_xlabel("first coordinate")

# %% [markdown]
# What to see: from 64 points the model knows half-axes and direction, and puts 400
# points on the same ellipse. New ones are ellipses, too.
#
# ## How good are they?
#
# Scores compare all pairs of clouds. Other real clouds say what can be reached, and
# normal points of the same size what is bad.

# %%
rng = np.random.default_rng(SEED)
rivals = {
    "real clouds": datasets.point_clouds("rings", 60, points=64, seed=SEED + 2),
    "PointFlow": model.sample(60, points=64, seed=SEED).numpy(),
    "normal points": rng.normal(size=test.shape) * x.std(),
}
for name, clouds in rivals.items():
    scores = diagnostics.cloud_scores(clouds, test)
    print(
        f"{name:>14}: MMD {scores.minimum_matching:.4f}, COV {scores.coverage:.0%}, "
        f"1-NNA {scores.nearest_neighbour:.0%}, JSD {scores.jensen_shannon:.3f}"
    )

# %% [markdown]
# What to see: 50 % is best for 1-NNA, where nobody can tell samples from data; 100 % is
# that of clouds that look like none of the data.
#
# ## Spheres and boxes

# %%
solid = datasets.point_clouds("mixed", 300, points=96, seed=SEED)
space = models.PointFlow(
    3, latent_size=6, flow_options={"num_layers": 4}, hidden_units=(64, 64), seed=SEED
)
space.adapt(solid)
space.compile(keras.optimizers.Adam(4e-3))
space.fit(solid, epochs=15, batch_size=50, verbose=0)
drawn = space.reconstruct(solid[:4], points=600, seed=SEED).numpy()
figure = plt.figure(figsize=(10, 5))
for i in range(4):
    for row, cloud in enumerate((solid[i], drawn[i])):
        ax = figure.add_subplot(2, 4, 4 * row + i + 1, projection="3d")
        ax.scatter(*cloud.T, s=2, c=cloud[:, 2])
        ax.set(xticks=[], yticks=[], zticks=[], xlabel="x", ylabel="y", zlabel="z")
        ax.set_title("96 points" if row == 0 else "600 of the model", fontsize=9)

# %% [markdown]
# What to see: above four clouds of the data, below what the model makes of each. After
# so short a training edges are round, but sizes are right.
#
# ## An exercise
#
# Go from one shape to another: `space.encode` two clouds, and `space.decode` points
# between their latent vectors. When does a box turn into a sphere?

# %%
# Your turn:
