"""Read headgate.toml: text → checked page → compiled `Config`.

Every error names the file, the line, the word, and the word that was probably meant.
"""

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from headgate.config.agent_files import AgentPage, Origin, find_pages, read_text, read_toml
from headgate.config.audit import AuditTable
from headgate.config.compile import Config, compile_config
from headgate.config.energy import EnergyTable, HardwareTable
from headgate.config.learning import LearnTable
from headgate.config.lines import find_line
from headgate.config.misfit import Misfit
from headgate.config.places import find_config
from headgate.config.prices import PriceFinder, find_price
from headgate.config.schema import (
    AgentTable,
    BatchesTable,
    BoundsTable,
    BudgetTable,
    EmbeddingsTable,
    EngineTable,
    FileTable,
    FleetTable,
    LedgerTable,
    LimitsTable,
    ModelTable,
    PrefixesTable,
    PriceTable,
    QualityTable,
    ReportTable,
    RouteTable,
    ServerTable,
    ShownTable,
    StreamingTable,
)
from headgate.config.tuning import TuneTable
from headgate.config.values import meant
from headgate.core.errors import ConfigError
from headgate.core.words import TASKS

TABLES: dict[str, type[msgspec.Struct]] = {
    "": FileTable,
    "server": ServerTable,
    "engines": EngineTable,
    "models": ModelTable,
    "routes": RouteTable,
    "budgets": BudgetTable,
    "quality": QualityTable,
    "limits": LimitsTable,
    "streaming": StreamingTable,
    "embeddings": EmbeddingsTable,
    "ledger": LedgerTable,
    "report": ReportTable,
    "energy": EnergyTable,
    "audit": AuditTable,
    "tune": TuneTable,
    "learn": LearnTable,
    "fleet": FleetTable,
    "batches": BatchesTable,
    "agents": AgentTable,
}
INNER: dict[tuple[str, str], type[msgspec.Struct]] = {
    ("models", "price"): PriceTable,
    ("models", "prefixes"): PrefixesTable,
    ("agents", "examples"): ShownTable,
    ("agents", "tests"): ShownTable,
    ("agents", "limits"): BoundsTable,
}
"""Tables inside others."""


def load_config(given: str | None = None, price_finder: PriceFinder = find_price) -> Config:
    """The config of this machine: a named file, the one found, or the built-in starter page.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    path = find_config(given)
    if path is None:
        return parse_config(starter_text(), None, price_finder)
    return parse_config(read_text(path), path, price_finder)


def starter_text() -> str:
    """The starter page, as `headgate init` writes it."""
    return resources.files("headgate.config").joinpath("starter.toml").read_text(encoding="utf-8")


def parse_config(text: str, source: Path | None, price_finder: PriceFinder = find_price) -> Config:
    """A page of TOML as a compiled config.

    Raises:
        ConfigError: with file, line and word.
    """
    name = str(source) if source is not None else "the starter page"
    document = read_toml(text, name)
    tables = document.get("agents")
    pages = find_pages(source, tables if isinstance(tables, dict) else {})
    try:
        page = msgspec.convert(document, FileTable)
        page = replace(page, agents=page.agents | {one.name: agent_table(one) for one in pages.values()})
        origins = {agent: origin_of(pages.get(agent), text, source) for agent in page.agents}
        return compile_config(page, source, price_finder, origins)
    except msgspec.ValidationError as error:
        path, message, hint = explain(str(error), document)
        line = find_line(text, path)
    except Misfit as error:
        path, message, hint = error.path, error.message, error.hint
        own = pages.get(str(path[1])) if path[:1] == ("agents",) and len(path) > 1 else None
        if own is not None:
            name, text, path = str(own.file), own.text, path[2:]
        if error.file is not None:
            name = str(error.file)
        line = error.line or find_line(text, path)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error.message}", error.hint) from error
    raise ConfigError(f"{name}{f', line {line}' if line else ''}: {message}", hint)


def agent_table(page: AgentPage) -> AgentTable:
    """The table of an agent that has a file of its own.

    Raises:
        Misfit: a key is missing, unknown, or has a value of another kind.
    """
    try:
        return msgspec.convert(page.document, AgentTable)
    except msgspec.ValidationError as error:
        path, message, hint = explain(str(error), page.document, ("agents", page.name))
        raise Misfit(path, message, hint) from error


def origin_of(page: AgentPage | None, text: str, source: Path | None) -> Origin:
    """Where an agent is described: in a file of its own, or in the page."""
    beside = source.parent if source is not None else Path.cwd()
    if page is None:
        return Origin(file=source, folders=(beside,), text=text)
    if page.file is None:
        return Origin(file=None, folders=(), builtin=True)
    return Origin(file=page.file, folders=(page.file.parent, beside), text=page.text, depth=2)


def explain(
    error: str, document: dict[str, Any], within: tuple[str, ...] = ()
) -> tuple[Sequence[str | int], str, str]:
    """A validation error as the place, what is wrong, and what was meant; the document is what stands `within` the page."""
    named, error = IN_A_NAME in error, error.replace(IN_A_NAME, " - at `$")
    what, _, where = error.partition(" - at `$")
    inner = read_path(where.rstrip("`"), document)
    path = (*within, *inner)
    table = table_name(path)
    known = list(properties_of(table))
    unknown = re.fullmatch(r"Object contains unknown field `(.+)`", what)
    if unknown is not None:
        place = (
            f"[{'.'.join(str(step) for step in path if not isinstance(step, int))}]" if path else "this file"
        )
        return (
            (*path, unknown[1]),
            f'{place} has no "{unknown[1]}"',
            meant(unknown[1], known) or f"it may have: {', '.join(known)}",
        )
    missing = re.fullmatch(r"Object missing required field `(.+)`", what)
    if missing is not None:
        return path, f'"{missing[1]}" is missing', f"write {missing[1]} = …"
    value = value_at(document, inner)
    if named and isinstance(value, dict):
        value = next((name for name in value if name not in TASKS), "")
    if what.startswith("Invalid enum value"):
        words = words_for(path)
        return (
            (*path, value) if named else path,
            f'"{value}" is not one of the words for {last_name(path)}',
            meant(str(value), words) or f"one of: {', '.join(words)}",
        )
    return path, f"{last_name(path)}: {what[:1].lower()}{what[1:]}", ""


IN_A_NAME = " - at `key` in `$"
"""How msgspec says that it is the name of a line which is wrong, and not its value."""


def read_path(where: str, document: dict[str, Any]) -> tuple[str | int, ...]:
    """Msgspec's "$.routes[0].tasks[...]" as steps; "[...]" stands for a name we look up by trying."""
    path: list[str | int] = []
    for step in re.findall(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]", where):
        if step[0]:
            path.append(step[0])
        elif step[1].isdigit():
            path.append(int(step[1]))
        else:
            path.append(culprit(document, path))
    return tuple(path)


