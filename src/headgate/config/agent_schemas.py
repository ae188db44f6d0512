"""The form of an agent's answers: a table, a JSON file or a Python class → one JSON Schema, in plain words.

Plain: parts that are only named (`$ref`) stand where they are named, so that a model can be shown the whole. What a schema is for is
not known here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from headgate.config.checks import load_named
from headgate.config.misfit import Misfit
from headgate.core.checks.schemas import compiled

Schema = dict[str, Any]
Place = Sequence[str | int]


def schema_from(
    place: Place, given: Schema | str, folders: Sequence[Path], *, trusted: bool = False
) -> Schema:
    """The schema that a table, a path or a class describes.

    Args:
        place: where it is said in the page.
        given: what is said.
        folders: where files are looked for, the first that has one.
        trusted: it is known to be a schema.

    Raises:
        Misfit: there is no such file or class, or no schema in it.
    """
    value: Any = given
    if isinstance(given, str):
        is_class = ":" in given and not given.endswith(".json")
        value = schema_of_class(place, given, folders) if is_class else schema_in_file(place, given, folders)
    if not isinstance(value, dict):
        raise Misfit(
            place, f"a schema is a table, not {value!r:.40}", 'write type = "object" and its properties'
        )
    if not trusted:
        prove(place, value, "the schema" if value is given else f"the schema {given}")
    schema: Schema = plain(value, value.get("$defs", {}), ())
    if b'"#/$defs/' in msgspec.json.encode(schema):
        schema["$defs"] = value["$defs"]
    return schema


def schema_in_file(place: Place, given: str, folders: Sequence[Path]) -> Any:
    """What stands in a JSON file."""
    path = find_file(place, given, folders)
    try:
        return msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise Misfit(place, f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Misfit(place, f"{path} is not JSON: {error}") from error


def find_file(place: Place, given: str, folders: Sequence[Path]) -> Path:
    """The file of that name in the first folder that has it."""
    for folder in folders:
        path = folder / Path(given).expanduser()
        if path.is_file():
            return path
    where = " and ".join(dict.fromkeys(str(folder) for folder in folders))
    raise Misfit(
        place, f"there is no file {given} in {where}", "the path is relative to the file that names it"
    )


def schema_of_class(place: Place, given: str, folders: Sequence[Path]) -> Any:
    """The schema of a Pydantic model, a msgspec Struct or a dataclass, which is imported only because it is named."""
    found = load_named(given, place, folders, "class")
    if not isinstance(found, type):
        raise Misfit(place, f"{given} is no class", "name a Pydantic model, a msgspec Struct or a dataclass")
    make = getattr(found, "model_json_schema", None)
    try:
        return make() if callable(make) else msgspec.json.schema(found)
    except Exception as error:
        raise Misfit(
            place,
            f"{given} has no JSON Schema: {str(error).partition(chr(10))[0][:160]}",
            "name a Pydantic model, a msgspec Struct or a dataclass whose fields JSON can hold",
        ) from error


def prove(place: Place, value: Schema, called: str) -> None:
    """Let a validator be made of it. Nothing that it points to is fetched.

    Raises:
        Misfit: it is none.
    """
    validator = compiled(bytes(raw(value)))
    if isinstance(validator, str):
        raise Misfit(place, f"{called} cannot be used: {validator}", "see json-schema.org for its words")


def plain(schema: Any, named: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    """The schema with every local `$ref` replaced by what it names, but those that go round in circles.

    "A thing or null" is said in one `type` where that is the same.
    """
    if isinstance(schema, list):
        return [plain(one, named, within) for one in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name in named and name not in within:
        inner = plain(named[name], named, (*within, name))
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**inner, **plain(rest, named, within)} if isinstance(inner, dict) else inner
    return or_null({key: plain(value, named, within) for key, value in schema.items() if key != "$defs"})


def or_null(schema: Schema) -> Schema:
    """`anyOf` a simple type and null, as one `type`."""
    options = schema.get("anyOf")
    if not (isinstance(options, list) and len(options) == 2 and {"type": "null"} in options):
        return schema
    thing = next(one for one in options if one != {"type": "null"})
    if (
        not isinstance(thing, dict)
        or not isinstance(thing.get("type"), str)
        or thing.keys() & {"enum", "const"}
    ):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**thing, **rest, "type": [thing["type"], "null"]}


def without(schema: Schema, field: str) -> Schema:
    """The schema of an object without one of its fields."""
    asked = dict(schema)
    asked["properties"] = {name: inner for name, inner in schema["properties"].items() if name != field}
    if "required" in schema:
        asked["required"] = [name for name in schema["required"] if name != field]
    return asked


def raw(schema: Schema) -> Raw:
    """As bytes."""
    return Raw(msgspec.json.encode(schema))
