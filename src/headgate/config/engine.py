"""What an engine's adapter is built from: one table `[engines.NAME]`, checked, with its secret read.

It holds the only copy of the key in the configuration, so it never shows it. It does not know what the words lead to;
`engines.connect` does.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from headgate.config.misfit import Misfit
from headgate.config.places import read_secret
from headgate.config.prices import PROVIDERS
from headgate.config.schema import EngineTable
from headgate.config.values import MOST_AT_ONCE, optional_seconds, positive, seconds
from headgate.core.errors import ConfigError
from headgate.core.words import EngineKind

URLS: dict[EngineKind, str] = {
    "ollama": "http://127.0.0.1:11434",
    "lmstudio": "http://127.0.0.1:1234",
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
}
"""Where an engine of that kind listens when the config does not say."""


class EngineSettings(Struct, frozen=True, kw_only=True):
    """One engine. Times are seconds, each on a clock of its own, because a cold model delays the first token only."""

    name: str
    kind: EngineKind
    url: str | None = None
    """Its address, with any path that comes before the protocol's own. None: the embedded engine, a child of ours."""
    key: str | None = None
    """The secret itself."""
    parallel: int = 4
    """Requests at once; more wait in our queue."""
    headers: Mapping[str, str] = {}
    """Sent with every request."""
    connect: float = 5.0
    first_token: float | None = None
    """Covers reading the prompt, and loading where the engine does that by itself, in streams; another answer comes at once,
    when it is whole. None: as measured."""
    between_tokens: float | None = None
    """None: as measured."""
    load_within: float = 300.0
    manage: bool = True
    """The gate says what is loaded."""
    kv_cache: str = "f16"
    api_version: str | None = None
    """Of Anthropic's protocol."""
    ca_file: str | None = None
    """PEM file of authorities to trust besides the system's."""
    local: bool = True
    """It runs on machines that the user owns."""
    threads: int | None = None
    """Of the embedded engine."""
    profile: str | None = None
    """The habits of an OpenAI-compatible server, a name from `engines.profiles`; None is told by its address."""

    def __repr__(self) -> str:
        """Everything but what may be secret."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["key"] = None if self.key is None else "…"
        shown["headers"] = dict.fromkeys(self.headers, "…")
        return f"EngineSettings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def engine_from(name: str, table: EngineTable) -> EngineSettings:
    """An engine's settings, with its defaults and its secret."""
    url = table.url or URLS.get(table.kind)
    if url is None and table.kind == "openai_compatible":
        raise Misfit(
            ("engines", name), f'the engine "{name}" has no url', 'write url = "http://127.0.0.1:8000/v1"'
        )
    if url is not None and not is_address(url):
        raise Misfit(
            ("engines", name, "url"),
            f'"{url}" is not an http address',
            f'write url = "{URLS.get(table.kind, "http://…")}"',
        )
    local = table.local if table.local is not None else table.kind not in PROVIDERS and is_private(url)
    return EngineSettings(
        name=name,
        kind=table.kind,
        url=url,
        key=secret(name, table.key),
        parallel=parallel_of(name, table, local=local),
        headers=table.headers,
        connect=seconds(("engines", name, "connect"), table.connect),
        first_token=optional_seconds(("engines", name, "first_token"), table.first_token),
        between_tokens=optional_seconds(("engines", name, "between_tokens"), table.between_tokens),
        load_within=seconds(("engines", name, "load_within"), table.load_within),
        manage=table.manage and local and is_here(url),
        kv_cache=table.kv_cache,
        api_version=table.api_version,
        ca_file=table.ca_file,
        local=local,
        threads=None
        if table.threads is None
        else positive(("engines", name, "threads"), table.threads, MOST_AT_ONCE),
    )


def secret(name: str, reference: str | None) -> str | None:
    """The key behind a reference; one that is not there yet is None, and its models are skipped."""
    try:
        return read_secret(reference) if reference is not None else None
    except ConfigError as error:
        raise Misfit(("engines", name, "key"), error.message, error.hint) from error


def is_address(url: str) -> bool:
    """Whether it is an http address with a host and a possible port."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        return False


def parallel_of(name: str, table: EngineTable, *, local: bool) -> int:
    """Requests at once: what the user says, else what such an engine can be trusted with."""
    if table.parallel is not None:
        return positive(("engines", name, "parallel"), table.parallel, MOST_AT_ONCE)
    if table.kind == "llamacpp" and table.url is None:
        return 1
    return 4 if local else 64


def is_here(url: str | None) -> bool:
    """Whether an address is on this very machine, whose memory we can look at. None is our own child process."""
    host = urlsplit(url).hostname or "" if url is not None else "localhost"
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_private(url: str | None) -> bool:
    """Whether an address is on this machine or on a private network. None is our own child process."""
    if url is None:
        return True
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".lan")):
        return True
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return parsed.is_private or parsed.is_loopback
