"""What an engine's adapter is built from: one table `[engines.NAME]`, checked, with its secret read.

It holds the only copy of the key in the configuration, so it never shows it. It does not know what the words lead to;
`engines.connect` does.
"""

from collections.abc import Mapping

from msgspec import Struct

from headgate.core.words import EngineKind


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
    first_token: float = 60.0
    """Covers loading the model and reading the prompt, in streams; another answer comes at once, when it is whole."""
    between_tokens: float = 30.0
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
