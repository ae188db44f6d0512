"""What `app` hands to the gate beside models: families of paths (`Service`), and who answers for some subagents (`Worker`).

Which of them a path belongs to is decided here; what it answers is theirs. A path is a template, "/v1/agents/{name}/runs",
whose names are what stands in their places.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

from headgate.core.runs import Step
from headgate.core.types import GiveUp, Outcome, Reply, Request
from headgate.gateway.caller import Call

ADMIN = "/admin/"
"""How the paths begin that only admins may use."""


class Service(Protocol):
    """Answers a family of paths.

    One that is not for every caller says `admin = True`; and those of its paths that anybody may see nevertheless, such as a form to
    log in with, in `open_paths`, a set of templates.
    """

    @property
    def methods(self) -> Mapping[str, tuple[str, ...]]:
        """Its paths, as templates, and what each of them takes: {"/v1/agents/{name}/runs": ("POST",)}."""
        ...

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call whose method the path takes. What goes wrong is answered too, in OpenAI's form of errors.

        Args:
            call: the call; its body is None where it was larger than the server takes.
            path: the template that it matched.
            names: what stood in the places of the template, unquoted.
        """
        ...

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The paths in OpenAPI's form: {"/v1/agents": {"get": operation}}."""
        ...


class Found(NamedTuple):
    """The service that a path belongs to."""

    service: Service
    path: str
    names: dict[str, str]

    @property
    def admin(self) -> bool:
        """Whether the path is for admins."""
        own = getattr(self.service, "admin", False) is True
        return (own or self.path.startswith(ADMIN)) and not self.open

    @property
    def open(self) -> bool:
        """Whether anybody may see the path, without a key too."""
        return self.path in getattr(self.service, "open_paths", ())


class Services:
    """All families of paths that the gate was given."""

    def __init__(self, services: Iterable[Service]) -> None:
        self.all = tuple(services)
        self._templates = [
            (tuple(template.split("/")), template, service)
            for service in self.all
            for template in service.methods
        ]
        self._families = frozenset(parts[:3] for parts, _, _ in self._templates)

    def find(self, path: str) -> Found | None:
        """The service of a path, or None. Words are preferred to names, so that "/v1/kb/search" is not a base called "search"."""
        parts = tuple(path.split("/"))
        if parts[:3] not in self._families:
            return None
        found: Found | None = None
        for template, text, service in self._templates:
            if len(template) != len(parts):
                continue
            names: dict[str, str] = {}
            for want, part in zip(template, parts, strict=True):
                if want[:1] == "{" and part:
                    names[want[1:-1]] = unquote(part)
                elif want != part:
                    break
            else:
                if found is None or len(names) < len(found.names):
                    found = Found(service, text, names)
        return found


class Worked(NamedTuple):
    """What a worker made of a request."""

    result: Reply | GiveUp
    """An answer that is not whole has the finish "length", as any answer that a limit has cut."""
    outcome: Outcome
    """Of the last request that it took."""
    before: tuple[Outcome, ...] = ()
    """Of those before it, in order."""
    steps: tuple[Step, ...] = ()
    """What was done on the way."""
    incomplete: str = ""
    """Why the output does not answer the whole of the input; "" where it does."""
    note: str = ""
    """What else there is to be said of it: how the parts of a long input voted, what they disagree about."""
    output: Any = None
    """The output as a value, where it is more than the text of the reply."""


class Worker(Protocol):
    """Answers requests for subagents that take more than one request to a model: long inputs, tools, knowledge bases."""

    def takes(self, request: Request) -> bool:
        """Whether it is one of its own: `request.asked` is "agent:NAME", and nothing of that agent is on the request yet."""
        ...

    async def work(self, request: Request, *, caller: str) -> Worked:
        """Do it. Every request to a model on the way has its own row in the ledger already."""
        ...
