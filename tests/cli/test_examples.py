"""The examples, which run from the shell like the commands."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import tfp_flows
from tfp_flows import flows
from tfp_flows.examples import ex_1d, ex_2d
from tfp_flows.examples.stack import Stack

SMALL = ("--n", "40", "--flows", "1", "--iterations", "2", "--out")


def _columns(text):
    lines = [line for line in text.splitlines() if line.startswith("iteration")]
    return [[float(word) for word in line.split()[1::2]] for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "name"),
    [
        (ex_1d, "nsf-ar"),
        (ex_1d, "realnvp"),
        (ex_1d, "ActNorm"),
        (ex_2d, "OneByOneConv"),
        (ex_2d, "NSF_CL"),
        *((ex_2d, name) for name in flows.names()),
    ],
)
def test_examples_run_for_every_flow(example, name, tmp_path, capsys):
    out = tmp_path / "picture.png"
    assert example.main(["--flow", name, *SMALL, str(out)]) == 0
    rows = _columns(capsys.readouterr().out)
    assert [row[0] for row in rows] == [0, 1, 2]
    for _, log_prob, prior, log_det in rows:
        assert log_prob == pytest.approx(prior + log_det, abs=0.002)
    with Image.open(out) as image:
        assert image.width > 2 * image.height


@pytest.mark.slow
@pytest.mark.parametrize("more", [["--actnorm"], ["--convolve", "--use-mixture"]])
def test_examples_take_maps_between_the_layers(more, tmp_path):
    out = tmp_path / "picture.png"
    assert ex_2d.main(["--flow", "realnvp", *more, *SMALL, str(out)]) == 0
    assert out.exists()


def test_bad_choices_are_one_line(tmp_path, capsys):
    out = tmp_path / "picture.png"
    out.write_text("mine")
    for more, message in (
        ([], "exists"),
        (["--force", "--flow", "fly"], "no such flow"),
        (["--force", "--n", "1"], "at least"),
        (["--out", str(tmp_path / "no" / "p.png")], "there is no folder"),
    ):
        assert ex_2d.main([*SMALL, str(out), *more]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert out.read_text() == "mine"


@pytest.mark.slow
def test_stack_is_saved_whole(tmp_path):
    x = np.random.default_rng(0).normal(size=[50, 2]).astype(np.float32)
    flow = Stack(2, block="linear", num_layers=2, convolve=True, actnorm=True, seed=0)
    flow.adapt(x + 3.0)
    flow.save(tmp_path / "stack.keras")
    again = tfp_flows.load(tmp_path / "stack.keras")
    np.testing.assert_array_equal(flow.log_prob(x), again.log_prob(x))
