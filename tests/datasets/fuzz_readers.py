"""Damages files of every format and reads them: a value, or one sentence, each time.

    python tests/datasets/fuzz_readers.py [--count 500] [--seed 0]

Prints for each format how many damaged files were read, refused in one sentence, and
read with other values though the format has checksums. Ends with exit code 1 if a
reader raised anything but a `ValueError` or an `OSError` of one sentence that names the
file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tfp_flows import datasets

TABLES = ("csv", "tsv", "csv.gz", "xlsx", "parquet", "npz", "npy")
PICTURES = ("png", "jpg", "bmp", "gif")
ARRAYS = ("images.npz", "images.npy", "images-idx3-ubyte", "images-idx3-ubyte.gz")
# Formats that keep a checksum of all values; a PNG may lose chunks unseen.
CHECKED = (
    "csv.gz",
    "xlsx",
    "parquet",
    "npz",
    "images.npz",
    "images-idx3-ubyte.gz",
)
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
            import gzip

            content = bytes([0, 0, 8, 3, *b"\0\0\0\3\0\0\0\x08\0\0\0\x08"])
            content += pixels.tobytes()
            packed = name.endswith(".gz")
            path.write_bytes(gzip.compress(content) if packed else content)
        yield name, path, datasets.read_images
    from PIL import Image

    for name in PICTURES:
        pictures = folder / name
        pictures.mkdir()
        Image.fromarray(pixels[0]).save(pictures / f"picture.{name}")
        yield (
            name,
            pictures / f"picture.{name}",
            lambda p: datasets.read_images(p.parent),
        )


def verdict(
    path: Path, read: Callable[[Path], np.ndarray], right: np.ndarray
) -> tuple[str, str]:
    """Read a file; return `read`, `changed`, `refused` or `bad`, and what was said."""
    try:
        found = read(path)
    except (ValueError, OSError) as error:
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


def main() -> int:
    """Run the search from the shell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500, help="files of each format")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    results = run(arguments.count, arguments.seed)
    for kind, seen in results.items():
        words = ("read", "changed", "refused", "bad")
        numbers = "  ".join(f"{word} {seen[word]:5}" for word in words)
        checksum = " (with a checksum)" if kind in CHECKED else ""
        print(f"{kind:<22} {numbers}{checksum}")
    return int(any(seen["bad"] for seen in results.values()))


if __name__ == "__main__":
    sys.exit(main())
