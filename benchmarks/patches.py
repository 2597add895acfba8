"""Image patches: Gaussian scale mixtures beside Gaussians and Gaussian mixtures.

Patches of 4 x 4 pixels of natural images, the middle of those of 8 x 8, as logs of
`pixel + noise + 1`. The densities, in nats per patch of images that no fit has seen:

- a Gaussian of full covariance;
- scikit-learn's mixture of 5 diagonal Gaussians, with the number of parameters of the
  scale mixture;
- a Gaussian scale mixture: the flow `linear` with the base `scale-mixture` of 5 scales;
- the same covariance, and the radius mapped by its table: `rbig` with one layer.

The patches are not part of the package: `--data` names a folder with `train.npz` and
`val.npz` (arrays `u8`, `[N, 64]`).

Run `python benchmarks/patches.py` (two minutes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import _report
import numpy as np

import tfp_flows
from tfp_flows import _optional, flows

PATCHES = Path(__file__).resolve().parents[2] / "shared" / "data" / "bsds300_patches"
# Row D10: nats per patch above the Gaussian.
GAIN = 1.0
SCALES = 5


def patches(path: Path, count: int, seed: int) -> np.ndarray:
    """Return logs of the pixels of patches of 4 x 4, `[N, 16]`."""
    rng = np.random.default_rng(seed)
    with np.load(path) as data:
        pixels = data["u8"]
    rows = pixels[rng.permutation(len(pixels))[:count]]
    inner = rows.reshape(-1, 8, 8)[:, 2:6, 2:6].reshape(len(rows), 16)
    return np.log(inner + rng.random(inner.shape) + 1.0).astype(np.float32)


def gaussian(train: np.ndarray, test: np.ndarray) -> float:
    """Return the mean log-density of a Gaussian of full covariance."""
    root = np.linalg.cholesky(np.cov(train.T.astype(np.float64), ddof=0))
    z = np.linalg.solve(root, (test - train.mean(axis=0)).T)
    constant = 0.5 * len(root) * math.log(2 * math.pi) + np.log(np.diag(root)).sum()
    return float(np.mean(-0.5 * np.sum(z**2, axis=0)) - constant)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=PATCHES, help="folder of train.npz and val.npz")
    add("--rows", type=int, default=20_000, help="patches to fit to")
    add("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    _report.header("patches of 4 x 4 pixels, nats per patch", "scikit-learn")
    options = {}
    if args.smoke:
        # No images: rows of one covariance and of two scales.
        rng = np.random.default_rng(0)
        scale = np.where(rng.random([600, 1]) < 0.5, 0.2, 2.0)
        rows = scale * rng.normal(size=(600, 16)) @ rng.normal(size=(16, 16))
        train, test = np.split(rows.astype(np.float32), [400])
        options = {"epochs": 2, "batch_size": 100}
    else:
        train = patches(args.data / "train.npz", args.rows, args.seed)
        test = patches(args.data / "val.npz", args.rows, args.seed + 1)
    common = {"seed": args.seed, "verbose": 0}
    mixture = _optional.require("sklearn.mixture", extra="sklearn").GaussianMixture(
        SCALES, covariance_type="diag", random_state=args.seed, reg_covar=1e-5
    )
    scaled, _ = tfp_flows.fit(
        "linear", train, base="scale-mixture", **common, **options
    )
    radial, _ = tfp_flows.fit("rbig", train, epochs=1, **common)
    found = {
        "Gaussian": gaussian(train, test),
        "mixture of 5": mixture.fit(train).score(test),
        "scale mixture": _score(scaled, test),
        "radial table": _score(radial, test),
    }
    print(f"{'density':16}{'log-lik.':>10}{'gain':>8}")
    for name, value in found.items():
        print(f"{name:16}{value:10.3f}{value - found['Gaussian']:8.3f}")
    gain = found["scale mixture"] - found["Gaussian"]
    over = max(found["scale mixture"], found["radial table"]) - found["mixture of 5"]
    print(
        f"scale mixture over the Gaussian by {GAIN}: "
        f"{_report.verdict(gain, GAIN, at_least=True)}; elliptical over the mixture of "
        f"as many parameters: {_report.verdict(over, 0.0, at_least=True)}"
    )


def _score(flow: flows.Flow, test: np.ndarray) -> float:
    """Return the mean log-density of rows."""
    return float(np.mean(flow.log_prob(test)))


if __name__ == "__main__":
    main()
