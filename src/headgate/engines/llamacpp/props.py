"""What one of the child's servers says of itself, so that a context is proven and not believed. It does not know requests."""

import msgspec
from msgspec import Struct

from headgate.engines.transport import Clocks, HttpTransport, TransportFailure

_CLOCKS = Clocks(connect=2.0, first_byte=5.0, between_bytes=5.0, total=10.0)


class Granted(Struct, frozen=True):
    """What a server gives to each request."""

    context: int
    """Tokens."""
    slots: int
    """Requests at a time."""


class WireSettings(Struct):
    """The part of `/props` that a request gets when it asks for nothing special."""

    n_ctx: int


class WireProps(Struct):
    """llama.cpp's `/props`."""

    default_generation_settings: WireSettings
    total_slots: int


async def ask_props(url: str, key: str) -> Granted | str:
    """What the server at `url` grants, or in one clause why it does not say."""
    transport = HttpTransport(url, headers=[("authorization", f"Bearer {key}")])
    try:
        response = await transport.request("GET", "/props", clocks=_CLOCKS)
    finally:
        await transport.close()
    if isinstance(response, TransportFailure):
        return response.detail
    try:
        props = msgspec.json.decode(response.body, type=WireProps)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"its server answered {response.status} when asked for its context"
    return Granted(props.default_generation_settings.n_ctx, props.total_slots)
