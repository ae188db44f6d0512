"""Settings put into a page of TOML, in its own words and with its comments kept: what a replay tries, and what is to be written for it.

    set_words(text, ("routes.long.tokens_over=5000",)) → the page with them, and the lines that are new

What the settings mean, and whether they fit together, is said by `load` when the new page is compiled.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import tomlkit
from msgspec import Struct
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array, Table

from headgate.config.values import meant
from headgate.core.errors import ConfigError, UsageError
from headgate.core.words import TASKS

ROUTE: dict[str, type] = {"tokens_over": int, "tokens_under": int, "pass_at": float, "try": list}
QUALITY: dict[str, type] = {"pass_at": float, "task_confidence": float}
FOR = "confidence_for"
"""The confidence that is wanted of a model, task by task."""
CONFIDENCE = (*(f"{FOR}.{task}" for task in TASKS), "confidence")

FORMS = (
    "routes.NAME.tokens_over=5000, routes.NAME.tokens_under=200, routes.NAME.pass_at=0.7, routes.NAME.try=small,claude, "
    "models.NAME.confidence=-0.5, models.NAME.confidence_for.TASK=-0.5, quality.pass_at=0.7 or quality.task_confidence=0.6; "
    "=none removes one"
)


SETTING = (
    rf"^(quality\.({'|'.join(QUALITY)})|routes\.[^=\x00]+\.({'|'.join(ROUTE)})"
    rf"|models\.[^=\x00]+\.({'|'.join(CONFIDENCE)}))=[^\x00]*$"
)
"""What a setting looks like."""

PART = re.compile(r""""[^"\n]*"|'[^'\n]*'|#[^\r\n]*|\n""")
"""What a list of names is made of, but for commas and blanks: a name, a comment, the end of a line."""


class Changed(Struct, frozen=True):
    """A page with other settings."""

    text: str
    lines: tuple[str, ...]
    """What is to be written, under the headings where it belongs."""


def set_words(text: str, words: Iterable[str]) -> Changed:
    """Put settings into a page.

    Raises:
        UsageError: it is no setting that can be tried, its value is of another kind, or the page has no such route.
        ConfigError: the page is no TOML.
    """
    page = parse(text)
    told: dict[str, dict[str, str]] = {}
    for word in words:
        path, equals, value = word.partition("=")
        names = names_in(path.strip() if equals else "", word)
        heading, table, key, kind = find(page, names)
        shown = put(table, key, value.strip(), kind, word)
        told.setdefault(heading, {})[key] = shown  # of two the last counts
        if not table and key in TASKS:
            page["models"][names[1]].pop(FOR)
    lines = [
        line
        for heading, said in told.items()
        for line in (*([""] if heading != next(iter(told)) else []), heading, *said.values())
    ]
    return Changed(with_ends_of(text, tomlkit.dumps(page)), tuple(lines))


def with_ends_of(before: str, text: str) -> str:
    """The text with its lines ended as those of the page were."""
    if "\r\n" not in before or before.count("\r\n") < before.count("\n"):
        return text
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def words_to_undo(text: str, words: Iterable[str]) -> tuple[str, ...]:
    """The settings that put a page back after these: the values as it has them, "none" where it has no such line.

    Raises:
        UsageError: it is no setting that can be tried, or the page has no such route.
        ConfigError: the page is no TOML.
    """
    page = parse(text)
    found = []
    for word in words:
        path = word.partition("=")[0].strip()
        _, table, key, _ = find(page, names_in(path, word))
        value = table.get(key)
        shown = "none" if value is None else ",".join(value) if isinstance(value, list) else str(value)
        found.append(f"{path}={shown}")
    return tuple(found)


def parse(text: str) -> tomlkit.TOMLDocument:
    """The page, ready to be changed.

    Raises:
        ConfigError: it is no TOML.
    """
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(f"the page cannot be changed: {error}", "headgate config check") from error


def names_in(path: str, word: str) -> tuple[str, ...]:
    """The names in a setting's path.

    Raises:
        UsageError: it is no setting that can be tried.
    """
    names = split(path)
    if names is None and path.startswith("models.") and (task := path.rpartition(f".{FOR}.")[2]) != path:
        raise UsageError(
            f'there is no task "{task}"', meant(task, TASKS) or f"the tasks are: {', '.join(TASKS)}"
        )
    if names is None:
        raise UsageError(f"{word!r} is no setting that can be tried", f"--set takes {FORMS}")
    return names


