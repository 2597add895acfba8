"""Toy densities with exact entropies, wines, pictures of clothes, and readers.

Needs NumPy only; CSV, Parquet and data frames need the extra `tables`, folders of
pictures the extra `plot`.
"""

from __future__ import annotations

from tfp_flows.datasets.bands import BANDS, satellite_bands
from tfp_flows.datasets.clouds import cloud_names, point_clouds
from tfp_flows.datasets.conditional import (
    conditional_toy,
    conditional_toy_entropy,
    conditional_toy_log_prob,
    conditional_toy_names,
)
from tfp_flows.datasets.folds import copies, equal_rows, random_folds, random_split
from tfp_flows.datasets.images import (
    FASHION_CLASSES,
    fashion_mnist,
    read_idx,
    read_images,
    reduce_bits,
)
from tfp_flows.datasets.mixed import (
    MIXED_COLUMNS,
    mixed_table,
    mixed_table_log_prob,
)
from tfp_flows.datasets.readers import read_table
from tfp_flows.datasets.series import autoregressive_series, sine_series
from tfp_flows.datasets.shards import Shards, open_shards
from tfp_flows.datasets.splits import split_rows
from tfp_flows.datasets.table import Table, check_columns, to_table
from tfp_flows.datasets.toys import toy, toy_entropy, toy_log_prob, toy_names
from tfp_flows.datasets.wine import wine, wine_folds
from tfp_flows.datasets.writers import write_table

__all__ = [
    "BANDS",
    "FASHION_CLASSES",
    "MIXED_COLUMNS",
    "Shards",
    "Table",
    "autoregressive_series",
    "check_columns",
    "cloud_names",
    "conditional_toy",
    "conditional_toy_entropy",
    "conditional_toy_log_prob",
    "conditional_toy_names",
    "copies",
    "equal_rows",
    "fashion_mnist",
    "mixed_table",
    "mixed_table_log_prob",
    "open_shards",
    "point_clouds",
    "random_folds",
    "random_split",
    "read_idx",
    "read_images",
    "read_table",
    "reduce_bits",
    "satellite_bands",
    "sine_series",
    "split_rows",
    "to_table",
    "toy",
    "toy_entropy",
    "toy_log_prob",
    "toy_names",
    "wine",
    "wine_folds",
    "write_table",
]
