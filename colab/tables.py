# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Tables as they come
#
# Columns of real tables are seldom plain numbers. Counts are integers, shares end at 0
# and 100, rain is often exactly 0, a season is a word, and some cells are empty. This
# notebook fits one table twice: once as if all columns were any numbers, once as what
# they are. The table is made up such that its exact density is known, so that we can
# say which fit is right and by how much. It takes half a minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np

import tfp_flows as tfpf
from tfp_flows import preprocessing

SEED = 0
warnings.simplefilter("ignore", preprocessing.DataNotice)  # we read them below

# %% [markdown]
# ## The table

# %%
table = tfpf.datasets.mixed_table(6000, seed=SEED)
fresh = tfpf.datasets.mixed_table(4000, seed=SEED + 1)


def draw(rows, label, axes, **style):
    """Draw a histogram of each column, with the same bins for all tables."""
    for i, ax in enumerate(axes):
        low, high = np.quantile(table.x[:, i], [0.0, 0.995])
        step = 1.0 if i in (1, 4) else (high - low) / 30
        bins = np.arange(low - 2.5 * step, high + 3 * step, step)
        ax.hist(rows[:, i], bins=bins, density=True, label=label, **style)
        ax.set(xlabel=table.columns[i], yticks=[])
    axes[0].set_ylabel("share of the rows")


_, axes = plt.subplots(1, 5, figsize=(13, 2.6))
draw(table.x, "table", axes, color="tab:blue", alpha=0.6)

# %% [markdown]
# What to see: `warmth` is a plain number. `visitors` are counts, `humidity` stays
# between 0 and 100, `rain` is exactly 0 on most days, and `season` is one of three.
#
# ## As plain numbers
#
# `columns="continuous"` takes every column for any number.

# %%
options = {"num_layers": 2, "epochs": 12, "seed": SEED, "verbose": 0}
plain, _ = tfpf.fit("nsf-ar", table.x, columns="continuous", **options)
samples = plain.sample(6000, seed=SEED).numpy()
_, axes = plt.subplots(1, 5, figsize=(13, 2.6))
draw(table.x, "table", axes, color="tab:blue", alpha=0.4)
draw(samples, "samples", axes, color="tab:orange", histtype="step", linewidth=1.5)
axes[0].legend(frameon=False, fontsize=8)
negative = (samples[:, 3] < 0).mean()
beyond = ((samples[:, 2] < 0) | (samples[:, 2] > 100)).mean()
print(f"days of negative rain {negative:.1%}, humidity beyond its ends {beyond:.1%}")
print("days of exactly no rain:", (samples[:, 3] == 0).mean())
print("half visitors:", samples[:3, 1].round(2))

# %% [markdown]
# What to see: the shapes are roughly right, and no sample could be a row of the table.
# There is negative rain, and 3.4 visitors. Its log-density is of no use either: at the
# values that many rows share it only depends on how sharp a peak the fit can make.
#
# ## As what they are
#
# `detect` looks at the values and says what it takes each column for. `fit` by name
# does the same. It sees what values show, here only the upper end of the humidity, and
# labels 0, 1, 2 look like integers: what you know goes before it, as `columns=`.

# %%
for name, column in zip(table.columns, preprocessing.detect(table.x), strict=True):
    print(f"{name:>9}: {column}")

# %%
kinds = {
    "warmth": "continuous",
    "visitors": ("integer", "positive"),
    "humidity": ("bounded", 0, 100),
    "rain": ("positive", ("atom", 0.0)),
    "season": ("category", [0, 1, 2]),
}
flow, history = tfpf.fit("nsf-ar", table.x, columns=kinds, **options)
samples = flow.sample(6000, seed=SEED).numpy()
_, axes = plt.subplots(1, 5, figsize=(13, 2.6))
draw(table.x, "table", axes, color="tab:blue", alpha=0.4)
draw(samples, "samples", axes, color="tab:orange", histtype="step", linewidth=1.5)
axes[0].legend(frameon=False, fontsize=8)
print("days of exactly no rain:", (samples[:, 3] == 0).mean(), "in the samples,")
print("                        ", (table.x[:, 3] == 0).mean(), "in the table")
flow.sample(5, seed=1, as_frame=True)

# %% [markdown]
# What to see: the samples are rows of such a table. Zeros are zeros, and no humidity is
# above 100.
#
# ## Is `log_prob` right?
#
# It is a mass in the columns of steps, and a density in the others. On new rows,
# beside the exact value:

# %%
exact = tfpf.datasets.mixed_table_log_prob(fresh.x)
found = flow.log_prob(fresh.x).numpy()
error = (exact - found).std() / np.sqrt(len(exact))
print(f"exact {exact.mean():.3f}, flow {found.mean():.3f} nats per row")
print(f"the flow is {np.mean(exact - found):.3f} +- {error:.3f} nats behind")
_, ax = plt.subplots(figsize=(4.5, 4))
ax.plot(exact, found, ".", markersize=2)
ax.plot([-18, -6], [-18, -6], color="k", linewidth=0.8)
_ = ax.set(xlabel="exact log-density [nats]", ylabel="log-density of the flow [nats]")

# %% [markdown]
# What to see: the points lie around the diagonal: rows that are rare are rare to the
# flow as well. A value that no row can have gets minus infinity:

# %%
odd = fresh.x[:2].copy()
odd[0, 1], odd[1, 2] = 2.5, 101.0  # half a visitor; more than all of the humidity
print(flow.log_prob(odd).numpy())

# %% [markdown]
# ## Empty cells
#
# Take a tenth of all cells away. A fit refuses them by row and column, unless it is
# told to fill them. It does so with values of rows that are alike, so that columns keep
# their distribution and their kind; a mean would make a peak in the middle.

# %%
rng = np.random.default_rng(SEED)
holes = table.x.copy()
holes[rng.uniform(size=holes.shape) < 0.1] = np.nan
try:
    tfpf.fit("nsf-ar", holes, columns=kinds, **options)
except ValueError as message:
    print(message)

# %%
filled = preprocessing.impute(holes, seed=SEED)
gaps = np.isnan(holes)
for i, name in enumerate(table.columns):
    r = np.corrcoef(filled[gaps[:, i], i], table.x[gaps[:, i], i])[0, 1]
    print(f"{name:>9}: {gaps[:, i].sum()} filled, correlation with the truth {r:.2f}")
again, history = tfpf.fit("nsf-ar", holes, columns=kinds, missing="impute", **options)
loss = exact.mean() - again.log_prob(fresh.x).numpy().mean()
print(f"fitted to a table with holes: {loss:.3f} nats behind the exact density")

# %% [markdown]
# ## The report
#
# Each fit ends with a report: rows, numbers that were trained, why it stopped, its
# likelihood beside that of a Gaussian on the rows held out, and what the columns are.

# %%
print(history.report)

# %% [markdown]
# ## What no density can have
#
# Some tables have no density at all: a column that is a copy of another, a constant.
# The fit says so, with the names; what it only warns of is a `DataNotice`.

# %%
double = np.column_stack([table.x[:, 0], 2 * table.x[:, 0], table.x[:, 2]])
try:
    tfpf.fit("nsf-ar", double, columns=["warmth", "twice", "humidity"], **options)
except ValueError as message:
    print(message)

# %% [markdown]
# ## An exercise
#
# Round `warmth` to one decimal, and give it as `("rounded", 0.1)`. By how much does the
# log-density of a row change, and why is it so little? Then round to whole degrees.

# %%
# Your turn:
