"""`headgate down`: close the gate that runs on this machine."""

import os
import signal
import time

import click

from headgate.cli.common import put_json, say, with_config, with_json

PATIENCE = 20.0
"""Seconds that an open gate gets to end its requests."""


@click.command("down")
@with_config
@with_json
def command(config_file: str | None, *, as_json: bool) -> None:
    """Close the gate: requests under way end first, and the ledger is written out."""
    from headgate.cli import runfile
    from headgate.core.errors import HeadgateError

    del config_file  # every command takes it; the run file alone says which gate is open
    run = runfile.find_gate()
    if run is None:
        say("no gate is open")
        if as_json:
            put_json({"closed": False})
        return
    os.kill(run.pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while (left := runfile.read()) is not None and left.pid == run.pid and alive(run.pid):
        if time.monotonic() > deadline:
            raise HeadgateError(
                f"the gate (pid {run.pid}) does not close",
                f"kill -9 {run.pid} ends it; its ledger stays sound",
            )
        time.sleep(0.05)
    if as_json:
        put_json({"closed": True, "pid": run.pid, "url": run.url})
    else:
        say(f"the gate at {run.url} is closed")


def alive(pid: int) -> bool:
    """Whether the process still exists."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
