"""`headgate up`: open the gate, in the foreground or in the background."""

import asyncio
import gc
import logging
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.common import load, put_json, say, with_config, with_json

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine

    from headgate.app import OpenGate
    from headgate.config.compile import Config

OPENS_WITHIN = 60
"""Seconds; a large model in the embedded engine takes its time."""


@click.command("up")
@click.option("-d", "--background", is_flag=True, help="Leave the gate open and come back.")
@click.option("--listen", metavar="HOST:PORT", help="Listen here instead of where the config says.")
@with_config
@with_json
def command(config_file: str | None, listen: str | None, *, background: bool, as_json: bool) -> None:
    """Open the gate: an OpenAI-compatible server that routes, checks, falls back and writes everything down."""
    from headgate.app import bind
    from headgate.cli.runfile import find_gate
    from headgate.config.compile import Misfit, address
    from headgate.core.errors import UsageError

    config = load(config_file)
    try:
        host, port = address(listen) if listen else (config.host, config.port)
    except Misfit as error:
        raise UsageError(error.message, "headgate up --listen 127.0.0.1:4141") from error
    if host not in ("127.0.0.1", "::1", "localhost"):
        say(f"warning: {host} can be reached from other machines, and the gate has no login yet")
    if background:
        run = find_gate()
        if run is not None:
            raise UsageError(
                f"a gate is open already at {run.url} (pid {run.pid})", "headgate down closes it"
            )
        open_in_background(config_file, listen, as_json=as_json)
        return
    listening = bind(host, port)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run_gate(config, listening, as_json=as_json)


def run_gate(config: "Config", listening: "socket.socket", *, as_json: bool) -> None:
    """Open the gate here and serve until a signal says stop."""
    from headgate.app import open_gate
    from headgate.cli import runfile

    async def serve() -> None:
        async with open_gate(config) as gate:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                with suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
                    loop.add_signal_handler(number, gate.stop)

            def opened(url: str) -> None:
                if not runfile.write(url, config.source):
                    say("note: another gate is open here; headgate down closes that one, Ctrl-C this one")
                greet(gate, url, as_json=as_json)
                gc.freeze()  # what is here now stays; the collector need not look at it again

            await gate.serve(listening, opened)
        say(f"closed; {gate.writer.written:,} requests written, {gate.writer.lost:,} lost")

    try:
        run_loop(serve())
    finally:
        runfile.remove()


def run_loop(work: "Coroutine[object, object, None]") -> None:
    """Run on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def greet(gate: "OpenGate", url: str, *, as_json: bool) -> None:
    """Say that the gate is open, and how its engines are."""
    import os

    from headgate import __version__

    if as_json:
        put_json({"url": url, "pid": os.getpid(), "notes": gate.notes, "down": gate.road.fleet.down})
        sys.stdout.flush()
        return
    for note in gate.notes:
        say(f"note: {note}")
    say(f"headgate {__version__} is open at {url}")
    models: dict[str, list[str]] = {}
    for model in gate.config.policy.models.values():
        models.setdefault(model.engine, []).append(model.name + (f" [{model.label}]" if model.label else ""))
    width = max(len(name) for name in gate.config.engines)
    for name in gate.config.engines:
        down = gate.road.fleet.down.get(name)
        say(
            f"  {name:<{width}}  {'up  ' if down is None else 'down'}  {', '.join(models.get(name, ()))}"
            + (f"  ({down})" if down else "")
        )
    say(f'point any OpenAI client at {url}/v1 with model "auto"; stop with Ctrl-C')


def open_in_background(config_file: str | None, listen: str | None, *, as_json: bool) -> None:
    """Start a gate of its own and wait until it answers."""
    from headgate.cli import runfile
    from headgate.config.places import data_home
    from headgate.core.errors import HeadgateError

    log = data_home() / "gate.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    order = [sys.executable, "-m", "headgate", "up"]
    order += ["--config", str(Path(config_file).resolve())] if config_file else []
    order += ["--listen", listen] if listen else []
    with log.open("wb") as out:
        child = subprocess.Popen(  # noqa: S603  # our own program, with our own arguments
            order, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
    for _ in range(OPENS_WITHIN * 20):
        run = runfile.read()
        if run is not None and run.pid == child.pid:
            if as_json:
                put_json({"url": run.url, "pid": run.pid, "log": str(log)})
            else:
                say(f"the gate is open at {run.url} (pid {run.pid}); its log is {log}")
                say("headgate down closes it")
            return
        if child.poll() is not None:
            break
        time.sleep(0.05)
    else:
        child.terminate()
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    raise HeadgateError(f"the gate did not open:\n{said}", f"its log is {log}")
