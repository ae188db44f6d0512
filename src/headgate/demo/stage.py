"""What the week needs around it: the demo's folder, the stand-in, and a gate that listens.

All of it, the callers too, shares one event loop; llama.cpp runs in a process of its own, as always. What is shown of it
is the command line's business.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from headgate.app import OpenGate, open_gate
from headgate.config.compile import Config
from headgate.config.load import load_config
from headgate.core.errors import EngineError
from headgate.demo.folder import make_folder
from headgate.demo.stand_in import stand_in
from headgate.demo.week import Ask
from headgate.engines.llamacpp import readiness
from headgate.gateway.listening import address_of, bind


class Stage(Struct, frozen=True):
    """All is open; the week may begin."""

    url: str
    """The gate's address."""
    stand_in: str
    """The stand-in's address."""
    config: Config


@asynccontextmanager
async def open_stage(
    asks: tuple[Ask, ...],
    folder: Path,
    config_file: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncGenerator[Stage]:
    """Open the stand-in and the gate; at the end of the block all is closed and the ledger is whole.

    Args:
        asks: the week, so that the stand-in knows its answers.
        folder: where the ledger and the stand-in's key lie.
        config_file: where the config is written; None is in the folder.
        host: the gate listens here.
        port: 0 picks a free one.

    Raises:
        EngineError: the embedded engine cannot run here.
        UsageError: the port is taken, or the folder cannot be used.
    """
    problem = await asyncio.to_thread(readiness.check)
    if problem is not None:
        raise problem
    listening = bind(host, port)
    try:
        place = await asyncio.to_thread(make_folder, folder, config_file)
        async with stand_in(asks, place.key) as claude:
            url = address_of(listening)
            place.write_config(listen=url.removeprefix("http://"), stand_in=claude.url)
            config = await asyncio.to_thread(load_config, str(place.config))
            async with open_gate(config) as gate, serving(gate, listening):
                yield Stage(url, claude.url, config)
    finally:
        listening.close()


@asynccontextmanager
async def serving(gate: OpenGate, listening: socket.socket) -> AsyncGenerator[None]:
    """Serve on the socket while the block runs.

    Raises:
        EngineError: an engine of ours did not start.
    """
    if gate.notes:
        raise EngineError("; ".join(gate.notes), "headgate doctor says what is missing")
    opened = asyncio.Event()
    task = asyncio.create_task(gate.serve(listening, lambda _: opened.set()), name="demo-gate")
    task.add_done_callback(lambda _: opened.set())
    await opened.wait()
    if task.done():
        task.result()
    try:
        yield
    finally:
        gate.stop()
        await task
