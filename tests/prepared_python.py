"""A command of Python in a process of its own, without the half second in which what Headgate is built on is imported.

    done = headgate("log", "-n", "5", cwd=home, env=env)

A Python that has imported other people's packages, and nothing of Headgate, waits at a socket. For each command it forks a process
that takes the command's arguments, folder, environment and files, and goes on as `python -m headgate` from there: its imports of
ours, its signals, its exit code and its end are those of a process that was started for it alone. It does not know what Python
itself reads at its start (`PYTHONPATH` and the like), nor terminals; tests of these start a process as everybody does.
"""

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

BUILT_ON = (
    "asyncio",
    "click",
    "ctypes",
    "ddsketch",
    "difflib",
    "encodings.idna",
    "genai_prices.data_snapshot",
    "httptools",
    "importlib.resources.readers",
    "msgspec",
    "prometheus_client.core",
    "rich._emoji_codes",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.sqlite",
    "sqlite3",
    "ssl",
    "tomlkit",
    "tomllib",
    "urllib.request",
    "uvloop",
    "zoneinfo",
)
NUMBER = 8
"""Bytes of a number on the socket."""


def headgate(*args, cwd=None, env=None, stdin="", timeout=60.0):
    """Run a command of Headgate to its end, and give what `subprocess.run` gives: its exit code, and what it wrote, as text."""
    return python("-m", "headgate", *args, cwd=cwd, env=env, stdin=stdin, timeout=timeout)


def python(*args, cwd=None, env=None, stdin="", timeout=60.0):
    """Run a module (`-m`) or a script, likewise."""
    order = json.dumps(
        [[str(arg) for arg in args], str(cwd or Path.cwd()), dict(os.environ if env is None else env)]
    ).encode()
    with (
        TemporaryFile() as given,
        TemporaryFile() as out,
        TemporaryFile() as err,
        socket.socket(socket.AF_UNIX) as asked,
    ):
        given.write(stdin.encode())
        given.seek(0)
        asked.connect(waiting())
        socket.send_fds(asked, [len(order).to_bytes(NUMBER)], [given.fileno(), out.fileno(), err.fileno()])
        asked.sendall(order)
        process = number(asked)
        asked.settimeout(timeout)
        try:
            code = number(asked)
        except TimeoutError:
            os.kill(process, signal.SIGKILL)
            raise
        said = [text_of(file) for file in (out, err)]
    return subprocess.CompletedProcess([sys.executable, *args], code, *said)


def text_of(file):
    """What was written into a file, with lines that end as Python's do."""
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def number(asked):
    """The next number that comes over the socket."""
    got = asked.recv(NUMBER, socket.MSG_WAITALL)
    assert len(got) == NUMBER, "the prepared Python has ended"
    return int.from_bytes(got, signed=True)


@cache
def waiting():
    """Where a prepared Python waits; it ends with this process."""
    folder = TemporaryDirectory(prefix="headgate-")
    address = f"{folder.name}/socket"
    order = [sys.executable, __file__, address]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(order, env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"

    def end():
        process.communicate()
        folder.cleanup()

    atexit.register(end)
    return address


# ── The prepared Python ──────────────────────────────────────────────────────────────────────────────────────────────


def wait(address):
    """Fork a process for each command, until nobody is left to ask for one.

    It returns in the forked one, when all is as the command wants it: whether `sys.argv` begins with a module, and not a script.
    """
    for name in BUILT_ON:
        import_module(name)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if listener not in ready:
                sys.exit()
            asked, _ = listener.accept()
            with asked:
                if os.fork() == 0:
                    listener.close()
                    return attend(asked)


def attend(asked):
    """Fork the command, tell who it is, and how it ended."""
    size, files, _, _ = socket.recv_fds(asked, NUMBER, 3)
    order = json.loads(asked.recv(int.from_bytes(size), socket.MSG_WAITALL))
    command = os.fork()
    if command == 0:
        asked.close()
        return become(*order, files)
    asked.sendall(command.to_bytes(NUMBER, signed=True))
    _, status = os.waitpid(command, 0)
    asked.sendall(os.waitstatus_to_exitcode(status).to_bytes(NUMBER, signed=True))
    os._exit(0)


def become(args, cwd, env, files):
    """Put on what a process is given when it is started."""
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    is_module = args[0] == "-m"
    sys.argv = args[1:] if is_module else args
    sys.path[0] = cwd if is_module else str(Path(args[0]).parent)
    return is_module


if __name__ == "__main__":
    if wait(sys.argv[1]):
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
