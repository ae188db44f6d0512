"""The checks that the page names → functions: built-in ones by name, the user's own from a file or a package.

It does not know what a check looks at (`core.checks`), nor which route runs it.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from headgate.config.misfit import Misfit
from headgate.config.schema import FileTable
from headgate.config.values import meant
from headgate.core.agents import ALWAYS
from headgate.core.checks import CHECKS, Check, adapt
from headgate.core.citing import CHECKS as OF_CITED


def resolve_checks(page: FileTable, folder: Path, agents: Mapping[str, Sequence[Path]]) -> dict[str, Check]:
    """Every check that the page names, as a function: ours by name, the user's by "./file.py:function".

    Args:
        page: the page, with all agents.
        folder: where the paths of the page begin.
        agents: the folders in which each agent's paths begin.
    """
    here = (folder,)
    places: list[tuple[tuple[str | int, ...], str, Sequence[Path]]] = [
        (("quality", "always"), name, here) for name in page.quality.always
    ]
    places += [
        (("quality", "tasks", task), name, here)
        for task, names in page.quality.tasks.items()
        for name in names
    ]
    places += [
        (("routes", index, "checks"), name, here)
        for index, route in enumerate(page.routes)
        for name in route.checks or ()
    ]
    places += [
        (("agents", agent, "checks"), name, agents[agent])
        for agent, table in page.agents.items()
        for name in table.checks or ()
    ]
    found: dict[str, Check] = {name: CHECKS[name] for name in (*ALWAYS, *OF_CITED)}
    for place, name, folders in places:
        if name in found:
            continue
        if name in CHECKS:
            found[name] = CHECKS[name]
        elif ":" in name:
            found[name] = adapt(name, load_function(name, place, folders))
        else:
            raise Misfit(
                place,
                f'there is no check "{name}"',
                meant(name, CHECKS) or f"the checks are: {', '.join(CHECKS)}",
            )
    return found


def load_function(name: str, place: Sequence[str | int], folders: Sequence[Path]) -> Callable[..., Any]:
    """The user's own check, from "./file.py:function" beside the config or from "package.module:function"."""
    function = load_named(name, place, folders, "check")
    if not callable(function):
        where, _, attribute = name.rpartition(":")
        raise Misfit(place, f'"{attribute}" in "{where}" is no function')
    loaded: Callable[..., Any] = function
    return loaded


def load_named(name: str, place: Sequence[str | int], folders: Sequence[Path], what: str) -> Any:
    """What stands under a name in a Python file or module of the user's: "./file.py:name", "package.module:name".

    Args:
        name: the file or module, and the name in it.
        place: where the page says so.
        folders: where files are looked for, the first that has one.
        what: what it should be, for the error.

    Raises:
        Misfit: there is none, or its file does not run.
    """
    where, _, attribute = name.rpartition(":")
    paths = [(folder / where).resolve() for folder in folders]
    path = next((path for path in paths if path.is_file()), paths[0])
    if where.endswith(".py") and not path.is_file():
        raise Misfit(place, f"there is no file {path}", "the path is relative to the file that names it")
    try:
        module = load_file(path) if where.endswith(".py") else importlib.import_module(where)
    except Exception as error:
        raise Misfit(
            place,
            f'the {what} "{name}" cannot be loaded: {error}',
            "python must be able to run the file by itself",
        ) from error
    if not hasattr(module, attribute):
        known = "function" if what == "check" else what
        raise Misfit(place, f'"{where}" has no {known} "{attribute}"', meant(attribute, vars(module)))
    return getattr(module, attribute)


def load_file(path: Path) -> ModuleType:
    """Run a Python file as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"headgate_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
