"""Starts several machines that train one flow together, on TensorFlow's own engine."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.flows._model import card, workers
from tfp_flows.training import rendezvous

__all__ = ["multi_worker_strategy"]

CONFIG = "TF_CONFIG"
EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The addresses of each job, and which task this process is."""

    jobs: dict[str, list[str]]
    job: str
    task: int

    @property
    def addresses(self) -> list[str]:
        """Of all workers, the first one's first."""
        return [address for job in workers.JOBS for address in self.jobs.get(job, ())]

    @property
    def index(self) -> int:
        """The number of this worker among all."""
        before = len(self.jobs.get("chief", ())) if self.job == "worker" else 0
        return before + self.task


def multi_worker_strategy(
    *, timeout: float = 300.0, port: int = 8888
) -> tf.distribute.MultiWorkerMirroredStrategy:
    """Return TensorFlow's strategy for several machines, once all of them are there.

    Each machine runs the same script; `TF_CONFIG` says which machine it is, or, where
    there is none, the variables of a step of SLURM do. Build and fit flows in the
    strategy's scope. To be called before TensorFlow computes anything.

    Args:
        timeout: Seconds within which all workers have to be there, and which one waits
            for another in each step later on; then an error names who is missing.
        port: First port of the workers of each machine under SLURM.

    Returns:
        A `tf.distribute.MultiWorkerMirroredStrategy`.

    Raises:
        ValueError: If `TF_CONFIG` is wrong, or workers have other versions of Python's
            packages than the first one.
        RuntimeError: If there is no cluster, or if TensorFlow has computed already.
        TimeoutError: If a worker is not there in time, with its address.

    Example:
        >>> import os
        >>> import tfp_flows as tfpf
        >>> os.environ["TF_CONFIG"] = "{"
        >>> tfpf.training.multi_worker_strategy()
        Traceback (most recent call last):
        ValueError: `TF_CONFIG` must be JSON, got '{' (...
        >>> del os.environ["TF_CONFIG"]
    """
    if not timeout > 0:
        msg = f"`timeout` must be a positive number of seconds, got {timeout!r}."
        raise ValueError(msg)
    _checks.count(port, 1, "port")
    cluster = _of_environment(os.environ, port)
    rendezvous.meet(cluster.addresses, cluster.index, card.versions(), timeout)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster.jobs),
        task_type=cluster.job,
        task_id=cluster.task,
        rpc_layer="grpc",
    )
    options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=timeout)
    return tf.distribute.MultiWorkerMirroredStrategy(resolver, options)


def _of_environment(environment: Mapping[str, str], port: int) -> Cluster:
    if environment.get(CONFIG, "").strip():
        return _of_config(environment[CONFIG])
    if "SLURM_PROCID" in environment:
        return _of_slurm(environment, port)
    msg = (
        f"There is no cluster: neither {CONFIG} nor the variables of a step of SLURM "
        f"are set. Set {CONFIG}='{EXAMPLE}', or start the script by srun."
    )
    raise RuntimeError(msg)


def _of_config(text: str) -> Cluster:
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise _wrong("be JSON", f"{text[:60]!r} ({error})") from None
    if not isinstance(config, dict):
        raise _wrong("be an object of `cluster` and `task`", repr(config)[:60])
    jobs, task = config.get("cluster"), config.get("task")
    if not isinstance(jobs, dict) or not jobs.get("worker"):
        raise _wrong("have a `cluster` with a list of `worker`s", repr(jobs)[:60])
    for job, found in jobs.items():
        if job not in workers.JOBS:
            raise _wrong("have no jobs but `worker` and one `chief`", repr(job))
        if not isinstance(found, list) or not all(map(_is_address, found)):
            raise _wrong(f"list each {job} as 'host:port'", repr(found)[:200])
    if len(jobs.get("chief", ())) > 1:
        raise _wrong("have one `chief` at most", repr(jobs["chief"])[:200])
    if not isinstance(task, dict) or not {"type", "index"} <= set(task):
        raise _wrong("have a `task` with `type` and `index`", repr(task)[:60])
    job, number = task["type"], task["index"]
    if job not in jobs:
        raise _wrong(f"have a task of type {' or '.join(jobs)}", repr(job))
    try:
        number = int(number)
    except (TypeError, ValueError):
        raise _wrong("have a whole number as the index", repr(number)) from None
    if not 0 <= number < len(jobs[job]):
        count = len(jobs[job])
        what = f"have an index from 0 to {count - 1}, as there are {count} of {job}"
        raise _wrong(what, repr(number))
    every = [address for found in jobs.values() for address in found]
    double = next((each for each in every if every.count(each) > 1), None)
    if double is not None:
        raise _wrong("list each address once", f"{double!r} twice")
    return Cluster(jobs, job, number)


def _wrong(what: str, got: str) -> ValueError:
    return ValueError(f"`{CONFIG}` must {what}, got {got}. It has the form {EXAMPLE}.")


def _is_address(text: Any) -> bool:
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    return bool(host) and port.isdigit() and 0 < int(port) < 2**16


def _of_slurm(environment: Mapping[str, str], port: int) -> Cluster:
    """Return the cluster as TensorFlow's resolver reads it.

    The resolver counts GPUs to share them out; here a task has those that SLURM gives
    it, so that it is told of one for each task, which is where machines without any
    would make it fail.
    """
    tasks = environment.get("SLURM_STEP_TASKS_PER_NODE", "1")
    counts = [int(part.partition("(")[0]) for part in tasks.split(",") if part]
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port,
            gpus_per_node=max(counts, default=1),
            gpus_per_task=1,
            auto_set_gpu=False,
        )
        jobs = resolver.cluster_spec().as_dict()
        job, task = resolver.get_task_info()
    except (RuntimeError, ValueError, KeyError) as error:
        msg = (
            f"The variables of SLURM do not say what the cluster is: {error} Start the "
            f"script by srun, or set {CONFIG}."
        )
        raise RuntimeError(msg) from error
    if job is None:
        msg = (
            f"SLURM_PROCID is {environment['SLURM_PROCID']}, but the step has "
            f"{sum(map(len, jobs.values()))} tasks. Start the script by srun."
        )
        raise RuntimeError(msg)
    return Cluster(jobs, job, int(task))
