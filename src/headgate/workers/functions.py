"""A Python function as a tool: its schema from its signature and docstring, its arguments checked, its calls bounded in time.

    Function(name, function).spec          what a model is offered
    await Function(…).call(arguments, 30)  its result as text; ToolError says what the model is told instead

A function that is not async runs on a thread of its own, which nothing can stop: one that hangs is left behind, and a function of
which too many were left behind is not called any more. It does not know models.
"""

import asyncio
import inspect
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, get_type_hints

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import Tool

MOST_HANGING = 4
"""Calls of one function that may be left behind at a time."""

LONGEST_ERROR = 500
"""Characters of an exception's text."""

SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Yields|Raises|Examples?|Notes?):\s*$")
ITEM = re.compile(r"^(\s*)\*{0,2}(\w+)(?:\s*\([^)]*\))?\s*:\s*(.*)$")

Schema = dict[str, Any]


class ToolError(Exception):
    """What a model is told in place of a result."""


class Function:
    """A function of the user's.

    Args:
        name: by which models know it.
        function: what is called.

    Raises:
        TypeError: no schema can describe its parameters; the message says which.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.function = function
        self.arguments = arguments_of(function)
        about, parameters = read_docstring(inspect.getdoc(function) or "")
        self.spec = Tool(name, about, Raw(msgspec.json.encode(schema_of(self.arguments, parameters))))
        self.hanging = 0
        """Calls that were left behind and have not ended."""

    async def call(self, arguments: Mapping[str, Any], within: float) -> str:
        """Call it.

        Args:
            arguments: as a model wrote them.
            within: seconds.

        Raises:
            ToolError: the arguments do not fit, it raised, or it took too long.
        """
        try:
            fitting = msgspec.convert(arguments, self.arguments, strict=False)
        except msgspec.ValidationError as error:
            raise ToolError(f"the arguments do not fit: {error}") from error
        values = {name: getattr(fitting, name) for name in self.arguments.__struct_fields__}
        if self.hanging >= MOST_HANGING:
            raise ToolError(f"{self.hanging} earlier calls have not ended, and it is not called any more")
        clock = asyncio.timeout(within)
        try:
            async with clock:
                if inspect.iscoroutinefunction(self.function):
                    result = await self.function(**values)
                else:
                    result = await self.on_a_thread(values)
                    if inspect.isawaitable(result):  # a coroutine in a plain function's clothes
                        result = await result
        except ToolError:
            raise
        except TimeoutError as error:
            if clock.expired():
                raise ToolError(f"it took longer than {within:.3g} s") from error
            raise ToolError(said(error)) from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise ToolError(said(error)) from error  # the function has cancelled itself
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise ToolError(said(error)) from error
        return written(result)

    async def on_a_thread(self, values: dict[str, Any]) -> Any:
        """The function's result from a thread that does not keep the gate from closing."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: Exception | None) -> None:
            if ended.done():  # nobody waited for it any more
                self.hanging -= 1
            elif error is None:
                ended.set_result(result)
            else:
                ended.set_exception(error)

        def work() -> None:
            result: Any = None
            error: Exception | None = None
            try:
                result = self.function(**values)
            except BaseException as raised:  # noqa: BLE001  # whatever it is, it is the tool's and not ours
                error = ToolError(said(raised))
            with suppress(RuntimeError):  # the gate was closed meanwhile
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=work, name=f"headgate-tool-{self.spec.name}", daemon=True).start()
        try:
            return await ended
        finally:
            if ended.cancelled():
                self.hanging += 1


# ── What it takes ────────────────────────────────────────────────────────────────────────────────────────────────────


def arguments_of(function: Callable[..., Any]) -> type[Struct]:
    """The parameters as a type that arguments can be converted to.

    Raises:
        TypeError: a parameter cannot be given by name, or its type is unknown.
    """
    try:
        signature = inspect.signature(function)
        hints = get_type_hints(function, include_extras=True)
    except (NameError, ValueError) as error:
        raise TypeError(str(error)) from error
    fields: list[Any] = []
    for name, parameter in signature.parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{parameter} cannot be given by name")
        hint = hints.get(name, Any)
        if parameter.default is parameter.empty:
            fields.append((name, hint))
        else:
            fields.append((name, hint, fixed(parameter.default)))
    return msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)


def fixed(default: Any) -> Any:
    """A parameter's default as a field's, the same value for every call, as Python has it."""
    if isinstance(default, (list, dict, set, bytearray)):
        return msgspec.field(default_factory=lambda: default)
    return default


def schema_of(arguments: type[Struct], parameters: Mapping[str, str]) -> Schema:
    """The JSON Schema of arguments, with what the docstring says of each.

    Raises:
        TypeError: a type that JSON cannot hold.
    """
    whole = msgspec.json.schema(arguments)
    schema: Schema = inlined(whole, whole.get("$defs", {}), ())
    schema.pop("title", None)
    for name, about in parameters.items():
        field = schema["properties"].get(name)
        if field is not None:
            field.setdefault("description", about)
    return schema


def inlined(node: Any, known: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    """The schema with what it refers to in its place: small models, and some engines, do not follow references.

    Raises:
        TypeError: a type that holds itself.
    """
    if isinstance(node, list):
        return [inlined(item, known, inside) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        name = reference.rpartition("/")[2]
        if name in inside:
            raise TypeError(f"{name} holds itself, and an argument cannot")
        rest = {key: value for key, value in node.items() if key not in ("$ref", "$defs")}
        found: Schema = inlined(known[name], known, (*inside, name)) | rest
        return found
    return {key: inlined(value, known, inside) for key, value in node.items() if key != "$defs"}


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """What a docstring says: of the function, up to its first section, and of each parameter (Google's and Sphinx's form)."""
    about: list[str] = []
    parameters: dict[str, str] = {}
    section, current, indent = "", "", None
    for line in text.splitlines():
        heading = SECTION.match(line)
        if heading is not None:
            section, current, indent = heading[1], "", None
        elif line.lstrip().startswith(":param "):
            names, _, said_of_it = line.lstrip().removeprefix(":param ").partition(":")
            current = names.split()[-1] if names.split() else ""
            parameters[current] = said_of_it.strip()
            section = "sphinx"
        elif section in ("Args", "Arguments", "Parameters"):
            item = ITEM.match(line)
            if item is not None and (indent is None or len(item[1]) <= indent):
                current, indent = item[2], len(item[1])
                parameters[current] = item[3].strip()
            elif line.strip() and current:
                parameters[current] = f"{parameters[current]} {line.strip()}".strip()
        elif not section and not line.lstrip().startswith(":"):
            about.append(line)
    return "\n".join(about).strip(), {name: said for name, said in parameters.items() if said}


# ── What it gives ────────────────────────────────────────────────────────────────────────────────────────────────────


def written(result: Any) -> str:
    """A result as text: as it is, else as JSON.

    Raises:
        ToolError: neither is possible.
    """
    if isinstance(result, str):
        return result
    try:
        return msgspec.json.encode(result, enc_hook=str).decode()
    except Exception as error:
        raise ToolError(f"its result cannot be written as JSON: {said(error)}") from error


def said(error: BaseException) -> str:
    """An exception in a line or a few."""
    text = str(error).strip()
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:LONGEST_ERROR]