def culprit(document: dict[str, Any], path: Sequence[str | int]) -> str:
    """Which of the tables under `path` is the wrong one: the first that does not convert by itself."""
    tables = value_at(document, path)
    struct = TABLES.get(str(path[0])) if path else None
    if isinstance(tables, dict) and struct is not None and len(path) == 1:
        for name, table in tables.items():
            try:
                msgspec.convert(table, struct)
            except msgspec.ValidationError:
                return str(name)
    if isinstance(tables, dict) and tables:
        return next(
            (str(name) for name in tables if path[-1] == "tasks" and name not in TASKS),
            str(next(iter(tables))),
        )
    return "…"


def table_name(path: Sequence[str | int]) -> type[msgspec.Struct]:
    """The struct that describes the table at `path`."""
    if tuple(path[:2]) == ("energy", "hardware"):
        return HardwareTable
    if len(path) > 2 and (inner := INNER.get((str(path[0]), str(path[2])))) is not None:
        return inner
    return TABLES.get(str(path[0]), FileTable) if path else FileTable


def value_at(document: Any, path: Sequence[str | int]) -> Any:
    """What stands at `path`, or None."""
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def words_for(path: Sequence[str | int]) -> tuple[str, ...]:
    """The words that are allowed at `path`: those of the field's own schema."""
    name = last_name(path)
    if name == "warn":  # not all versions of msgspec tell the names of a dictionary
        return "local_failures_over", "at_least"
    return enumerated(properties_of(table_name(path)).get(name)) or TASKS


def enumerated(told: Any) -> tuple[str, ...]:
    """The words of the first choice in a schema."""
    inner = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    own = told.get("enum", ()) if isinstance(told, dict) else ()
    return tuple(own) or next(filter(None, map(enumerated, inner)), ())


def properties_of(table: type[msgspec.Struct]) -> dict[str, Any]:
    """The schemas of a table's keys."""
    properties: dict[str, Any] = msgspec.json.schema(table)["$defs"][table.__name__]["properties"]
    return properties


def last_name(path: Sequence[str | int]) -> str:
    """The last step of a path that is a name."""
    return next((str(step) for step in reversed(path) if not isinstance(step, int)), "the file")
