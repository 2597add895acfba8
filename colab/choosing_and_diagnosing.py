# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Choosing and diagnosing a flow
#
# Which flow for this table, is it better than a plain density, and what is wrong with
# it? `compare` answers the first two on rows held out, with standard errors; `diagnose`
# looks for faults, says what it saw in a sentence each, and what to do. This notebook
# uses both on red wine, and then plants faults to see whether they are found. It takes
# half a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tfp_flows as tfpf
from tfp_flows import estimators

SEED = 0

# %% [markdown]
# ## The table
#
# Four columns of 1,599 red wines. `split` keeps all copies of a wine on one side.

# %%
wine = tfpf.datasets.wine("red").select(["residual sugar", "density", "pH", "alcohol"])
train, test = wine.split(0)
axes = tfpf.plots.corner(wine, figure=plt.figure(figsize=(6, 6)))

# %% [markdown]
# What to see: sugar is skewed, with a long tail, density falls with alcohol along a
# band, and values are rounded: none of it is Gaussian.
#
# ## Compare
#
# Two flows beside a Gaussian, a mixture of Gaussians and a kernel density. `quick=True`
# gives flows 800 updates and mixtures one start.

# %%
found = estimators.compare(wine, flows=["maf", "rbig"], quick=True, seed=SEED)
print(found)

# %%
names = [score.name for score in found.scores]
means = [score.mean.mean for score in found.scores]
errors = [score.mean.error for score in found.scores]
_, ax = plt.subplots(figsize=(6, 2.8))
ax.errorbar(means, range(len(names)), xerr=errors, fmt="o")
ax.set_yticks(range(len(names)), names)
_ = ax.set(xlabel="log-likelihood of rows held out [nats per wine]")

# %% [markdown]
# What to see: higher is better. Bars are standard errors of each by itself; the lead of
# one over another, on the same rows, is known better than either, and stands in the
# table. Where a flow does not lead a mixture by more than two of those, take the
# mixture.
#
# ## Diagnose
#
# Give it rows that the fit has not seen, and those of the fit beside them.

# %%
options = {"num_layers": 2, "epochs": 20, "seed": SEED, "verbose": 0}
flow, _ = tfpf.fit("maf", train, **options)
diagnosis = tfpf.diagnose(flow, test, train=train)
print(diagnosis)

# %% [markdown]
# Each line is a measure. An exclamation mark asks for something to be done, a question
# mark says that something could not be measured. `save_html` writes a page with
# pictures that you can mail.

# %%
diagnosis.save_html("report.html")
print(diagnosis.summary)

# %% [markdown]
# ## Plant a fault
#
# What would it say of a table with a shift between the rows of the fit and new ones, or
# with one absurd value?

# %%
shifted = test.x.copy()
shifted[:, 3] += 1.0  # a vol % more alcohol in every new wine
wrong = test.x.copy()
wrong[7, 2] = 31.6  # a decimal point lost
for name, rows in {"a shift": shifted, "a lost point": wrong}.items():
    print(name)
    for finding in tfpf.diagnose(flow, rows, train=train).findings:
        print("   ", finding.name, "-", finding.judgement)

# %% [markdown]
# ## Over-fitting
#
# A large flow and few rows. The training curve says nothing of it; rows held out do.

# %%
few = train.x[np.random.default_rng(SEED).permutation(len(train))[:150]]
large, history = tfpf.fit(
    "nsf",
    few,
    validation=None,
    columns="continuous",
    dropout=0.0,
    num_layers=2,
    epochs=60,
    seed=SEED,
    verbose=0,
)
seen, new = (large.log_prob(rows).numpy() for rows in (few, test.x))
print(f"rows of the fit {seen.mean():.2f}, new ones {np.median(new):.2f} nats (median)")
for finding in tfpf.diagnose(large, test, train=few).findings:
    print(finding.name, "-", finding.judgement)

# %%
_, ax = plt.subplots(figsize=(6, 3))
low = np.quantile(new, 0.2)
bins = np.linspace(low, seen.max(), 40)
ax.hist(seen, bins=bins, density=True, alpha=0.6, label="rows of the fit")
ax.hist(new, bins=bins, density=True, alpha=0.6, label="new rows")
ax.set(xlabel="log-density [nats]", ylabel="density of the rows")
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: the flow has memorised some of its 150 wines; new ones are less likely.
# Early stopping (the default), fewer layers, `dropout`, or `members=5` help.
#
# ## An exercise
#
# Copy a column with noise of a thousandth of its deviation into a fifth one, fit again,
# and diagnose. Which measure sees it, and from which noise on does none?

# %%
# Your turn:
