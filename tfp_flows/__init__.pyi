from tfp_flows import bijectors as bijectors
from tfp_flows import datasets as datasets
from tfp_flows import diagnosis as diagnosis
from tfp_flows import diagnostics as diagnostics
from tfp_flows import distributions as distributions
from tfp_flows import estimators as estimators
from tfp_flows import flows as flows
from tfp_flows import inference as inference
from tfp_flows import information as information
from tfp_flows import math as math
from tfp_flows import models as models
from tfp_flows import networks as networks
from tfp_flows import plots as plots
from tfp_flows import preprocessing as preprocessing
from tfp_flows import testing as testing
from tfp_flows import training as training
from tfp_flows.diagnosis import diagnose as diagnose
from tfp_flows.diagnostics import calibrate as calibrate
from tfp_flows.estimators import compare as compare
from tfp_flows.flows import load as load
from tfp_flows.training import fit as fit

__version__: str
