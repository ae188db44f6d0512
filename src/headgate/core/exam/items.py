"""The questions of the exam, as they stand in its file, and the requests that they become.

An item names what its answer must be; all that it names must hold. This module does not know how that is found out
(`grading`), nor where the file lies.
"""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Raw, Struct

from headgate.core.cards import PassRate
from headgate.core.types import TEXT, Format, Message, Request, Tool
from headgate.core.words import TASKS, Task

Part = Literal[
    "schema",
    "tools",
    "classification",
    "sentiment",
    "extraction",
    "summarization",
    "translation",
    "code",
    "qa",
    "writing",
    "reasoning",
    "chat",
    "language",
]
"""What an item examines: JSON that fits a schema, calls of tools, a task, or the language of answers."""
PARTS: Final[tuple[Part, ...]] = get_args(Part)
"""In the order in which they are asked: what decides about a model's capabilities comes first."""

_TASKS: Final[Mapping[str, Task]] = {task: task for task in TASKS}


class Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question, and what makes an answer right. A word may end or begin in `*`, and "a|b" is either of two."""

    ask: str
    system: str = ""
    before: tuple[str, ...] = ()
    """What was said before, by turns: the caller, the model, the caller …"""
    language: str = "en"
    """ISO 639-1 code of the question."""
    label: str = ""
    """The one right choice …"""
    labels: tuple[str, ...] = ()
    """… of these."""
    has: tuple[str, ...] = ()
    """Words that are in the answer."""
    hasnt: tuple[str, ...] = ()
    """Words that are not."""
    begins: str = ""
    """How the answer begins, whatever the case."""
    number: float | None = None
    """The last number in the answer."""
    json: str = ""
    """The answer as JSON, equal but for case and blanks."""
    words: tuple[int, int] | None = None
    """The least and the most words."""
    shorter: bool = False
    """It is clearly shorter than the question, and invents no figures."""
    speaks: bool = False
    """It is in the language of the question, one of the four that we can tell."""
    defines: str = ""
    """A Python function or class of this name; it parses and gives something back …"""
    takes: int | None = None
    """… and takes so many arguments."""
    form: Literal["text", "json"] = "text"
    """The asked form; `schema` is a form of its own."""
    schema: str = ""
    tools: tuple[str, ...] = ()
    """The tools that are offered."""
    calls: str | None = None
    """The one that is to be called; "" is none."""
    given: Mapping[str, str] = {}
    """What is part of its arguments, whatever the case."""

    # set by `parse_exam`
    id: str = ""
    part: Part = "chat"
    most: int = 0
    """Tokens that the answer may take."""
    offered: tuple[Tool, ...] = ()

    @property
    def request(self) -> Request:
        """The question as a request. Temperature 0 and a seed, so that the same model says the same again."""
        said = [Message("assistant" if turn % 2 else "user", text) for turn, text in enumerate(self.before)]
        system = [Message("system", self.system)] if self.system else []
        asked = Format(kind="schema", schema=Raw(self.schema.encode())) if self.schema else TEXT
        return Request(
            id=self.id,
            asked="exam",
            messages=(*system, *said, Message("user", self.ask)),
            max_tokens=self.most,
            temperature=0.0,
            seed=1,
            format=Format(kind="json") if self.form == "json" else asked,
            tools=self.offered,
            task=self.task,
            labels=self.labels,
            local_only=True,
        )

    @property
    def task(self) -> Task | None:
        """The task that it examines; None for the parts that are no task."""
        return _TASKS.get(self.part)


class Exam(Struct, frozen=True):
    """All items, part by part."""

    items: tuple[Item, ...]


class Marks(Struct, frozen=True):
    """Right of asked. What was not asked is not there."""

    schema: PassRate | None
    tools: PassRate | None
    tasks: Mapping[Task, PassRate]
    languages: Mapping[str, PassRate]


class _Tool(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    description: str
    parameters: str


def parse_exam(text: str) -> Exam:
    """Read the exam's file.

    Raises:
        ValueError: it is not the TOML that an exam is written in.
        KeyError: an item offers a tool that is not there, or a part has no limit.
    """
    tables: dict[str, Any] = tomllib.loads(text)
    most = msgspec.convert(tables.pop("most"), dict[Part, int])
    told = msgspec.convert(tables.pop("tool", []), list[_Tool])
    tools = {one.name: Tool(one.name, one.description, Raw(one.parameters.encode())) for one in told}
    parts = msgspec.convert(tables, dict[Part, list[Item]])
    return Exam(
        tuple(
            msgspec.structs.replace(
                item,
                id=f"{part}-{number}",
                part=part,
                most=most[part],
                offered=tuple(tools[name] for name in item.tools),
            )
            for part in PARTS
            for number, item in enumerate(parts.get(part, ()), 1)
        )
    )


def tally(results: Iterable[tuple[Item, bool]]) -> Marks:
    """Count the right ones, by what they examine."""
    counts: dict[tuple[str, str], list[bool]] = {}
    for item, right in results:
        counts.setdefault((item.part, item.language if item.part == "language" else ""), []).append(right)
    shares = {place: PassRate(sum(rights), len(rights)) for place, rights in counts.items()}
    return Marks(
        schema=shares.get(("schema", "")),
        tools=shares.get(("tools", "")),
        tasks={task: shares[task, ""] for task in TASKS if (task, "") in shares},
        languages={language: share for (part, language), share in shares.items() if part == "language"},
    )
