"""Periodic columns: no seam, samples inside, what is no angle is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from tests.flows import small
from tfp_flows import flows, training

KINDS = {"wind": ("periodic", 0, 360), "speed": "positive"}


def wind(rows=300, seed=0):
    """Return angles around north, on both sides of the seam, and speeds."""
    rng = np.random.default_rng(seed)
    angles = rng.normal(size=rows) * 40.0
    speeds = np.exp(0.3 * rng.normal(size=rows) + np.cos(np.radians(angles)))
    return np.stack([angles % 360.0, speeds], axis=1)


def trained(name, **options):
    flow = small.build(name, 2, columns=KINDS, **options)
    flow.adapt(wind())
    return small.perturbed(flow, 0.2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nsf", "maf"])
def test_density_has_mass_one_and_no_seam(name):
    flow = trained(name, base="student-t" if name == "maf" else "normal")
    angles, speeds = np.linspace(0.0, 360.0, 73), np.linspace(1e-4, 60.0, 600)
    grid = np.stack(np.meshgrid(angles, speeds, indexing="ij"), axis=-1)
    p = np.exp(flow.log_prob(grid.reshape(-1, 2))).reshape(grid.shape[:2])
    mass = integrate.trapezoid(integrate.trapezoid(p, speeds, axis=1), angles)
    np.testing.assert_allclose(mass, 1.0, atol=0.02)
    np.testing.assert_allclose(p[0], p[-1], rtol=1e-3, atol=1e-9)
    x = flow.sample(300, seed=1).numpy()
    assert np.all((x[:, 0] >= 0.0) & (x[:, 0] < 360.0))
    outside = flow.log_prob([[360.5, 1.0], [-0.5, 1.0]])
    assert np.all(np.isneginf(outside))


@pytest.mark.slow
def test_fit_by_name_learns_what_lies_on_both_sides_of_the_seam():
    options = {**small.SMALL["nsf-ar"], "epochs": 15, "verbose": 0, "seed": 0}
    options |= {"jit_compile": False, "validation": None}
    flow, _ = training.fit("nsf-ar", wind(), columns=KINDS, **options)
    sides = flow.log_prob([[10.0, 2.7], [350.0, 2.7], [180.0, 2.7]]).numpy()
    assert abs(sides[0] - sides[1]) < 0.5
    assert sides[:2].min() > sides[2] + 1.0


def test_hours_are_integers_of_a_period():
    kinds = [[("periodic", 0, 24), "integer"]]
    flow = small.build("nsf-ar", 1, preprocessing=kinds, base="gaussian-mixture")
    flow.adapt(np.arange(48.0)[:, None] % 24)
    flow = small.perturbed(flow, 0.3)
    masses = np.exp(flow.log_prob(np.arange(-1.0, 26.0)[:, None]))
    np.testing.assert_allclose(masses.sum(), 1.0, atol=2e-3)
    assert masses[0] == masses[25] == masses[26] == 0.0
    assert set(flow.sample(200, seed=0).numpy().ravel()) <= set(range(24))


def test_an_angle_outside_its_period_is_refused_or_wrapped():
    x = wind(20)
    x[3, 0] = 370.0
    flow = small.build("nsf", 2, columns=KINDS)
    words = r"angles of the period from 0 to 360 in column 'wind', got 370 in row 4"
    with pytest.raises(ValueError, match=words):
        flow.adapt(x)
    wrapping = {**KINDS, "wind": ("periodic", 0, 360, "wrap")}
    flow = small.build("nsf", 2, columns=wrapping)
    flow.adapt(x)
    flow = small.perturbed(flow)
    turns = np.array([[10.0, 1.0], [370.0, 1.0], [-350.0, 1.0]], np.float32)
    np.testing.assert_allclose(flow.log_prob(turns), [flow.log_prob(turns)[0]] * 3)
    again = type(flow).from_config(flow.get_config())
    assert again.preprocessing == flow.preprocessing


@pytest.mark.slow
def test_flows_without_maps_of_angles_say_so():
    for name in ("rbig", "planar", "mixture"):
        with pytest.raises(ValueError, match="need layers of splines on a circle"):
            small.build(name, 2, columns=KINDS)
    with pytest.raises(ValueError, match="must all be periodic"):
        flows.build("circular", 2, columns=KINDS)
    angles = {"a": ("periodic", 0, 24), "b": ("periodic", 0, 360)}
    with pytest.raises(ValueError, match="`period` must be left out"):
        flows.build("circular", 2, columns=angles, period=(0.0, 1.0))
    flow = flows.build("circular", 2, columns=angles)
    uniform = -np.log(24.0 * 360.0)
    np.testing.assert_allclose(flow.log_prob([[3.0, 4.0]]), uniform, rtol=1e-5)
