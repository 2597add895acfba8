"""Damages saved flows and loads them: the same density, or one sentence, each time.

    python benchmarks/hardening/models.py [--count 1000] [--seed 0] [--smoke]

Kinds of damage: bits flipped, bytes cut, put in or overwritten anywhere in the file;
and files whose archive is whole, but whose members are swapped with those of another
flow, left out, or written anew with a changed option, changed weights, NaN weights or a
changed seal. Prints for each kind how many files were loaded with the density of
before, refused in one sentence, loaded with another density without a word (`changed`),
or ended in any other way (`bad`). Ends with exit code 1 if one was changed or bad.
"""

from __future__ import annotations

import copy
import io
import json
import os
import random
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _report
import h5py
import numpy as np
import readers

import tfp_flows as tfpf

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
WORDS = ("loaded", "refused", "changed", "bad")
# An answer to a damaged file is a sentence, not a page.
LONGEST = 700
OPTIONS = {"num_layers": 1, "hidden_units": (4,)}


def unpacked(data: bytes) -> tuple[dict[str, bytes], bytes]:
    """Return the members of an archive and its comment."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        return members, archive.comment


def packed(members: dict[str, bytes], comment: bytes) -> bytes:
    """Return an archive with checksums that fit its members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.comment = comment
    return out.getvalue()


def _leaves(value: Any) -> list[tuple[Any, Any]]:
    """Return all places of a configuration as container and key."""
    found = []
    if isinstance(value, (dict, list)):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            found.append((value, key))
            found += _leaves(value[key])
    return found


def changed_option(members: dict[str, bytes], rng: random.Random) -> None:
    """Change a value of the configuration, drop it, or add another."""
    config = json.loads(members[CONFIG])
    container, key = rng.choice(_leaves(config))
    old = copy.deepcopy(container[key])
    new = rng.choice([None, 0, -1, 1, 2, 0.5, 10**9, "x", "relu", [], {}, True, "drop"])
    if new == "drop":
        del container[key]
    elif new == old:
        container[key] = [old]
    else:
        container[key] = new
    members[CONFIG] = json.dumps(config).encode()


def changed_weights(members: dict[str, bytes], rng: random.Random) -> None:
    """Change one bit of one weight, or put a NaN there."""
    stream = io.BytesIO(members[WEIGHTS])
    with h5py.File(stream, "r+") as file:
        arrays: list[Any] = []
        file.visititems(
            lambda _, item: (
                arrays.append(item)
                if isinstance(item, h5py.Dataset) and item.size
                else None
            )
        )
        item = rng.choice(arrays)
        values = np.array(item)
        if values.dtype.kind == "f" and rng.random() < 0.3:
            values.reshape(-1)[rng.randrange(values.size)] = np.nan
        else:
            data = bytearray(values.tobytes())
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            values = np.frombuffer(bytes(data), values.dtype).reshape(values.shape)
        item[...] = values
    members[WEIGHTS] = stream.getvalue()


def damaged(
    kind: str, good: bytes, other: bytes, rng: random.Random, bits: np.random.Generator
) -> bytes:
    """Return a damaged copy of a file; `other` is of a flow of the same shape."""
    if kind == "bytes":
        return readers.damaged(good, bits)
    members, comment = unpacked(good)
    if kind == "swapped":
        name = rng.choice([CONFIG, WEIGHTS])
        members[name] = unpacked(other)[0][name]
    elif kind == "missing":
        del members[rng.choice([CONFIG, WEIGHTS])]
    elif kind == "option":
        changed_option(members, rng)
    elif kind == "weights":
        changed_weights(members, rng)
    else:
        comment = readers.damaged(comment, bits)
    return packed(members, comment)


KINDS = ("bytes", "swapped", "missing", "option", "weights", "seal")


def verdict(path: Path, x: np.ndarray, right: np.ndarray) -> tuple[str, str]:
    """Load a file; return one of `WORDS`, and what was said."""
    try:
        found = tfpf.load(path).log_prob(x).numpy()
    except (ValueError, OSError) as error:
        text = str(error)
        good = path.name in text and "\n" not in text.strip() and len(text) < LONGEST
        return "refused" if good else "bad", f"{type(error).__name__}: {text}"
    except Exception as error:  # what the search is for
        return "bad", f"{type(error).__name__}: {error}"
    return ("loaded" if np.array_equal(found, right) else "changed"), ""


def flows(folder: Path) -> tuple[Path, Path]:
    """Write a flow of named columns, and one with other options and weights."""
    for name, seed, more in (("good", 1, {}), ("other", 2, {"activation": "tanh"})):
        flow = tfpf.flows.build(
            "maf", 2, seed=seed, columns=["a", "b"], **OPTIONS, **more
        )
        rng = np.random.default_rng(seed)
        for variable in flow.trainable_variables:
            variable.assign(rng.normal(0.0, 0.3, variable.shape))
        flow.save(folder / f"{name}.keras")
    return folder / "good.keras", folder / "other.keras"


def run(count: int, seed: int) -> dict[str, Counter[str]]:
    """Damage a saved flow `count` times in all and load it.

    Returns:
        For each kind of damage, how often there was which verdict; what is bad is
        printed.
    """
    rng, bits = random.Random(seed), np.random.default_rng(seed)
    results = {kind: Counter() for kind in KINDS}
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    with tempfile.TemporaryDirectory() as name:
        path, other = flows(Path(name))
        good, different = path.read_bytes(), other.read_bytes()
        right = tfpf.load(path).log_prob(x).numpy()
        for i in range(count):
            kind = KINDS[i % len(KINDS)]
            path.write_bytes(damaged(kind, good, different, rng, bits))
            word, text = verdict(path, x, right)
            results[kind][word] += 1
            if word in ("bad", "changed"):
                print(f"{kind}: {word} {text[:300]!r}", flush=True)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the search and print its table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--count", type=int, default=1000, help="files in all")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    _report.header("Damaged files of flows")
    results = run(30 if given.smoke else given.count, given.seed)
    for kind, seen in results.items():
        numbers = "  ".join(f"{word} {seen[word]:5}" for word in WORDS)
        print(f"{kind:<10} {numbers}", flush=True)
    wrong = sum(seen["changed"] + seen["bad"] for seen in results.values())
    print(f"silent answers and tracebacks of others: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
