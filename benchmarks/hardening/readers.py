"""Damages files of every format and reads them: a value, or one sentence, each time.

    python benchmarks/hardening/readers.py [--count 100000] [--seed 0] [--smoke]

Prints for each format how many damaged files were read, refused in one sentence, and
read with other values (`changed`); the formats with checksums of all values may not
have any. Ends with exit code 1 if they have, or if a reader raised anything but an
error of one sentence that names the file (`bad`).
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import numpy as np
from PIL import Image

from tfp_flows import datasets
from tfp_flows.cli import config, sbi
from tfp_flows.cli.errors import UsageError

TABLES = ("csv", "tsv", "csv.gz", "xlsx", "parquet", "npz", "npy")
PICTURES = ("png", "jpg", "bmp", "gif")
ARRAYS = ("images.npz", "images.npy", "images-idx3-ubyte", "images-idx3-ubyte.gz")
# Others: files of options, pairs for inference, tables that are read block by block,
# the state of a fit, and that of a simulation.
NUM_FORMATS = len(TABLES) + len(PICTURES) + len(ARRAYS) + 5
# Formats that keep a checksum of all values; a PNG may lose chunks unseen.
CHECKED = (
    "csv.gz",
    "xlsx",
    "parquet",
    "npz",
    "images.npz",
    "images-idx3-ubyte.gz",
    "simulations",
    "blocks",
    "backup",
    "simulated",
)
WORDS = ("read", "changed", "refused", "bad")
LONGEST = 700


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with one of seven kinds of damage."""
    data = bytearray(content)
    place = int(rng.integers(len(data)))
    length = int(rng.integers(1, 64))
    kind = rng.integers(7)
    if kind == 0:  # a flipped bit, twice as often near the ends, where headers are
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        near = int(rng.integers(min(200, len(data))))
        data[near if rng.integers(2) else -1 - near] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        del data[place:]
    elif kind == 3:
        del data[place : place + length]
    elif kind == 4:
        data[place:place] = rng.bytes(length)
    elif kind == 5:
        data[place : place + length] = bytes([int(rng.choice([0, 255]))]) * length
    else:
        data[place : place + length] = rng.bytes(length)
    return bytes(data)


