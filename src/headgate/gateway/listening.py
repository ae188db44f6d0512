"""Where a gate listens: a bound socket, its address, and the answer to what is no HTTP request."""

import socket

from headgate.core.errors import UsageError
from headgate.gateway.headers import JSON
from headgate.gateway.http import BACKLOG
from headgate.gateway.refusals import no_http
from headgate.wire import faults


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UsageError: the port is taken or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        hint = (
            "headgate down closes a gate that is open; or listen elsewhere: headgate up --listen 127.0.0.1:0"
        )
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}", hint) from error
    listening.set_inheritable(True)
    return listening


def address_of(listening: socket.socket) -> str:
    """The address of a listening socket, as a client writes it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def refuse(status: int, problem: str) -> tuple[bytes, bytes]:
    """The answer to what is no HTTP request: header lines and body."""
    fault = no_http(status, problem)
    return JSON + faults.header_lines(fault), faults.encode(fault)
