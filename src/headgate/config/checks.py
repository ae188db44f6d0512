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
from headgate.core.checks import CHECKS, Check, adapt


def resolve_checks(page: FileTable, source: Path | None) -> Mapping[str, Check]:
    """Every check that the page names, as a function: ours by name, the user's by "./file.py:function"."""
    places: list[tuple[tuple[str | int, ...], str]] = [
        (("quality", "always"), name) for name in page.quality.always
    ]
    places += [
        (("quality", "tasks", task), name) for task, names in page.quality.tasks.items() for name in names
    ]
    places += [
        (("routes", index, "checks"), name)
        for index, route in enumerate(page.routes)
        for name in route.checks or ()
    ]
    found: dict[str, Check] = {}
    for place, name in places:
        if name in found:
            continue
        if name in CHECKS:
            found[name] = CHECKS[name]
        elif ":" in name:
            found[name] = adapt(name, load_function(name, place, source))
        else:
            raise Misfit(
                place,
                f'there is no check "{name}"',
                meant(name, CHECKS) or f"the checks are: {', '.join(CHECKS)}",
            )
    return found


def load_function(name: str, place: Sequence[str | int], source: Path | None) -> Callable[..., Any]:
    """The user's own function, from "./file.py:function" beside the config or from "package.module:function"."""
    where, _, attribute = name.rpartition(":")
    path = ((source.parent if source else Path.cwd()) / where).resolve()
    if where.endswith(".py") and not path.is_file():
        raise Misfit(place, f"there is no file {path}", "the path is relative to the config file")
    try:
        module = load_file(path) if where.endswith(".py") else importlib.import_module(where)
    except Exception as error:
        raise Misfit(
            place,
            f'the check "{name}" cannot be loaded: {error}',
            "python must be able to run the file by itself",
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise Misfit(place, f'"{where}" has no function "{attribute}"', meant(attribute, vars(module)))
    loaded: Callable[..., Any] = function
    return loaded


def load_file(path: Path) -> ModuleType:
    """Run a Python file as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"headgate_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
