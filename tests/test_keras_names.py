"""Keras finds flows in files after `import tfp_flows`, before or after its own."""

from __future__ import annotations

import inspect
import subprocess
import sys

import keras
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import _keras_names, flows, models

LOAD = """
import sys
{imports}
import numpy as np
flow = keras.saving.load_model(sys.argv[1])
assert type(flow).__module__.startswith("tfp_flows.flows"), type(flow)
print(repr(np.asarray(flow.log_prob([[0.5, -1.0]])).tolist()))
"""


def test_every_flow_that_a_file_may_hold_is_announced():
    kinds = [getattr(flows, name) for name in flows.__all__]
    final = {k for k in kinds if isinstance(k, type) and issubclass(k, flows.Flow)}
    final |= {flows.flow_class(n) for n in flows.all_names()}
    final.add(type(flows.Flow.from_maps([], event_shape=2)))
    final -= {flows.Flow, flows.Recipe}  # of which others derive
    assert {kind.__name__ for kind in final} == set(_keras_names.FLOWS)
    for kind in final:
        name = f"{_keras_names.PACKAGE}>{kind.__name__}"
        assert keras.saving.get_registered_object(name) is kind


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import keras, tfp_flows",
        "import tfp_flows, keras",
        "import tfp_flows\nimport tensorflow\nimport keras",
    ],
)
def test_keras_loads_a_flow_in_a_fresh_process(tmp_path, imports):
    flow = small.perturbed(small.build("nsf", 2))
    path = tmp_path / "flow.keras"
    flow.save(path)
    script = LOAD.format(imports=imports)
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    wanted = tfpf.load(path).log_prob([[0.5, -1.0]]).numpy().tolist()
    assert done.stdout.strip() == repr(wanted)


def test_every_model_that_a_file_may_hold_is_announced():
    kinds = [getattr(models, name) for name in models.__all__]
    found = {
        kind.__name__
        for kind in kinds
        if isinstance(kind, type) and not inspect.isabstract(kind)
    }
    assert found == set(_keras_names.MODELS)
    for name in found:
        known = keras.saving.get_registered_object(f"{_keras_names.PACKAGE}>{name}")
        assert known is getattr(models, name)
