"""Plots: what they return, how they label it, and that they leave no global state."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from tensorflow_probability import distributions as tfd

import tfp_flows
from tfp_flows import _optional, datasets, flows, plots


@pytest.fixture(scope="module")
def x():
    """Return 300 points."""
    return datasets.toy("banana", 300)


@pytest.fixture(scope="module")
def flow():
    """Return an untrained flow with column names."""
    return flows.build("linear", 2, num_layers=2, columns=["left", "right"], seed=0)


def _saved(ax, tmp_path):
    path = tmp_path / "plot.png"
    ax.figure.savefig(path, dpi=50)
    with Image.open(path) as image:
        return np.asarray(image.convert("L")).std() > 0


def test_no_plot_touches_pyplot(x, flow, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert isinstance(plots.corner(x)[0, 0].figure, Figure)
    assert isinstance(plots.density_2d(flow, num=5).figure, Figure)
    assert isinstance(plots.layers(flow, num_samples=10)[0].figure, Figure)
    assert isinstance(plots.history({"loss": [1.0]}).figure, Figure)


@pytest.mark.colab
def test_corner_has_marginals_and_pairs_below_them(tmp_path):
    rng = np.random.default_rng(0)
    table = datasets.Table(rng.normal(size=(200, 3)), ("a", "b", "c"))
    axes = plots.corner(table, rng.normal(size=(150, 3)))
    assert axes.shape == (3, 3)
    assert [axes[i, j] is None for i, j in ((0, 1), (0, 2), (1, 2))] == [True] * 3
    assert [ax.get_xlabel() for ax in axes[2]] == ["a", "b", "c"]
    assert [axes[i, 0].get_ylabel() for i in (1, 2)] == ["b", "c"]
    texts = [text.get_text() for text in axes[0, 0].get_legend().get_texts()]
    assert texts == ["data", "samples"]
    assert len(axes[1, 0].collections) == 1
    assert axes[2, 1].get_xlim() == axes[1, 1].get_xlim()
    assert _saved(axes[0, 0], tmp_path)


def test_corner_draws_chosen_columns_on_a_given_figure():
    figure = Figure()
    table = datasets.wine("red")
    axes = plots.corner(table, columns=["alcohol", "pH"], figure=figure)
    assert axes.shape == (2, 2)
    assert axes[0, 0].figure is figure
    assert axes[1, 0].get_xlabel() == "alcohol"
    assert plots.corner(table, columns=[0])[0, 0].get_xlabel() == "fixed acidity"


def test_corner_matches_samples_by_name():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(100, 2)) * [1.0, 10.0]
    table = datasets.Table(values, ("a", "b"))
    swapped = datasets.Table(values[:, ::-1], ("b", "a"))
    for samples in (swapped, values):
        axes = plots.corner(table, samples)
        for i in range(2):
            data, drawn = axes[i, i].patches[:2]
            np.testing.assert_array_equal(
                data.get_data().values, drawn.get_data().values
            )


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (np.zeros([5, 3]), {}, "must have the 2 columns of the data, got 3"),
        (np.full([5, 2], np.nan), {}, "must hold finite numbers"),
        (None, {"columns": ["z"]}, "must name existing columns, got 'z'"),
        (None, {"columns": [7]}, "numbers below 2, got 7"),
        (None, {"names": ["a"]}, "must name all 2 columns"),
    ],
)
def test_corner_refuses_what_does_not_fit(samples, options, message, x):
    with pytest.raises(ValueError, match=message):
        plots.corner(x, samples, **options)


@pytest.mark.parametrize("log", [False, True])
def test_density_is_that_of_the_flow(log, flow, x, tmp_path):
    ax = plots.density_2d(
        flow, limits=((-1, 1), (-2, 2)), num=4, data=x, log=log, colorbar=True
    )
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("left", "right")
    drawn = np.asarray(ax.collections[0].get_array()).reshape(4, 4)
    centers = np.array([[-0.75, -1.5], [0.75, -1.5]], np.float32)
    expected = flow.log_prob(centers).numpy()
    found = drawn[0, [0, 3]] if log else np.log(drawn[0, [0, 3]])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert ax.figure.axes[1].get_ylabel() == (
        "log-density [nats]" if log else "density"
    )
    assert _saved(ax, tmp_path)


def test_density_takes_distributions_and_conditions():
    normal = tfd.MultivariateNormalDiag(np.zeros(2), np.ones(2))
    ax = plots.density_2d(normal, num=5)
    assert ax.get_xlabel() == "x0"
    assert ax.get_xlim()[0] < -2
    assert ax.get_xlim()[1] > 2
    conditional = flows.build("linear", 2, 1, seed=0)
    given = Figure().add_subplot()
    assert plots.density_2d(conditional, condition=[0.5], num=5, ax=given) is given


def test_density_needs_two_dimensions():
    with pytest.raises(ValueError, match=r"event_shape \(2,\), got \(3,\)"):
        plots.density_2d(flows.build("linear", 3, seed=0))


@pytest.mark.colab
def test_history_marks_the_best_epoch(tmp_path):
    values = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.1, 2.5, 2.6]}
    ax = plots.history(values)
    assert ax.get_xlabel() == "epoch"
    assert "nats" in ax.get_ylabel()
    assert [line.get_label() for line in ax.lines[:2]] == ["training", "validation"]
    assert ax.lines[2].get_xydata().tolist() == [[2.0, 2.5]]
    assert _saved(ax, tmp_path)
    given = Figure().add_subplot()
    assert plots.history({"loss": [1.0]}, ax=given) is given


def test_the_best_value_of_a_history_stands_within_its_axes():
    ax = plots.history({"loss": [3.0, 2.0, 1.5], "val_loss": [2.0, 1.4, 1.1]})
    drawn = FigureCanvasAgg(ax.figure)
    drawn.draw()
    written = ax.texts[0].get_window_extent(drawn.get_renderer())
    assert written.height > 5
    assert written.y0 > ax.get_window_extent().y0
    ticks = [tick for tick in ax.get_xticks() if 1 <= tick <= 3]
    assert ticks == [1, 2, 3]


def test_history_leaves_a_steep_start_outside():
    loss = [1000.0, *np.linspace(2.0, 1.0, 50)]
    ax = plots.history({"loss": loss})
    assert 2.0 <= ax.get_ylim()[1] < 10.0


def test_history_needs_losses():
    with pytest.raises(ValueError, match="at least one 'loss'"):
        plots.history({})


def test_layers_go_from_base_to_data(flow, tmp_path):
    axes = plots.layers(flow, num_samples=50)
    assert [ax.get_title() for ax in axes] == [
        "base",
        "after 1 map",
        "after 2 maps",
        "after 3 maps",
    ]
    assert axes[0].get_xlabel() == "z0"
    assert axes[-1].get_xlabel() == "left"
    # The untrained flow is the identity: the same points in each panel.
    first, last = (np.asarray(axes[i].collections[0].get_offsets()) for i in (0, -1))
    np.testing.assert_allclose(first, last, atol=1e-5)
    assert _saved(axes[0], tmp_path)


def test_layers_draw_densities_and_chosen_panels(flow):
    figure = Figure()
    axes = plots.layers(flow, ks=[0, 3], density=True, figure=figure)
    assert len(axes) == 2
    assert axes[0].figure is figure


def test_layers_need_two_dimensions():
    with pytest.raises(ValueError, match="two numbers or more"):
        plots.layers(flows.build("linear", 1, seed=0))


@pytest.mark.slow
def test_training_gif_has_its_frames_at_their_pace(x, tmp_path):
    path = tmp_path / "training.gif"
    flow, history = plots.training_gif(
        path, "linear", x, epochs=5, batch_size=16, num_samples=100, seed=0, verbose=0
    )
    assert len(history.history["loss"]) == 5
    assert flow.event_shape == (2,)
    with Image.open(path) as image:
        assert image.n_frames == 30
        for frame in range(image.n_frames):
            image.seek(frame)
            assert image.info["duration"] == 200


def test_gif_callback_keeps_evenly_spaced_steps(x, tmp_path, flow):
    picture = plots.TrainingGif(tmp_path / "t.gif", x, frames=4, num_samples=10)
    picture.set_model(flow)
    picture.on_train_begin()
    for batch in range(50):
        picture.on_train_batch_end(batch)
    steps = [step for step, _ in picture._taken]
    assert 4 <= len(steps) <= 8
    assert len(set(np.diff(steps))) == 1
    picture.on_train_end()
    with Image.open(tmp_path / "t.gif") as image:
        assert image.n_frames == 4


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.png", np.zeros([5, 2]), "must end in .gif"),
        ("t.gif", np.zeros([5, 1]), "with D >= 2"),
    ],
)
def test_gif_refuses_what_it_cannot_draw(name, data, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        plots.TrainingGif(tmp_path / name, data)


def test_missing_matplotlib_is_named(x, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(_optional.MissingExtraError, match=r"tfp_flows\[plot\]"):
        tfp_flows.plots.corner(x)
