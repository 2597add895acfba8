"""How tables meet flows: what each column is, and the maps that follow from it."""

from tfp_flows._findings import DataNotice, Finding
from tfp_flows.preprocessing.column import Column
from tfp_flows.preprocessing.detection import detect
from tfp_flows.preprocessing.missing import impute
from tfp_flows.preprocessing.rounding import rounding_steps
from tfp_flows.preprocessing.spec import Preprocessing

__all__ = [
    "Column",
    "DataNotice",
    "Finding",
    "Preprocessing",
    "detect",
    "impute",
    "rounding_steps",
]
