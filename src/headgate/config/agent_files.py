"""Where agents are described: the page itself, files agents/NAME.toml beside it, and those that are built in.

A table of the page and a file of the same name are a mistake; either of them wins over a built-in agent of that name. It does not
know what a table means (`agents`).
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from msgspec import Struct

from headgate.core.errors import ConfigError

FOLDER = "agents"
"""Beside the config."""


class AgentPage(Struct, frozen=True, kw_only=True):
    """A file that describes one agent."""

    name: str
    document: dict[str, Any]
    text: str = ""
    file: Path | None = None
    """None for a built-in one."""


class Origin(Struct, frozen=True, kw_only=True):
    """Where an agent is described."""

    file: Path | None
    """None for built-in ones and for the starter page."""
    folders: tuple[Path, ...]
    """Where the paths that it names begin: beside its file, else beside the config."""
    builtin: bool = False
    text: str = ""
    """Of its file, for the lines of its examples and tests."""
    depth: int = 0
    """How much of a place, ("agents", NAME, key …), its file leaves out."""


def read_toml(text: str, name: str) -> dict[str, Any]:
    """A text as TOML.

    Raises:
        ConfigError: with the name and the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        place = f", line {where[1] if where else text.count(chr(10)) or 1}"  # else it ends too early
        what = str(error).split(" (at ")[0]
        raise ConfigError(
            f"{name}{place}: {what[:1].lower()}{what[1:]}", "texts need quotes, and lists need commas"
        ) from error


def read_text(path: Path) -> str:
    """The file's text.

    Raises:
        ConfigError: it cannot be read as UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start})", "save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def find_pages(source: Path | None, named: Mapping[str, Any]) -> dict[str, AgentPage]:
    """The agents that have files of their own, by name: built-in ones, then the user's.

    Args:
        source: the config; its folder is looked in.
        named: the agents that the config itself describes.

    Raises:
        ConfigError: a file cannot be read, or describes an agent that the config describes too.
    """
    pages = {name: page for name, page in builtin_pages().items() if name not in named}
    folder = source.parent / FOLDER if source is not None else None
    for file in (
        sorted(folder.glob("[!.]*.toml")) if folder is not None else ()
    ):  # hidden ones are editors' own
        if file.stem in named:
            raise ConfigError(
                f"two agents are called {file.stem}: {file} and [agents.{file.stem}] in {source}",
                "keep one of them, or give one another name",
            )
        text = read_text(file)
        pages[file.stem] = AgentPage(
            name=file.stem, document=read_toml(text, str(file)), text=text, file=file
        )
    return pages


@cache
def builtin_pages() -> Mapping[str, AgentPage]:
    """The agents that are always there."""
    folder = resources.files("headgate.config").joinpath("builtin")
    return {
        name: AgentPage(name=name, document=tomllib.loads(file.read_text(encoding="utf-8")))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if (name := file.name.removesuffix(".toml")) != file.name
    }