def examples(folder: Path) -> Iterator[tuple[str, Path, Callable[[Path], np.ndarray]]]:
    """Write a good file of each format; yield its name, and how it is read."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    for name in TABLES:
        path = datasets.write_table(folder / f"table.{name}", x, ["a", "b", "c"])
        yield name, path, lambda path: datasets.read_table(path).x
    pixels = rng.integers(0, 256, (3, 8, 8), np.uint8)
    for name in ARRAYS:
        path = folder / name
        if name.endswith(".npz"):
            np.savez_compressed(path, x=pixels)
        elif name.endswith(".npy"):
            np.save(path, pixels)
        else:
            content = bytes([0, 0, 8, 3, *b"\0\0\0\3\0\0\0\x08\0\0\0\x08"])
            content += pixels.tobytes()
            packed = name.endswith(".gz")
            path.write_bytes(gzip.compress(content) if packed else content)
        yield name, path, datasets.read_images
    yield "options", *_options(folder)
    np.savez_compressed(folder / "simulations.npz", theta=x, x=x * 2)
    yield (
        "simulations",
        folder / "simulations.npz",
        lambda path: np.concatenate(sbi.read_pairs(path)),
    )
    yield "blocks", *_blocks(folder, x)
    yield "backup", *_backup(folder)
    yield "simulated", *_simulated(folder)
    for name in PICTURES:
        pictures = folder / name
        pictures.mkdir()
        Image.fromarray(pixels[0]).save(pictures / f"picture.{name}")
        yield (
            name,
            pictures / f"picture.{name}",
            lambda p: datasets.read_images(p.parent),
        )


def _options(folder: Path) -> tuple[Path, Callable[[Path], np.ndarray]]:
    """Write a file of options of the shell; return it, and how it is read."""
    path = folder / "options.json"
    path.write_text(json.dumps({"flow": "maf", "epochs": 20, "option": ["a=1"]}))
    return path, lambda path: np.array(sorted(map(repr, config.read(path).items())))


def _blocks(folder: Path, x: np.ndarray) -> tuple[Path, Callable[[Path], np.ndarray]]:
    """Write a Parquet file of two row groups beside a whole one."""
    from pyarrow import parquet

    (folder / "blocks").mkdir()
    datasets.write_table(folder / "blocks" / "whole.parquet", x, ["a", "b", "c"])
    path = folder / "blocks" / "part.parquet"
    table = parquet.read_table(folder / "blocks" / "whole.parquet")
    parquet.write_table(table, path, row_group_size=20, write_page_checksum=True)

    def read(path: Path) -> np.ndarray:
        shards = datasets.open_shards(path.parent)
        return np.concatenate([block.x for block in shards.blocks()])

    return path, read


def _backup(folder: Path) -> tuple[Path, Callable[[Path], np.ndarray]]:
    """Write the state of a fit."""
    import tfp_flows as tfpf
    from tfp_flows.training.callbacks import backups

    path, key = folder / "backup" / backups.FILE, {"fit": 1}
    flow = tfpf.flows.build("linear", 2, seed=0)
    flow.compile("adam")
    written = backups.Backup(path.parent, key, [])
    written.set_model(flow)
    written.on_train_begin()
    written.on_epoch_end(0, {"loss": 1.5})
    written.on_epoch_begin(1)

    def read(path: Path) -> np.ndarray:
        found = backups.Backup(path.parent, key, [])
        found.set_model(flow)
        found.on_train_begin()
        state = [*flow.variables, *flow.optimizer.variables]
        arrays = [np.asarray(variable).reshape(-1) for variable in state]
        return np.concatenate([*arrays, [found.epoch], *found.history.values()])

    return path, read


def _simulated(folder: Path) -> tuple[Path, Callable[[Path], np.ndarray]]:
    """Write the state of a simulation that is done."""
    import tensorflow_probability as tfp

    import tfp_flows as tfpf

    prior = tfp.distributions.Sample(tfp.distributions.Normal(0.0, 1.0), 2)
    path = folder / "simulated.npz"

    def read(path: Path) -> np.ndarray:
        _, x = tfpf.inference.simulate(
            prior, lambda z: 2.0 * z, 8, batch_size=8, file=path, seed=0, verbose=0
        )
        return x

    read(path)
    return path, read


def verdict(
    path: Path, read: Callable[[Path], np.ndarray], right: np.ndarray
) -> tuple[str, str]:
    """Read a file; return `read`, `changed`, `refused` or `bad`, and what was said."""
    try:
        found = read(path)
    except (ValueError, OSError, UsageError) as error:
        text = str(error)
        named = path.name in text or path.parent.name in text
        good = named and "\n" not in text.strip() and len(text) < LONGEST
        return "refused" if good else "bad", f"{type(error).__name__}: {text}"
    except Exception as error:  # what the search is for
        return "bad", f"{type(error).__name__}: {error}"
    same = found.shape == right.shape and np.array_equal(found, right)
    return ("read" if same else "changed"), ""


def run(count: int, seed: int) -> dict[str, Counter[str]]:
    """Damage each kind of file `count` times and read it.

    Returns:
        For each format, how often there was which verdict; what is bad is printed.
    """
    rng = np.random.default_rng(seed)
    results: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        for kind, path, read in examples(Path(name)):
            good, right = path.read_bytes(), read(path)
            seen: Counter[str] = Counter()
            for _ in range(count):
                path.write_bytes(damaged(good, rng))
                word, text = verdict(path, read, right)
                seen[word] += 1
                if word == "bad":
                    print(f"{kind}: {text[:300]!r}", flush=True)
            path.write_bytes(good)
            results[kind] = seen
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the search and print its table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="files in all")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    _report.header("Damaged files of data")
    count = 20 * NUM_FORMATS if given.smoke else given.count
    results = run(-(-count // NUM_FORMATS), given.seed)
    wrong = 0
    for kind, seen in results.items():
        numbers = "  ".join(f"{word} {seen[word]:5}" for word in WORDS)
        checksum = " (with a checksum)" if kind in CHECKED else ""
        print(f"{kind:<22} {numbers}{checksum}")
        wrong += seen["bad"] + (seen["changed"] if kind in CHECKED else 0)
    print(f"silent answers and tracebacks of others: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
