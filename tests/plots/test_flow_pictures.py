"""Pictures of a flow and of its answers: what they draw, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tensorflow_probability import bijectors as tfb

from tfp_flows import datasets, flows, plots
from tfp_flows.plots import risk as risks


@pytest.fixture(scope="module")
def flow():
    """Return a flow that moves everything by 3 and 5, and doubles the first number."""
    maps = [tfb.Shift([3.0, 5.0]), tfb.Scale([2.0, 1.0])]
    return flows.Flow.from_maps(maps, event_shape=2)


def test_deformation_draws_lines_where_the_maps_take_them(flow):
    ax = plots.deformation(flow, num_lines=3, extent=1.0, data=np.zeros([4, 2]))
    points, *lines = ax.lines
    assert len(points.get_xdata()) == 4
    assert len(lines) == 6
    np.testing.assert_allclose(lines[0].get_xdata(), 4.0)  # (3 - 1) * 2
    np.testing.assert_allclose(lines[0].get_ydata()[[0, -1]], [4.0, 6.0])
    few = plots.deformation(flow, num_lines=3, data=np.zeros([9, 2]), max_points=5)
    assert len(few.lines[0].get_xdata()) == 5
    base = plots.deformation(flow, num_lines=3, extent=1.0, k=0)
    np.testing.assert_allclose(base.lines[0].get_xdata(), -1.0)
    assert base.get_xlabel() == "z0"
    three = flows.build("linear", 3, seed=0)
    with pytest.raises(ValueError, match="must have events of two numbers"):
        plots.deformation(three)


def test_risk_coverage_orders_rows_by_confidence():
    loss = np.array([4.0, 0.0, 2.0, 2.0])
    scores = {"good": -loss, "bad": loss, "none": np.zeros(4)}
    ax = plots.risk_coverage(scores, loss)
    good, bad, none, best, dashed = ax.lines
    assert good.get_xdata()[-1] == 1.0
    risk = risks._risk
    np.testing.assert_allclose(risk(loss, -loss), [0.0, 1.0, 4 / 3, 2.0])
    np.testing.assert_allclose(risk(loss, loss), [4.0, 3.0, 8 / 3, 2.0])
    np.testing.assert_allclose(risk(loss, np.zeros(4)), 2.0)  # ties share their loss
    np.testing.assert_array_equal(best.get_ydata(), good.get_ydata())
    assert dashed.get_ydata()[0] == 2.0
    assert "area 2" in none.get_label()
    assert "area 2.92" in bad.get_label()
    assert len(plots.risk_coverage(scores, loss, oracle=False).lines) == 4


@pytest.mark.parametrize(
    ("confidence", "loss", "message"),
    [
        ([1.0, 2.0], [1.0], "one number for each row, got shapes"),
        ([1.0, np.nan], [1.0, 2.0], "'model' must be finite"),
        ({"a": [1.0, 2.0]}, [1.0, np.inf], "'loss' must be finite"),
    ],
)
def test_risk_coverage_refuses_what_does_not_match(confidence, loss, message):
    with pytest.raises(ValueError, match=message):
        plots.risk_coverage(confidence, loss)


def test_corner_draws_several_samples_and_truths():
    rng = np.random.default_rng(0)
    table = datasets.Table(rng.normal(size=(200, 2)), ("a", "b"))
    samples = {"one": rng.normal(size=(150, 2)), "two": rng.normal(size=(90, 2))}
    axes = plots.corner(table, samples, truths={"b": 9.0})
    texts = [text.get_text() for text in axes[0, 0].get_legend().get_texts()]
    assert texts == ["data", "one", "two"]
    assert len(axes[1, 0].collections) == 2
    assert len(axes[0, 0].lines) == 0
    assert axes[1, 1].lines[0].get_xdata()[0] == 9.0
    assert axes[1, 0].lines[-1].get_ydata()[0] == 9.0
    assert axes[1, 1].get_xlim()[1] > 9.0  # a mark is never outside
    marked = plots.corner(table, truths=[0.5, np.nan])
    assert [len(marked[i, i].lines) for i in (0, 1)] == [1, 0]
    with pytest.raises(ValueError, match="a value for each of the 2 columns, got 1"):
        plots.corner(table, truths=[1.0])
    with pytest.raises(ValueError, match="of the columns 'a', 'b', got 'c'"):
        plots.corner(table, truths={"c": 1.0})
    with pytest.raises(ValueError, match="at most 4 tables, got 5"):
        plots.corner(table, dict.fromkeys("abcde", samples["one"]))


def test_layers_gif_goes_from_the_base_to_the_data(flow, tmp_path):
    path = plots.layers_gif(tmp_path / "a.gif", flow, frames=2, num_samples=20)
    with Image.open(path) as image:
        assert image.n_frames >= 1 + flow.num_maps  # equal frames are one
        image.seek(image.n_frames - 1)
        assert np.asarray(image.convert("L")).std() > 0
    with pytest.raises(ValueError, match=r"must end in \.gif, got 'a.png'"):
        plots.layers_gif(tmp_path / "a.png", flow)
    with pytest.raises(ValueError, match="two numbers or more"):
        plots.layers_gif(tmp_path / "b.gif", flows.build("linear", 1, seed=0))
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]


def test_counts_of_points_are_whole(flow, tmp_path):
    path, words = tmp_path / "a.gif", "`num_samples` must be a number without"
    for draw in (
        lambda count: plots.layers(flow, num_samples=count),
        lambda count: plots.layers_gif(path, flow, num_samples=count),
        lambda count: plots.training_gif(path, flow, np.eye(2), num_samples=count),
    ):
        with pytest.raises(TypeError, match=words):
            draw(1e2)
