"""`headgate up`: open the gate, in the foreground or in the background."""

import asyncio
import gc
import logging
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from headgate.cli.common import NO_PAGE, load, put_json, say, with_config, with_json

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine

    from headgate.app import OpenGate
    from headgate.cli.runfile import RunFile
    from headgate.config.compile import Config
    from headgate.core.errors import HeadgateError, UsageError

Result = TypeVar("Result")

OPENS_WITHIN = 60
"""Seconds; a large model in the embedded engine takes its time."""


@click.command("up")
@click.option("-d", "--background", is_flag=True, help="Leave the gate open and come back.")
@click.option("--listen", metavar="HOST:PORT", help="Listen here instead of where the config says.")
@with_config
@with_json
def command(config_file: str | None, listen: str | None, *, background: bool, as_json: bool) -> None:
    """Open the gate: an OpenAI-compatible server that routes, checks, falls back and writes everything down."""
    from msgspec import structs

    from headgate.cli.runfile import find_gate
    from headgate.config.misfit import Misfit
    from headgate.config.values import address
    from headgate.core.errors import UsageError
    from headgate.gateway.listening import bind

    gc.disable()  # nearly all that is made until the gate is open stays
    config = load(config_file, prices=False) if background else load_for_gate(config_file)
    try:
        host, port = address(listen) if listen else (config.host, config.port)
    except Misfit as error:
        raise UsageError(error.message, "headgate up --listen 127.0.0.1:4141") from error
    config = structs.replace(config, host=host, port=port)
    lock_up(config)
    if background:
        run = find_gate()
        if run is not None:
            raise open_already(run)
        open_in_background(config_file, listen, as_json=as_json)
        return
    try:
        listening = bind(host, port)
    except UsageError as error:
        run = find_gate()
        if run is not None and urlsplit(run.url).port == port:
            raise open_already(run) from error
        raise UsageError(
            error.message, "end what listens there, or listen elsewhere: headgate up --listen 127.0.0.1:0"
        ) from error
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run_gate(config, listening, as_json=as_json)


def load_for_gate(config_file: str | None) -> "Config":
    """The config; a child reads the list of prices while the gate's modules are loaded here."""
    from headgate.config.prices_apart import list_apart

    with list_apart() as finder:
        import_module("headgate.app")
        return load(config_file, finder=finder)


def lock_up(config: "Config") -> None:
    """See to it that a gate which other machines reach is not open to all of them unawares.

    Raises:
        UsageError: callers need a key, and there is none.
    """
    from headgate.core.errors import UsageError
    from headgate.ledger.keys import list_keys

    if not config.keys_required:
        if not config.alone:
            say(f"warning: {config.host} can be reached from other machines, and keys are optional")
        return
    if any(key.revoked is None for key in list_keys(config.ledger.path)):
        return
    where = "" if config.alone else f"{config.host} can be reached from other machines, so "
    raise UsageError(
        f"{where}callers need a key, and there is none yet",
        "headgate keys create NAME makes one"
        + ("" if config.alone else '; keys = "optional" under [server] lets everybody in'),
    )


def open_already(run: "RunFile") -> "UsageError":
    """Why a second gate does not open where the first one is."""
    from headgate.core.errors import UsageError

    return UsageError(f"a gate is open already at {run.url} (pid {run.pid})", "headgate down closes it")


def run_gate(config: "Config", listening: "socket.socket", *, as_json: bool) -> None:
    """Open the gate here and serve until a signal says stop."""
    from headgate.app import open_gate
    from headgate.cli import runfile
    from headgate.config.prices_apart import list_apart
    from headgate.reports.shown import count

    async def serve() -> None:
        async with open_gate(config, list_apart) as gate:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                with suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
                    loop.add_signal_handler(number, gate.stop)

            def opened(url: str) -> None:
                if not runfile.write(url, config.source, gate.local_key):
                    say("note: another gate is open here; headgate down closes that one, Ctrl-C this one")
                greet(gate, url, as_json=as_json)
                gc.freeze()  # so the collector need never look at it
                gc.enable()

            await gate.serve(listening, opened)
        say(f"closed; {count(gate.writer.written, 'request')} written, {gate.writer.lost:,} lost")

    try:
        run_loop(serve())
    finally:
        runfile.remove()


def run_loop(work: "Coroutine[Any, Any, Result]") -> Result:
    """Run on uvloop where there is one; what comes of it."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


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
    for model in gate.config.policy.named.values():
        models.setdefault(model.engine, []).append(model.name + (f" [{model.label}]" if model.label else ""))
    fleet, width = gate.road.fleet, max(len(name) for name in gate.config.engines)
    for name in gate.config.engines:
        down = fleet.down.get(name)
        # what is paid for is asked by requests alone, so nobody knows whether it is up
        state = "down" if down is not None else "up" if name in fleet.health else "ready to be asked"
        say(
            f"  {name:<{width}}  {state:<4}  {', '.join(models.get(name, ()))}"
            + (f"  ({down})" if down else "")
        )
    say(f"point OpenAI clients at {url}/v1, Anthropic's and Ollama's at {url}, with model \"auto\"")
    say(f"the page is at {url}/dash/")
    say("Ctrl-C closes it")


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
        ended = child.poll() is not None
        run = runfile.read()
        said = log.read_text(encoding="utf-8", errors="replace")
        if run is not None and run.pid == child.pid and f" is open at {run.url}" in said:
            tell(run, said, log, as_json=as_json)
            return
        if ended:
            raise why_not(said, log, child.returncode)
        time.sleep(0.05)
    child.terminate()
    raise HeadgateError(f"the gate did not open within {OPENS_WITHIN} seconds", f"its log is {log}")


def tell(run: "RunFile", said: str, log: Path, *, as_json: bool) -> None:
    """Say that the gate is open in the background, with the notes in its log that were not said here already."""
    lines = [line for line in said.splitlines() if line != NO_PAGE]
    notes = [line.removeprefix("note: ") for line in lines if line.startswith("note: ")]
    if as_json:
        put_json({"url": run.url, "pid": run.pid, "log": str(log), "notes": notes})
        return
    for note in notes:
        say(f"note: {note}")
    say(f"the gate is open at {run.url} (pid {run.pid}); its log is {log}")
    say(f"the page is at {run.url}/dash/")
    say("headgate down closes it")


def why_not(said: str, log: Path, code: int) -> "HeadgateError":
    """The error of a gate that ended before it opened: its own words, hint and exit code, if it had any."""
    from headgate.core.errors import HeadgateError

    _, found, last = f"\n{said}".rpartition("\nerror: ")
    message, _, hint = last.strip().partition("\n\nhint: ")
    text = f"the gate did not open: {message}" if found else f"the gate did not open:\n{said.strip()}"
    error = HeadgateError(text, hint or f"its log is {log}")
    error.exit_code = code if code > 0 else 1
    return error
