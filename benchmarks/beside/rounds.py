"""One round at one gate: start it, saturate it, ask it fifty times a second; and the medians of several rounds."""

import os
import socket
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from msgspec import Struct

from beside import gates, load, process, texts
from beside.gates import Gate


class Plan(Struct, frozen=True, kw_only=True):
    """How long and how often."""

    rounds: int = 3
    warm_up: float = 1.5
    """Seconds of full load before anything is measured."""
    saturated: float = 8.0
    """Seconds of full load: every connection sends its next request when it has its answer."""
    paced: float = 20.0
    """Seconds at `rate`."""
    connections: int = 32
    rate: float = 50.0
    """Requests a second at which latency is measured."""
    memory_after: int = 10_000
    """Requests answered before memory is read, in the first round; 0 reads it after what there was."""


QUICK = Plan(rounds=1, warm_up=1.0, saturated=3.0, paced=5.0, memory_after=0)


class Round(Struct, frozen=True, kw_only=True):
    """What one round found. None: not measured there."""

    per_second: float
    cpu_us: float | None = None
    """CPU time of the gate, all threads and processes, per request."""
    busy: float | None = None
    """Share of its core that the gate had while saturated."""
    p50_ms: float
    p99_ms: float
    added_p50_ms: float | None = None
    added_p99_ms: float | None = None
    resident_mb: float | None = None
    start_s: float | None = None
    errors: int
    attempts: int | None = None
    """Attempts behind an answer, where the gate tells."""


Send = Callable[..., load.Load]


def full_load(send: Send, plan: Plan) -> load.Load:
    """What the load generator sees when no connection ever pauses."""
    return send(connections=plan.connections, seconds=plan.saturated)


def even_load(send: Send, plan: Plan) -> load.Load:
    """What the load generator sees at an even pace."""
    return send(connections=8, rate=plan.rate, seconds=plan.paced)


def measure_direct(folder: Path, engine: int, plan: Plan) -> Round:
    """The engine without a gate."""
    send = partial(load.send, folder, engine, gates.CHAT, "bench", core=process.cores()[1])
    full, even = full_load(send, plan), even_load(send, plan)
    return Round(
        per_second=full.per_second, p50_ms=even.p50_ms, p99_ms=even.p99_ms, errors=full.errors + even.errors
    )


def measure_gate(gate: Gate, engine: int, direct: Round, plan: Plan, *, memory: bool) -> Round:
    """Start a gate, measure it, stop it.

    Args:
        gate: which.
        engine: the canned engine's port.
        direct: the same round without a gate; what this one's latency exceeds it by is added latency.
        plan: how long.
        memory: go on until `memory_after` requests are answered, then read the memory.

    Raises:
        RuntimeError: it did not start, or the load could not be sent.
    """
    gate_core, load_core = process.cores()
    with tempfile.TemporaryDirectory(prefix=f"bench-{gate.name}-") as name:
        folder = Path(name)
        free = free_port()
        if not gate.chooses_port:
            (folder / "port").write_text(str(free))
        command = process.pinned(gate_core, gate.set_up(folder, free, engine))
        environment = os.environ | {
            "HEADGATE_DATA": name,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PYTHONDONTWRITEBYTECODE": "",  # nobody who installs a gate compiles all of it at every start
        }
        with process.Child(command, folder / "log", environment) as child:
            port, start = child.wait_until_serving(folder / "port", gate.ready)
            send = partial(load.send, folder, port, gate.path, gate.model, core=load_core)
            warm = send(connections=plan.connections, seconds=plan.warm_up)
            before = process.cpu_seconds(child.pid)
            full = full_load(send, plan)
            spent = process.cpu_seconds(child.pid) - before
            even = even_load(send, plan)
            answers, errors = warm.answers + full.answers + even.answers, full.errors + even.errors
            missing = plan.memory_after - answers
            if memory and missing > 0:
                send(connections=plan.connections, requests=missing)
            return Round(
                per_second=full.per_second,
                cpu_us=spent / full.answers * 1e6 if full.answers else None,
                busy=spent / full.seconds,
                p50_ms=even.p50_ms,
                p99_ms=even.p99_ms,
                added_p50_ms=even.p50_ms - direct.p50_ms,
                added_p99_ms=even.p99_ms - direct.p99_ms,
                resident_mb=process.resident_mb(child.pid) if memory else None,
                start_s=start,
                errors=errors,
                attempts=attempts_behind(port, gate),
            )


def attempts_behind(port: int, gate: Gate) -> int | None:
    """How often the gate asked a model for one answer, if it says so."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(
            "POST", gate.path, texts.request_body(gate.model), {"content-type": "application/json"}
        )
        said = connection.getresponse().headers.get("x-headgate-attempts")
    finally:
        connection.close()
    return int(said) if said is not None else None


def medians(rounds: Sequence[Round]) -> Round:
    """The median of each figure, over the rounds that have it; errors are summed."""
    found: dict[str, Any] = {}
    for field in Round.__struct_fields__:
        values = [value for each in rounds if (value := getattr(each, field)) is not None]
        found[field] = statistics.median(values) if values else None
    found["errors"] = sum(each.errors for each in rounds)
    found["attempts"] = max((each.attempts for each in rounds if each.attempts is not None), default=None)
    return Round(**found)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
