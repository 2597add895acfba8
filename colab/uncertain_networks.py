# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Bayesian networks: what the data leave open
#
# A network fitted to few points is one of many that fit as well. Layers with random
# weights keep them: this notebook fits two kinds of them to a curve with 20 points, one
# with independent weights and one whose weights share factors with a flow (MNF), and
# asks digits that stand on their side what the second makes of them. It takes about a
# minute on two cores.

# %% tags=["skip-execution"]
# The install cell: build.py writes it.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tfp_flows import models

SEED = 0
keras.utils.set_random_seed(SEED)

# %% [markdown]
# ## Twenty points of a cubic

# %%
rng = np.random.default_rng(SEED)
x = rng.uniform(-4.0, 4.0, size=(20, 1)).astype("float32")
y = (x**3 + 3.0 * rng.normal(size=x.shape)).astype("float32")
width, unit = x.std(), y.std()
line = np.linspace(-6.0, 6.0, 121)
_, ax = plt.subplots(figsize=(5, 3))
ax.plot(line, line**3, "k--", lw=0.8, label="x**3")
ax.plot(x, y, "k.", label="data")
ax.set(xlabel="x", ylabel="y", ylim=(-160, 160))
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: outside of -4 to 4 there are no points. A network should know that there
# it does not know.
#
# `y = x**3` with noise of 3. The noise is known here, so that the loss is the negative
# log-likelihood in nats, and `kl_weight` is 1 over the number of rows: the loss that
# Keras shows is then the negative lower bound of the evidence, per row.


# %%
def negative_log_likelihood(target, mean):
    away = (target - mean) * unit / 3.0
    return tf.reduce_mean(0.5 * away**2 + np.log(3.0 * np.sqrt(2.0 * np.pi)), axis=-1)


def fitted(layer, steps=1_500):
    network = keras.Sequential(
        [
            keras.Input((1,)),
            layer(100, "relu", kl_weight=1 / len(x), seed=SEED),
            layer(1, kl_weight=1 / len(x), seed=SEED + 1),
        ]
    )
    rate = keras.optimizers.schedules.CosineDecay(0.01, steps)
    network.compile(keras.optimizers.Adam(rate), loss=negative_log_likelihood)
    data = tf.data.Dataset.from_tensors((x / width, y / unit)).repeat()
    network.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0)
    return network


networks = {
    "independent weights": fitted(models.DenseReparameterization),
    "factors with a flow": fitted(models.MultiplicativeDense),
}

# %%
grid = np.linspace(-6.0, 6.0, 121, dtype="float32")[:, np.newaxis]
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
for ax, (name, network) in zip(axes, networks.items(), strict=True):
    draws = unit * models.predictive_draws(network, grid / width, 200, seed=SEED)
    mean, scale = draws.mean(axis=0)[:, 0], draws.std(axis=0)[:, 0]
    for wide in (1, 2, 3):
        ax.fill_between(
            grid[:, 0], mean - wide * scale, mean + wide * scale, alpha=0.2, color="C0"
        )
    ax.plot(grid, mean, label="mean")
    ax.plot(grid, grid**3, "k:", label="truth")
    ax.plot(x, y, "k.", label="data")
    ax.set(title=name, xlabel="x", ylim=(-150, 150))
    print(f"{name}: deviation {scale[60]:.1f} at 0, {scale[[0, -1]].mean():.1f} at 6")
axes[0].set_ylabel("y")
_ = axes[0].legend(frameon=False)

# %% [markdown]
# What to see: one, two and three standard deviations of the network's answer. Between
# the points it is sure, beyond them much less so: there the weights that fit the data
# go apart. A network with plain weights would draw one line.
#
# ## Digits that stand on their side
#
# Predicted probabilities are means over draws. Their entropy is 0 where all draws say
# the same class and are sure of it, and at most `log 10 = 2.3` nats.

# %%
pixels, digit = load_digits(return_X_y=True)
pixels = (pixels / 8.0 - 1.0).astype("float32")
train, test, train_digit, test_digit = train_test_split(
    pixels, digit, test_size=0.25, random_state=SEED, stratify=digit
)
weight = 1 / len(train)
classifier = keras.Sequential(
    [
        keras.Input((64,)),
        models.MultiplicativeDense(64, "relu", kl_weight=weight, seed=SEED),
        models.MultiplicativeDense(10, kl_weight=weight, seed=SEED + 1),
    ]
)
classifier.compile(
    keras.optimizers.Adam(0.005),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
classifier.fit(train, train_digit, epochs=60, batch_size=128, verbose=0)


def shares(rows):
    logits = models.predictive_draws(classifier, rows, 30, seed=SEED)
    return tf.nn.softmax(logits).numpy().mean(axis=0)


def entropy(p):
    return -(p * np.log(np.maximum(p, 1e-12))).sum(axis=1)


found = shares(test)
print(f"accuracy {np.mean(found.argmax(axis=1) == test_digit):.1%}")
turned = np.rot90(test.reshape(-1, 8, 8), axes=(1, 2)).reshape(-1, 64)
noise = rng.uniform(-1.0, 1.0, size=test.shape).astype("float32")
_, ax = plt.subplots(figsize=(6, 3.5))
bins = np.linspace(0.0, np.log(10.0), 40)
for name, rows in {"upright": test, "on their side": turned, "noise": noise}.items():
    values = entropy(shares(rows))
    print(f"{name:>14}: mean entropy {values.mean():.2f} nats")
    ax.hist(values, bins, alpha=0.6, label=name)
ax.set(xlabel="entropy of the predicted class in nats", ylabel="images")
_ = ax.legend(frameon=False)

# %% [markdown]
# What to see: the classifier is less sure of digits on their side, which it has never
# seen, than of upright ones. Some look like another digit, and are taken for it.
#
# ## An exercise
#
# Multiply `kl_weight` by 0.1, and by 10. What happens to the bands of the cubic, and
# which of the three is the evidence for?

# %%
# Your turn:
