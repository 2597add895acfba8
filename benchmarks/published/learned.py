"""Latent variables and random weights: what flows add to autoencoders and networks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from learning import bayesian, vaes
from sklearn.datasets import load_digits

from published.energies import divergence
from published.entries import DATA, Absent, Figure, entry, least

KTISHA = "ktisha, flows of bends for energies and autoencoders"
SEEDS = 3
BENDS = 16
# Rows of the table of yachts, of which each seed takes another split.
YACHT = DATA / "uci_regression" / "yacht.npz"


@entry("planar-and-radial-energies", "E11", KTISHA)
def planar_and_radial(quick: bool) -> Iterator[Figure]:
    """Divergences from the four energies, with their integrals: 0 is best."""
    for name in ("u1", "u2", "u3", "u4"):
        for kind in ("planar", "radial"):
            options = {"num_layers": 1 if quick else BENDS, "inverted": True}
            found = divergence(name, kind, 2_000, quick, annealed=1_000, **options)
            yield Figure(f"{BENDS} {kind} layers: KL from {name}", found, reference="0")
            if quick:
                return


@entry(
    "autoencoder-posteriors", "E11, G17", "van den Berg et al. 2018, on small digits"
)
def autoencoders(quick: bool) -> Iterator[Figure]:
    """Black and white digits, 8 latent numbers, equal networks and steps."""
    x = (load_digits().data > 7).astype("float32")
    order = np.random.default_rng(0).permutation(len(x))
    train, test = x[order[: vaes.TRAIN]], x[order[vaes.TRAIN :]]
    epochs, seeds = (1, 1) if quick else (40, SEEDS)
    if quick:
        train, test = train[:100], test[:20]
    names = ("gaussian", "planar", "sylvester")
    table = np.array(
        [
            [
                -vaes.fitted(name, train, seed, epochs)
                .elbo(test, draws=10, seed=0)
                .mean()
                for name in names
            ]
            for seed in range(seeds)
        ]
    )
    means = table.mean(axis=0)
    yield Figure("Gaussian posterior: -ELBO per digit", means[0])
    yield Figure("8 planar layers: -ELBO per digit", means[1], means[0])
    yield Figure("4 Sylvester layers: -ELBO per digit", means[2], means[0])
    ordered = np.sum((table[:, 0] > table[:, 1]) & (table[:, 1] > table[:, 2]))
    what = f"seeds of {seeds} in the order Gaussian, planar, Sylvester"
    yield least(what, float(ordered), 2)


def both(part: str, steps: int, seeds: int) -> dict[str, dict[str, np.ndarray]]:
    """Return what networks with independent weights, and with factors, come to."""
    run = {"toy": bayesian.on_toy, "digits": bayesian.on_digits}[part]
    found = {}
    for kind in bayesian.KINDS:
        rows = [run(kind, seed, steps) for seed in range(seeds)]
        found[kind] = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return found


@entry("multiplicative-flows", "G18", "Louizos & Welling 2017, factors of weights")
def multiplicative(quick: bool) -> Iterator[Figure]:
    """20 points of a cubic with known noise; digits, and these turned by 90 degrees."""
    seeds = 1 if quick else SEEDS
    toy = both("toy", 5 if quick else 2_000, seeds)
    independent = float(toy["independent"]["bound"].mean())
    bound = float(toy["factors"]["bound"].mean())
    reference = f"independent weights {independent:.1f}"
    yield least("cubic: bound of the log-evidence", bound, independent, reference)
    ratio = float(toy["factors"]["ratio"].mean())
    yield least("cubic: deviation at -6 and 6 over that at 0", ratio, 3.0)
    if quick:
        return
    digits = both("digits", 1_000, seeds)
    for kind, bar in (("independent", None), ("factors", 2.0)):
        name = {"independent": "independent weights", "factors": "factors"}[kind]
        ratio = float(digits[kind]["ratio"].mean())
        what = f"{name}: entropy of turned digits over that of others"
        yield Figure(what, ratio, bar, at_least=True)
        yield Figure(f"{name}: accuracy", float(digits[kind]["accuracy"].mean()))


@entry(
    "bayesian-regression", "G19", "Louizos & Welling 2017; splits of Gal 2016, yacht"
)
def yachts(quick: bool) -> Iterator[Figure]:
    """Test log-likelihood of factors beside independent weights, within its error."""
    if not YACHT.exists():
        msg = f"no table of yachts in {YACHT.parent}"
        raise Absent(msg)
    seeds, steps = (1, 5) if quick else (SEEDS, 1_500)
    found = {
        kind: np.array(
            [
                bayesian.on_yacht(kind, seed, steps, DATA)["log-likelihood"]
                for seed in range(seeds)
            ]
        )
        for kind in bayesian.KINDS
    }
    lead = found["factors"] - found["independent"]
    error = float(lead.std(ddof=1) / np.sqrt(seeds)) if seeds > 1 else 0.0
    yield Figure("independent weights: nats", float(found["independent"].mean()))
    yield Figure("factors: nats", float(found["factors"].mean()))
    what = "lead of factors plus its standard error"
    yield least(what, float(lead.mean()) + error, 0.0)
