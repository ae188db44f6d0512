"""A mail server and requests of any moment, for tests of what is sent."""

import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default

import pytest

from headgate.core.types import Decision, Outcome, Signals
from prepared_python import headgate


@dataclass
class Mailbox:
    """A double of a mail server: it speaks SMTP on a real socket and keeps what it is sent; `refusing` turns all away."""

    port: int = 0
    mails: list[Message] = field(default_factory=list)
    refusing: bool = False

    @property
    def address(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=gate@example.org&to=team@example.org&mode=insecure"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()

    class Talk(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if box.refusing:
                self.wfile.write(b"554 no mail today\r\n")
                return
            self.wfile.write(b"220 mailbox\r\n")
            for line in self.rfile:
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (text := self.rfile.readline()) != b".\r\n":
                        lines.append(text.removeprefix(b"."))
                    box.mails.append(message_from_bytes(b"".join(lines), policy=default))
                elif word == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                self.wfile.write(b"250 ok\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield box
        server.shutdown()


@pytest.fixture
def outcomes():
    """Requests that were received at these moments."""

    def make(moments):
        return [
            Outcome(
                id=f"request-{number}",
                received=moment,
                asked="auto",
                stream=False,
                signals=Signals(
                    task=None, task_confidence=0.0, task_by="classifier", tokens=10, tokens_exact=True
                ),
                decision=Decision(
                    route="all",
                    why="",
                    candidates=(),
                    checks=(),
                    pass_at=0.6,
                    mode="hold",
                    within=60.0,
                    attempts_at_most=4,
                ),
                attempts=(),
                status="failed",
                model=None,
                fallback=None,
                seconds=0.1,
                cost=0.0,
                baseline="gpt-4o",
                baseline_cost=None,
            )
            for number, moment in enumerate(moments)
        ]

    return make


class Office:
    """A home directory, and commands that run in it as processes of their own."""

    def __init__(self, home):
        home.mkdir()
        self.home = home
        self.ledger = home / ".local/share/headgate/ledger.db"
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
        self.env = kept | {"HOME": str(home), "NO_COLOR": "1"}

    def __call__(self, *args):
        return headgate(*args, cwd=self.home, env=self.env)

    def start(self, *args):
        order = [sys.executable, "-m", "headgate", *args]
        return subprocess.Popen(
            order, cwd=self.home, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@pytest.fixture
def shell(tmp_path):
    return Office(tmp_path / "home")