def split(path: str) -> tuple[str, ...] | None:
    """The names in "quality.key", "routes.NAME.key", "models.NAME.confidence" or "models.NAME.confidence_for.TASK"; NAME may have dots."""
    table, _, rest = path.partition(".")
    if table == "quality" and rest in QUALITY:
        return table, rest
    if table == "models":
        key = next((key for key in CONFIDENCE if rest.endswith(f".{key}")), "")
        name = rest.removesuffix(f".{key}")
        return (table, name, *key.split(".")) if key and name else None
    name, _, key = rest.rpartition(".")
    return (table, name, key) if table == "routes" and name and key in ROUTE else None


def find(page: tomlkit.TOMLDocument, names: tuple[str, ...]) -> tuple[str, Any, str, type]:
    """The heading and the table that a setting belongs to, its key and the kind of its value.

    Raises:
        UsageError: the page has no such route, or no such model.
    """
    if names[0] == "quality":
        if "quality" not in page:
            page["quality"] = tomlkit.table()
        return "[quality]", page["quality"], names[1], QUALITY[names[1]]
    if names[0] == "models":
        return find_confidence(page, *names[1:])
    routes = {str(route.get("name")): route for route in page.get("routes", [])}
    table = chosen("route", names[1], routes)
    return f'[[routes]]  # "{names[1]}"', table, names[2], ROUTE[names[2]]


def find_confidence(
    page: tomlkit.TOMLDocument, name: str, key: str, task: str = ""
) -> tuple[str, Any, str, type]:
    """The same for the confidence that is wanted of a model, of all tasks or of one."""
    model = chosen("model", name, page.get("models", {}))
    heading = f"[models.{tomlkit.key(name).as_string()}"
    if not task:
        return f"{heading}]", model, key, float
    if FOR not in model:
        write(model, FOR, tomlkit.inline_table())
    return f"{heading}.{FOR}]", model[FOR], task, float


def chosen(what: str, name: str, tables: Mapping[str, Any]) -> Any:
    """The table of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in tables:
        hint = meant(name, tables) or f"the {what}s are: {', '.join(tables)}"
        raise UsageError(f'there is no {what} "{name}"', hint)
    return tables[name]


def put(table: Any, key: str, value: str, kind: type, word: str) -> str:
    """Set or remove one key; the line that says so.

    Raises:
        UsageError: the value is of another kind.
    """
    if value == "none":
        table.pop(key, None)
        return f"# without {key}"
    if kind is list:
        names = [name.strip() for name in value.split(",") if name.strip()]
        write(table, key, listed(names, table.get(key)))
        return f"{key} = {listed(names, None).as_string()}"
    try:
        write(table, key, kind(value))
    except ValueError as error:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"{word!r}: {value!r} is not {what}", f"--set takes {FORMS}") from error
    return f"{key} = {table[key]}"


def write(table: Any, key: str, value: Any) -> None:
    """Put a value where its key stands, or behind the last one: what is written above the next table is about that."""
    plain = [name for name, other in table.items() if not isinstance(other, Table | AoT)]
    if key in table or not plain or not isinstance(table, Table):
        table[key] = value
    else:
        table.value._insert_after(plain[-1], key, tomlkit.item(value))  # noqa: SLF001 - nothing public puts a key in between
        dict.__setitem__(table, key, table.value[key])  # the table's own record, by which it is removed again


def listed(names: Iterable[str], before: Array | None) -> Array:
    """The names as a list; each keeps what the one before says of it in comments."""
    above, behind, rest = comments_in("" if before is None else before.as_string())
    plain = tomlkit.item(list(names))
    if not (above or behind or rest):
        return plain
    lines: list[str] = []
    for name in plain:
        lines += above.get(name, [])
        lines.append(f"{tomlkit.item(name).as_string()},{behind.get(name, '')}")
    text = "".join([f"  {line}\n" for line in (*lines, *rest)])
    found = tomlkit.value(f"[\n{text}]")
    assert isinstance(found, Array), "a list was written"
    return found


def comments_in(array: str) -> tuple[dict[str, list[str]], dict[str, str], list[str]]:
    """The comments in a list of names: those above a name, the one behind it, and those below all of them."""
    above: dict[str, list[str]] = {}
    behind: dict[str, str] = {}
    waiting: list[str] = []
    name = ""
    for found in PART.finditer(array):
        said = found.group()
        if said == "\n":
            name = ""
        elif not said.startswith("#"):
            name = said[1:-1]
            above[name], waiting = waiting, []
        elif name:
            behind[name] = f"  {said}"
        else:
            waiting.append(said)
    return {name: said for name, said in above.items() if said}, behind, waiting
