# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Anomaly detection with reasons
#
# What is unusual has a low density among what is usual. This notebook fits a flow to
# measurements of benign cells (UCI Breast Cancer Wisconsin, as scikit-learn has it),
# ranks new cells, says how sure each alarm is and which columns made it, and judges
# cells of which half is not known. No malignant cell is shown to the fit. It takes
# about half a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split

from tfp_flows.estimators import FlowAnomalyDetector

SEED = 0

# %% [markdown]
# ## The data
#
# Thirty measurements of the nuclei of 569 cells. The fit sees half of the benign ones;
# a quarter says what is usual, the last quarter and the malignant ones are to be
# judged.

# %%
cells = load_breast_cancer(as_frame=True)
benign, malignant = (cells.data[cells.target == label] for label in (1, 0))
train, rest = train_test_split(benign, test_size=0.5, random_state=SEED)
usual, rest = train_test_split(rest, test_size=0.5, random_state=SEED)
print(f"{len(train)} benign cells to fit, {len(usual)} to compare with, and")
print(f"{len(rest)} benign and {len(malignant)} malignant ones to judge")
pair = ["mean texture", "mean smoothness"]
flat = FlowAnomalyDetector("nsf-ar", by="density", epochs=30, random_state=SEED)
flat.fit(train[pair])
sides = [np.linspace(benign[c].min(), malignant[c].max(), 80) for c in pair]
mesh = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
heights = flat.flow_.log_prob(mesh).numpy().reshape(80, 80)
_, ax = plt.subplots(figsize=(6, 4))
ax.contourf(*sides, heights, levels=heights.max() - np.arange(12)[::-1], cmap="Blues")
ax.contour(*sides, heights, levels=[flat.offset_], colors="k")
ax.plot(*rest[pair].to_numpy().T, ".", color="tab:green", label="benign, new")
ax.plot(*malignant[pair].to_numpy().T, "x", color="tab:red", label="malignant")
ax.set(xlabel=pair[0], ylabel=pair[1])
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: two of the columns. The density (blue) is that of benign cells; a cell
# outside of the black line counts as an anomaly. Two columns are not enough.
#
# ## All columns
#
# `score_samples` is high for usual rows, `decision_function` is that less a threshold,
# and `predict` says -1 below it.

# %%
detector = FlowAnomalyDetector("maf", contamination=0.05, random_state=SEED)
detector.fit(train)
forest = IsolationForest(random_state=SEED).fit(train)
new = pd.concat([rest, malignant])
is_malignant = np.arange(len(new)) >= len(rest)
_, ax = plt.subplots(figsize=(4.5, 4))
for name, model in {"flow": detector, "isolation forest": forest}.items():
    scores = -model.score_samples(new)
    area = roc_auc_score(is_malignant, scores)
    ax.plot(*roc_curve(is_malignant, scores)[:2], label=f"{name}: {area:.3f}")
ax.set(xlabel="benign cells that are alarms", ylabel="malignant cells found")
_ = ax.legend(frameon=False, title="area under the curve")

# %% [markdown]
# What to see: both find most malignant cells at few false alarms. The area is the
# probability that a malignant cell gets a higher score than a benign one.
#
# ## How sure is an alarm?
#
# A threshold that lets 5 % of the fitted cells through as alarms lets more of new cells
# through, as a fit knows the cells that it has seen best. `p_values` compares with
# cells that are usual and that the fit has not seen: a usual cell then has a p-value
# below 0.05 in at most one of twenty cases, whatever the flow is.

# %%
p = detector.p_values(new, usual)
print("alarms, of benign and of malignant cells")
for name, alarm in {
    "below the threshold of the fit": detector.predict(new) == -1,
    "p-value at most 0.05": p <= 0.05,
}.items():
    shares = alarm[~is_malignant].mean(), alarm[is_malignant].mean()
    print(f"{name:>32}: {shares[0]:6.1%} {shares[1]:6.1%}")
_, ax = plt.subplots(figsize=(6, 3))
bins = np.linspace(0, 1, 21)
for name, rows in {"benign": ~is_malignant, "malignant": is_malignant}.items():
    ax.hist(p[rows], bins=bins, density=True, alpha=0.6, label=name)
ax.axhline(1.0, color="k", ls=":", label="even")
ax.set(xlabel="p-value", ylabel="density of cells")
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: p-values of benign cells are even, as far as 90 cells can show, those of
# malignant ones pile up at the left. None is below 1 over the number of cells to
# compare with.
#
# ## Which columns made it?
#
# `attributions` tells of each measurement by how many nats it is less likely than
# usual, given the 29 others of its cell. First with a fault that we know: one decimal
# point is lost.

# %%
wrong = rest.iloc[[0]].copy()
wrong["mean smoothness"] *= 10.0
odd = pd.Series(detector.attributions(wrong)[0], index=train.columns)
print(odd.nlargest(3).round(1).to_string())

# %% [markdown]
# What to see: the column with the fault stands first. A column that follows from it may
# come second, as both contradict each other. Now the malignant cells.

# %%
shown = malignant.iloc[:40]
odd = detector.attributions(shown)
order = np.argsort(-odd.mean(axis=0))
_, ax = plt.subplots(figsize=(9, 5))
image = ax.imshow(np.clip(odd[:, order].T, 0, 10), aspect="auto", cmap="Reds")
ax.set_yticks(range(30), train.columns[order], fontsize=7)
ax.set(xlabel="malignant cell")
_ = plt.colorbar(image, ax=ax, label="nats less likely than usual, given the others")
first = pd.Series(train.columns[odd.argmax(axis=1)]).value_counts()
print(first.head(5).to_string())

# %% [markdown]
# What to see: a line is a column, and dark where its value is odd given the rest of the
# cell. Symmetry and area of the largest nuclei of a cell, and its texture, make most of
# the alarms. The same cells are odd in many columns, and some malignant ones in none:
# those that are not found.
#
# ## Cells of which much is not known
#
# With `missing="impute"` cells to judge may have gaps. What is not known is integrated
# out and counts as usual. Here twenty of thirty measurements are lost.

# %%
partial = FlowAnomalyDetector("maf", missing="impute", random_state=SEED).fit(train)
known = np.isin(np.arange(30), np.random.default_rng(SEED).permutation(30)[:10])
gaps = new.copy()
gaps.loc[:, ~known] = np.nan
for name, rows in {"all that is known": new, "ten measurements": gaps}.items():
    area = roc_auc_score(is_malignant, -partial.score_samples(rows))
    print(f"{name:>18}: area under the curve {area:.3f}")

# %% [markdown]
# What to see: ten measurements rank the cells as well as thirty, as many of them say
# the same. A gap is never filled with a guess that would then count as known.
#
# ## An exercise
#
# Fit the detector to all cells, malignant ones among them, as where nobody knows which
# are which (`contamination=0.37`). How much of the area under the curve is lost, and
# why does the isolation forest not lose as much?

# %%
# Your turn:
