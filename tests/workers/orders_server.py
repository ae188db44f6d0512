"""A real MCP server for tests, made with the official package: over stdio, or over HTTP on the port that it is given."""

import os
import sys
import time

from mcp.server import MCPServer

server = MCPServer("orders")


@server.tool()
def find_order(number: str) -> dict[str, str]:
    """Find an order by its number."""
    return {"number": number, "state": "shipped"}


@server.tool()
def process() -> str:
    """The number of the process."""
    return str(os.getpid())


@server.tool()
def die() -> str:
    """End in the middle of a call."""
    os._exit(3)


@server.tool()
def sleep(seconds: float) -> str:
    """Take some time."""
    time.sleep(seconds)
    return "slept"


@server.tool(name="odd.name/with spaces")
def odd() -> str:
    """A name that models' APIs do not take."""
    raise ValueError("always")


@server.tool()
def much() -> str:
    """A large result."""
    return "y" * 1_000_000


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run()
