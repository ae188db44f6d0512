"""The process in which llama.cpp lives, so that a native abort can never take the gate down.

Run by path, not as a module of the package: it imports the standard library and xllamacpp only, and is ready in 0.1 s.
It reads orders from stdin, one line of JSON each, obeys them one after the other, says how each went in one line of JSON on
stdout, and serves until stdin closes, which is also how it learns that the gate died.

    first line   {"key": …, "models": [MODEL, …]}
    later lines  {"load": MODEL} · {"unload": name}
    MODEL        {"model", "path", "context", "slots", "threads", "embeds", "cache_mib", …}
    it says      {"model", "loading": true} · {"model", "url", "seconds", "memory"} · {"model", "error"}
                 {"model", "unloaded": true} · {"ready": true, "gpu": …} (the first line is done) · {"fatal": why}

A model that is loaded again, with another context say, is unloaded first. Each has a server and threads of its own, so an
order disturbs none of the others. `memory` is measured: bytes by which this process grew around the load, null where that
is not the whole of it. It does not know requests: callers speak HTTP with llama.cpp's own server, on a free loopback port,
with the key.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

BATCH = 128
"""Tokens of a prompt that a processor reads at a time. An answer that nobody waits for any more ends between two batches, and more tokens
are not read faster; on a GPU they are, so llama.cpp's own 2,048 stand there."""


def main() -> None:
    """Load what was ordered and serve until stdin closes."""
    die_with_parent()
    # A terminal and systemd signal the whole group at once. The gate answers what is under way, then closes stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # llama.cpp may print to fd 1; our own lines get a private copy of it, and fd 1 becomes the log.
    lines = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    order = sys.stdin.buffer.readline()
    if not order.endswith(b"\n"):
        return  # the gate died before it could ask
    servers: dict[str, Any] = {}
    obey(json.loads(order), servers, lines)
    # No destructors: an answer that is still being written would hold them up, and nobody is left to read it.
    os._exit(0)


def obey(first: dict[str, Any], servers: dict[str, Any], lines: BinaryIO) -> None:
    """Carry out the first order, then every one that follows, until stdin closes."""
    try:
        import xllamacpp  # noqa: PLC0415 - an illegal instruction or a missing library must strike after the pipes stand
    except ImportError as error:
        say(lines, fatal=f"xllamacpp cannot be imported: {error}")
        return
    for wanted in first["models"]:
        load(xllamacpp, servers, wanted, first["key"], lines)
    say(lines, ready=True, gpu=sees_gpu(xllamacpp))
    while (order := sys.stdin.buffer.readline()).endswith(b"\n"):
        match json.loads(order):
            case {"load": wanted}:
                load(xllamacpp, servers, wanted, first["key"], lines)
            case {"unload": model}:
                servers.pop(model, None)  # its destructor ends its threads and frees its memory
                trim()
                say(lines, model=model, unloaded=True)


def load(xllamacpp: Any, servers: dict[str, Any], wanted: dict[str, Any], key: str, lines: BinaryIO) -> None:
    """Start one model's server and report it; one that does not start is out, the others stay."""
    model = wanted["model"]
    say(lines, model=model, loading=True)
    servers.pop(model, None)
    before = resident(xllamacpp)
    began = time.perf_counter()
    try:
        server = xllamacpp.Server(parameters(xllamacpp, wanted, key))
        server.handle_metrics()  # answered by its loop: one that is told to end before it has begun would never end
    except Exception as error:  # noqa: BLE001 - whatever native code throws
        # llama.cpp logs the true reason from a thread of its own: let it arrive before this line.
        time.sleep(0.05)
        say(lines, model=model, error=str(error))
        return
    servers[model] = server
    seconds = time.perf_counter() - began
    after = resident(xllamacpp)
    memory = max(after - before, 0) if before is not None and after is not None else None
    say(lines, model=model, url=server.listening_address, seconds=round(seconds, 4), memory=memory)


def parameters(xllamacpp: Any, wanted: dict[str, Any], key: str) -> Any:
    """Turn one ordered model into llama.cpp's parameters."""
    params = xllamacpp.CommonParams()
    params.model.path = wanted["path"]
    params.model_alias = {wanted["model"]}
    params.n_ctx = wanted["context"] * wanted["slots"]  # llama.cpp divides it among the slots
    params.n_parallel = wanted["slots"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = wanted["threads"]
    params.cache_ram_mib = wanted["cache_mib"]  # its own default is 8 GiB of old prompts per model
    params.port = 0
    params.api_keys = [key]
    params.endpoint_metrics = True
    params.offline = True
    params.verbosity = 2  # warnings and errors
    # No web page has business here. The words differ between releases.
    for name, value in (("ui", False), ("webui", False), ("cors_origins", "")):
        if hasattr(params, name):
            setattr(params, name, value)
    if wanted["embeds"]:
        params.embedding = True
        params.n_batch = params.n_ubatch = wanted["context"]  # a text to embed must fit into one batch
    elif not sees_gpu(xllamacpp):
        params.n_batch = params.n_ubatch = BATCH
    return params


def resident(xllamacpp: Any) -> int | None:
    """Bytes of memory that this process has; None where it cannot be told, or where a GPU may have more of them."""
    if sees_gpu(xllamacpp) or sys.platform != "linux":
        return None
    trim()  # or the next load would seem to cost less
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def sees_gpu(xllamacpp: Any) -> bool:
    """Whether llama.cpp has a device to put models on that is no processor."""
    return any("GPU" in repr(device["type"]) for device in xllamacpp.get_device_info())


def trim() -> None:
    """Give back to the system what was freed: glibc keeps it otherwise."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def say(lines: BinaryIO, **facts: Any) -> None:
    """Write one line to the gate; if the gate is gone, stdin says so next."""
    with contextlib.suppress(BrokenPipeError):
        lines.write(json.dumps(facts).encode() + b"\n")


def die_with_parent() -> None:
    """Ask Linux to kill us with the gate, even while native code loads a model and holds the interpreter."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    main()
