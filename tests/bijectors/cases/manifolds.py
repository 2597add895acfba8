"""Maps onto manifolds as named cases of the contract suite."""

from __future__ import annotations

from tests.bijectors.cases.registry import Cases
from tfp_flows import bijectors as maps

CASES = Cases()


# From two numbers to a vector of three; tests of `math.spheres` compare the log-det
# with areas by autodiff.
SPHERE = {
    "event_shape": "it takes vectors of any size",
    "leading_shapes": "the check gives vectors of its own size to the inverse",
    "finite_gradients": "the check joins vectors of both sizes",
    "log_det": "it is by area: the matrix of slopes is not square",
    "mass": "it is one over the sphere, not over the plane",
    "huge_inputs": "what is no unit vector has density 0",
    "unknown_shapes": "it says that vectors must have a known size",
}


@CASES.add("sphere", (2,), domain=(-1.0, 1.0), skip=SPHERE)
def _sphere(dtype):
    return maps.Sphere()
