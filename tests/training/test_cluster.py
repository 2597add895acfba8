"""What starts several machines, and its errors, in one process."""

from __future__ import annotations

import json
import re
import socket
import threading

import pytest

from tfp_flows import training
from tfp_flows.training import rendezvous


def free_addresses(count):
    """Return addresses of this machine that nobody has."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return [f"localhost:{port}" for port in ports]


def config(workers=("a:1", "b:2"), job="worker", index=0, **jobs):
    cluster = {"worker": list(workers), **jobs}
    return json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"cluster": ', "must be JSON, got '{\"cluster\": '"),
        ("[]", "must be an object of `cluster` and `task`"),
        ('{"task": {"type": "worker", "index": 0}}', "must have a `cluster`"),
        (config([]), "must have a `cluster` with a list of `worker`s"),
        (
            config(ps=["c:3"]),
            "must have no jobs but `worker` and one `chief`, got 'ps'",
        ),
        (config(["a:1", "b"]), "must list each worker as 'host:port'"),
        (config(["a:1", "b:99999"]), "must list each worker as 'host:port'"),
        (config(chief=["c:3", "d:4"]), "must have one `chief` at most"),
        ('{"cluster": {"worker": ["a:1"]}}', "must have a `task` with `type`"),
        (config(job="chief"), "must have a task of type worker, got 'chief'"),
        (config(index="x"), "must have a whole number as the index, got 'x'"),
        (config(index=2), "must have an index from 0 to 1, as there are 2 of worker"),
        (config(["a:1", "a:1"]), "must list each address once, got 'a:1' twice"),
    ],
)
def test_a_wrong_configuration_is_named(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=re.escape(message)):
        training.multi_worker_strategy(timeout=0.1)


def test_no_cluster_is_said(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    with pytest.raises(RuntimeError, match="neither TF_CONFIG nor the variables of a"):
        training.multi_worker_strategy()


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_time_limit_is_positive(timeout):
    with pytest.raises(ValueError, match="`timeout` must be a positive number"):
        training.multi_worker_strategy(timeout=timeout)


def test_a_worker_that_does_not_come_is_named_in_time(monkeypatch):
    first, second = free_addresses(2)
    monkeypatch.setenv("TF_CONFIG", config([first, second]))
    message = rf"Worker 0 waited for 0.5 seconds for worker 1 \({second}\)\."
    with pytest.raises(TimeoutError, match=message):
        training.multi_worker_strategy(timeout=0.5)


def test_a_step_of_slurm_is_a_cluster(monkeypatch):
    port = int(free_addresses(1)[0].rpartition(":")[2])
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, value in {
        "SLURM_PROCID": "0",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2",
    }.items():
        monkeypatch.setenv(name, value)
    message = rf"for worker 1 \(localhost:{port + 1}\)\."
    with pytest.raises(TimeoutError, match=message):
        training.multi_worker_strategy(timeout=0.3, port=port)
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    with pytest.raises(RuntimeError, match="Start the script by srun"):
        training.multi_worker_strategy(timeout=0.3, port=port)


def test_a_port_that_is_taken_is_named(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        own = f"localhost:{taken.getsockname()[1]}"
        monkeypatch.setenv("TF_CONFIG", config([own, free_addresses(1)[0]]))
        with pytest.raises(OSError, match=f"cannot take its address {own}"):
            training.multi_worker_strategy(timeout=0.5)


def met(facts, addresses=None):
    """Let workers of some facts meet, each in a thread; return what each raised."""
    own = free_addresses(len(facts))
    errors: list[Exception | None] = [None] * len(facts)

    def run(index):
        try:
            rendezvous.meet((addresses or {}).get(index, own), index, facts[index], 30)
        except Exception as error:
            errors[index] = error

    threads = [threading.Thread(target=run, args=[i]) for i in range(len(facts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_equal_workers_meet():
    assert met([{"keras": "3"}] * 3) == [None] * 3


def test_other_versions_are_named_on_every_worker():
    errors = met([{"keras": "3.1", "numpy": "2"}, {"keras": "3.2", "numpy": "2"}])
    for error in errors:
        assert isinstance(error, ValueError)
        assert "got keras 3.1 on worker 0 and 3.2 on worker 1" in str(error)


def test_a_stranger_at_the_door_changes_nothing():
    first, second = free_addresses(2)
    errors = []

    def run(index):
        try:
            rendezvous.meet([first, second], index, {}, 30)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[0])]
    threads[0].start()
    host, _, port = first.rpartition(":")
    for text in (b"GET / HTTP/1.1\r\n\r\n", b"7\n", b""):
        while True:
            try:
                connection = socket.create_connection((host, int(port)), 5)
            except ConnectionRefusedError:
                continue
            break
        with connection:
            connection.sendall(text)
    threads.append(threading.Thread(target=run, args=[1]))
    threads[1].start()
    for thread in threads:
        thread.join()
    assert not errors
