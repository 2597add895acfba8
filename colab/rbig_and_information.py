# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # RBIG and information: how much do satellite bands share?
#
# Rotation-based iterative Gaussianization (RBIG, Laparra and others, 2011) fits a
# density without gradients: make each column normal, rotate, repeat. It takes seconds,
# and what the layers take off adds up to the information that the columns share. This
# notebook measures that in seven simulated bands of a satellite, and selects the bands
# that tell most about the leaves on the ground. It takes half a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_selection import SelectKBest

import tfp_flows as tfpf
from tfp_flows import estimators, information

SEED = 0

# %% [markdown]
# ## The pixels
#
# `satellite_bands` mixes the reflectances of leaves, dry soil and wet soil; the slope
# of the ground makes all bands brighter or darker together. `leaf_area` is what an
# ecologist would like to know of a pixel.

# %%
table = tfpf.datasets.satellite_bands(4000, seed=SEED)
bands = table.select(tfpf.datasets.BANDS)
leaf_area = table.select(["leaf_area"])
_, axes = plt.subplots(1, 2, figsize=(10, 4))
ways = (("red", "near_infrared"), ("swir_1", "swir_2"))
for ax, pair in zip(axes, ways, strict=True):
    points = ax.scatter(*bands.select(pair).x.T, c=leaf_area.x[:, 0], s=3, vmax=8)
    ax.set(xlabel=f"{pair[0]} [reflectance]", ylabel=pair[1])
_ = axes[0].figure.colorbar(points, ax=list(axes), label="leaf area")

# %% [markdown]
# What to see: bare soil (dark) is red and dull; leaves (bright) are not red, and shine
# in the near infrared: a bent wedge. The two bands of short waves are almost one.
#
# ## Gaussianization, layer by layer

# %%
flow, history = tfpf.fit("rbig", bands.x, columns=bands.columns, seed=SEED, verbose=0)
print(history.report)
axes = tfpf.plots.gaussianization(
    flow,
    bands.x,
    columns=(2, 4),
    ks=np.linspace(0, flow.num_maps, 5).round().astype(int),
    figure=plt.figure(figsize=(12, 2.6)),
)

# %% [markdown]
# What to see: red against near infrared on the left, as they are. Behind the maps they
# become a round Gaussian, and all other pairs as well.

# %%
ax = tfpf.plots.information_per_layer(history, ax=plt.subplots(figsize=(6, 3.5))[1])

# %% [markdown]
# What to see: hundredths of a nat. The initial layers, counted as number 0, brought
# nearly all: units, correlations and marginals, or a mixture. Bars are training rows
# and dots rows held out: a bar without a dot is a layer that fitted noise, and after
# ten of those the fit stops.
#
# ## Total correlation
#
# The sum of the columns' entropies less the joint entropy: what is said more than once.
# `information` fits densities to half of the rows, scores the other half, and adds what
# neighbours in the base space say is missing; each number has a standard error. The
# Gaussian value is what the correlations alone would give.

# %%
rows = bands.x[:1500]
quick = {"flow": {"flow": "rbig", "epochs": 1}, "seed": SEED}
shared = information.total_correlation(rows, **quick)
correlation = np.corrcoef(rows.T)
print(shared)
print(f"by the correlations alone: {-0.5 * np.linalg.slogdet(correlation)[1]:.2f} nats")

# %% [markdown]
# Nearly all of it is linear, up to the error. Which pairs share most? The same, two
# columns at a time, for three of the bands and few rows. (`epochs` 1 lets a fit stop
# after its initial layers, which is quick.)

# %%
three = ["blue", "red", "near_infrared"]
x = bands.select(three).x[:800]
pairs = np.full([3, 3], np.nan)
for i in range(3):
    for j in range(i):
        found = information.mutual_information(x[:, i], x[:, j], **quick)
        pairs[i, j] = float(found)
_, ax = plt.subplots(figsize=(5, 4))
image = ax.imshow(pairs, cmap="viridis", vmin=0)
ax.set_xticks(range(3), three, rotation=45, ha="right")
ax.set_yticks(range(3), three)
ax.figure.colorbar(image, label="mutual information [nats]")
for i in range(3):
    for j in range(i):
        color = "black" if pairs[i, j] > 0.6 * np.nanmax(pairs) else "white"
        ax.text(j, i, f"{pairs[i, j]:.2f}", ha="center", va="center", color=color)

# %% [markdown]
# What to see: blue and red say nearly the same, and the near infrared shares least with
# the others. A camera with few bands would leave one of the first two out.
#
# ## Which bands tell bare ground from leaves?
#
# `mutual_info` scores each feature by itself, with a standard error; with classes as
# its target it takes milliseconds. Here are three classes of equal size. No feature can
# tell more than their entropy, log(3) = 1.10 nats.

# %%
bounds = np.quantile(leaf_area.x[:, 0], [1 / 3, 2 / 3])
cover = np.array(["bare", "sparse", "dense"])[np.digitize(leaf_area.x[:, 0], bounds)]
red, infrared = (bands.select([name]).x[:, 0] for name in ("red", "near_infrared"))
ndvi = (infrared - red) / (infrared + red)
features = np.column_stack([bands.x, ndvi])
names = [*bands.columns, "NDVI"]
found = estimators.mutual_info(features, cover, random_state=SEED)
_, ax = plt.subplots(figsize=(6.5, 3.2))
ax.barh(names, found.values, xerr=found.stderr, color="tab:blue")
ax.axvline(np.log(3), color="k", ls=":")
ax.invert_yaxis()
_ = ax.set(xlabel="information about the cover [nats]")

# %% [markdown]
# What to see: among the bands red tells most. The NDVI of remote sensing, a ratio of
# near infrared and red, tells far more than any band: the light, which makes both
# brighter or darker, cancels in it. Dotted is what there is to know.
#
# ## Two features at once
#
# Is anything left in the two bands that their ratio does not hold?

# %%
y = leaf_area.x[:1000]
given = {"NDVI": ndvi, "red and near infrared": features[:, [2, 4]]}
for name, x in given.items():
    print(f"{name:>22}: {information.mutual_information(x[:1000], y, **quick)}")

# %% [markdown]
# Information cannot be made by a function of the bands: the pair tells at least as much
# as the ratio, up to the errors. Here it tells no more: the ratio holds all.
#
# ## As a step of scikit-learn
#
# `mutual_info_flow` is a score for `SelectKBest`.

# %%
select = SelectKBest(estimators.mutual_info_flow, k=3).fit(features, cover)
print("the three best:", [names[i] for i in select.get_support(indices=True)])

# %% [markdown]
# The best three *one by one* may say the same thing three times.
#
# ## An exercise
#
# Choose three features greedily: first the best one, then the one that adds most
# *given* those that are chosen, by `information.conditional_mutual_information`. Are
# they the same three? Which of the two sets tells more about the leaf area?

# %%
# Your turn:
