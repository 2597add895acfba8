"""The published systems that `reproductions.py` runs, one module for each field."""

from published import gaussianization, images, maps, mnist, reverse, small
from published.entries import ENTRIES

__all__ = ["ENTRIES", "gaussianization", "images", "maps", "mnist", "reverse", "small"]
