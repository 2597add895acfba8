"""Waits until all workers are there, before TensorFlow does so without an end.

TensorFlow's strategy waits for its peers for as long as it takes, and cannot be
interrupted meanwhile. Here each worker takes connections at its own address, asks all
others, and leaves the address to TensorFlow once it has asked and was asked by all.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["meet"]

# Seconds between two attempts to reach a worker, and for one answer.
PAUSE, ANSWER = 0.2, 5.0
# Bytes of an answer at most.
LONGEST = 65_536


def meet(
    addresses: Sequence[str], index: int, facts: Mapping[str, Any], timeout: float
) -> None:
    """Wait for all workers, and compare what they are made of.

    Args:
        addresses: `host:port` of each worker.
        index: Which of them this is.
        facts: Versions by the name of the package, which have to be equal.
        timeout: Seconds.

    Raises:
        OSError: If the own address cannot be taken.
        TimeoutError: If a worker is not there in time.
        ValueError: If workers have other versions.
    """
    if len(addresses) < 2:
        return
    own = {"index": index, "facts": dict(facts), "addresses": list(addresses)}
    desk = _Desk(addresses[index], own)
    found: dict[int, dict[str, Any]] = {index: own}
    end = time.monotonic() + timeout
    try:
        while len(found) < len(addresses) or len(desk.asked) < len(addresses) - 1:
            for number, address in enumerate(addresses):
                if number not in found:
                    answer = _ask(address, own)
                    if answer is not None:
                        found[number] = answer
            if time.monotonic() > end:
                seen = set(found) & (desk.asked | {index})
                raise _missing(addresses, index, seen, timeout)
            time.sleep(PAUSE)
    finally:
        desk.close()
    _compare(found, index)


class _Desk:
    """Answers other workers at an address."""

    def __init__(self, address: str, own: Mapping[str, Any]) -> None:
        host, _, port = address.rpartition(":")
        self._answer = json.dumps(own).encode()
        self.asked: set[int] = set()
        family, *_, where = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM
        )[0]
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(where)
        except OSError as error:
            self._socket.close()
            msg = (
                f"This worker cannot take its address {address}: {error.strerror}. "
                "Another process has the port, or the host is another machine's: "
                "check TF_CONFIG, or choose another port."
            )
            raise OSError(error.errno, msg) from None
        self._socket.listen(64)
        self._socket.settimeout(PAUSE)
        self._open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the address back."""
        self._open = False
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while self._open:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                continue
            with connection:
                try:
                    connection.settimeout(ANSWER)
                    asking = _read(connection)
                    connection.sendall(self._answer + b"\n")
                except (OSError, ValueError, KeyError):
                    continue  # no worker, or one that asks again
                self.asked.add(int(asking["index"]))


def _read(connection: socket.socket) -> dict[str, Any]:
    """Return what a worker sends: a line of JSON."""
    with connection.makefile("rb") as stream:
        found = json.loads(stream.readline(LONGEST))
    if not isinstance(found, dict) or not {"index", "facts", "addresses"} <= set(found):
        msg = "no worker answers"
        raise ValueError(msg)
    return found


def _ask(address: str, own: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a worker says, `None` if it does not."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER) as found:
            found.sendall(json.dumps(own).encode() + b"\n")
            return _read(found)
    except (OSError, ValueError):
        return None


def _missing(
    addresses: Sequence[str], index: int, seen: set[int], timeout: float
) -> TimeoutError:
    names = [
        f"worker {number} ({address})"
        for number, address in enumerate(addresses)
        if number not in seen
    ]
    return TimeoutError(
        f"Worker {index} waited for {timeout:g} seconds for {' and '.join(names)}. "
        "Start all workers within that time, check their addresses and the firewall "
        "between them, or give a longer `timeout`."
    )


def _compare(found: Mapping[int, Mapping[str, Any]], own: int) -> None:
    """Raise if workers differ: all of them see the same, and raise."""
    first = found[0]
    for number in sorted(found):
        other = found[number]
        if other["addresses"] != first["addresses"]:
            msg = (
                f"`TF_CONFIG` must name the same cluster on all workers, got "
                f"{first['addresses']} on worker 0 and {other['addresses']} on worker "
                f"{number}."
            )
            raise ValueError(msg)
        for name in {**first["facts"], **other["facts"]}:
            here, there = first["facts"].get(name), other["facts"].get(name)
            if here != there:
                msg = (
                    f"All workers must have the same versions, got {name} {here} on "
                    f"worker 0 and {there} on worker {number}. Install the same on all "
                    f"of them; this is worker {own}."
                )
                raise ValueError(msg)
