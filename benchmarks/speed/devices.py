"""What is different when a peer's work runs on a GPU.

Calls return before the GPU is done, so that each has to wait for it; wall time is the
time that counts; the memory is the GPU's own. All libraries multiply in full float32:
by default TensorFlow and JAX round factors to 10 bits there (TF32), and PyTorch does
not. Runs in every peer's environment; the library is the one that its peer imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = [
    "DEVICES",
    "clock",
    "environment",
    "has_gpu",
    "on_gpu",
    "peak_memory",
    "waiting",
]

DEVICES = ("cpu", "gpu")
VARIABLE = "SPEED_DEVICE"


def on_gpu() -> bool:
    """Say whether works run on a GPU."""
    return os.environ.get(VARIABLE) == "gpu"


def clock() -> str:
    """Return the time that chooses between ways and ranks libraries."""
    return "wall" if on_gpu() else "cpu"


def environment() -> dict[str, str]:
    """Return the variables of a peer's process."""
    if not on_gpu():
        return {"JAX_PLATFORMS": "cpu"}
    return {
        "JAX_PLATFORMS": "cuda",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }


def has_gpu() -> bool:
    """Say whether a library of this process uses a GPU; JAX fails by itself if not."""
    if "torch" in sys.modules:
        return bool(sys.modules["torch"].cuda.is_available())
    if "tensorflow" in sys.modules:
        return bool(sys.modules["tensorflow"].config.list_physical_devices("GPU"))
    return "jax" in sys.modules


def waiting(call: Callable[[], Any]) -> Callable[[], Any]:
    """Return a call that returns when the GPU is done; JAX's calls wait themselves."""
    if "torch" in sys.modules:
        wait = sys.modules["torch"].cuda.synchronize
    elif "tensorflow" in sys.modules:
        tf = sys.modules["tensorflow"]
        tf.config.experimental.enable_tensor_float_32_execution(enabled=False)
        wait = tf.test.experimental.sync_devices
    else:
        return call

    def wrapped() -> Any:
        out = call()
        wait()
        return out

    return wrapped


def peak_memory(call: Callable[[], Any]) -> float:
    """Return how far one call raises the GPU memory in use, in MB.

    JAX cannot set its record back, so that it has none.
    """
    if "torch" in sys.modules:
        cuda = sys.modules["torch"].cuda
        cuda.reset_peak_memory_stats()
        before = cuda.memory_allocated()
        call()
        return (cuda.max_memory_allocated() - before) / 2**20
    if "tensorflow" in sys.modules:
        memory = sys.modules["tensorflow"].config.experimental
        memory.reset_memory_stats("GPU:0")
        before = memory.get_memory_info("GPU:0")["current"]
        call()
        return (memory.get_memory_info("GPU:0")["peak"] - before) / 2**20
    return float("nan")
