"""A subagent as a value: what it is told, what it is asked, what form its answers have, who answers, and within which bounds.

It does not know how it is read from a page (`config.agents`), or put on a request (`core.agents`).
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Raw, Struct

from headgate.core.words import LongInput, Task


class Shown(Struct, frozen=True, gc=False):
    """An input of an agent with the output that is right for it: one of its few examples, or one of its tests."""

    input: str
    """As its template has filled it."""
    output: Raw
    """JSON: a text, or an object. Of a test, the fields that have to be right."""
    line: int = 0
    """Where it stands in its file; 0 is unknown."""
    given: str | Mapping[str, Any] = ""
    """The input as it was written: a text or named fields, for whoever gives it to the agent again."""


class AgentTool(Struct, frozen=True, gc=False, kw_only=True):
    """A tool of an agent: a Python function by name, or everything that an MCP server offers."""

    function: str = ""
    """"./orders.py:find_order" or "package.module:function"."""
    command: tuple[str, ...] = ()
    """An MCP server that is started and spoken to over its stdin and stdout."""
    url: str = ""
    """An MCP server that is there already."""


class Bounds(Struct, frozen=True, gc=False, kw_only=True):
    """What one run of an agent with tools may use up, all its requests together."""

    steps: int = 5
    within: float = 120.0
    """Seconds."""
    spend: float | None = None
    """Dollars; None is no limit of its own."""


class Agent(Struct, frozen=True, kw_only=True):
    """A named worker: what it is told, what it is asked, what form its answers have, and who answers."""

    name: str
    system: str
    description: str = ""
    task: Task | None = None
    labels: tuple[str, ...] = ()
    """The answer, or the field `label` of it, is exactly one of these."""
    meanings: Mapping[str, str] = {}
    """What a label is for, where that is said."""
    schema: Raw | None = None
    """The answer is JSON that fits this JSON Schema."""
    asked: Raw | None = None
    """The schema as a model is asked for it: without the field that the gate fills in itself."""
    label: str = ""
    """The field of the schema that holds the label; "" where the answer is the label, or there is none."""
    confidence: str = ""
    """The field of the schema into which the gate writes the label's probability; "" is none."""
    template: str = "{input}"
    """What is asked, with {fields} of the input."""
    examples: tuple[Shown, ...] = ()
    tests: tuple[Shown, ...] = ()
    chain: tuple[str, ...] = ()
    """The models that are tried, in order, in place of the route's; () leaves it to the routes."""
    checks: tuple[str, ...] | None = None
    """In place of those of the route."""
    threshold: float | None = None
    """The least probability of a label; below it the next model is asked."""
    bar: float | None = None
    """The least accuracy on its tests before it works through a batch, 0-1."""
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    local_only: bool = False
    long: LongInput = "chunks"
    tools: tuple[AgentTool, ...] = ()
    bounds: Bounds = Bounds()
    builtin: bool = False
    source: str = ""
    """The file that it stands in."""
