"""[agents.NAME] → an `Agent`: what is wrong with it is said here, before anybody asks it.

It does not know how an agent is put on a request (`core.agents`).
"""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from headgate.config.misfit import Misfit
from headgate.config.schema import AgentTable
from headgate.core.types import Agent


def agent_from(name: str, table: AgentTable, source: Path | None) -> Agent:
    """The agent that a table describes.

    Raises:
        Misfit: something does not fit together.
    """
    place = ("agents", name)
    if not table.system.strip():
        raise Misfit((*place, "system"), f"the agent {name} is told nothing", "say in `system` what it does")
    if table.labels and table.schema is not None:
        raise Misfit((*place, "schema"), f"the agent {name} has labels and a schema", "keep one of them")
    if len(set(table.labels)) != len(table.labels):
        raise Misfit((*place, "labels"), f"the agent {name} has a label twice", "write each label once")
    if table.max_tokens is not None and table.max_tokens < 1:
        raise Misfit((*place, "max_tokens"), f"max_tokens is {table.max_tokens}, but must be at least 1")
    schema = schema_from(name, table.schema, source)
    return Agent(
        name=name,
        system=table.system,
        task=table.task,
        labels=tuple(table.labels),
        schema=schema,
        asked=schema,
        temperature=table.temperature,
        max_tokens=table.max_tokens,
    )


def schema_from(name: str, given: dict[str, Any] | str | None, source: Path | None) -> Raw | None:
    """The JSON Schema as bytes, from a table or a file beside the config.

    Raises:
        Misfit: there is no such file, or no schema in it.
    """
    if given is None:
        return None
    place = ("agents", name, "schema")
    value: Any = given
    if isinstance(given, str):
        path = (source.parent if source is not None else Path()) / given
        try:
            value = msgspec.json.decode(path.read_bytes())
        except OSError as error:
            raise Misfit(place, f"{path} cannot be read: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Misfit(place, f"{path} is not JSON: {error}") from error
    import jsonschema_rs  # noqa: PLC0415  # 15 MB that only a schema needs

    try:
        jsonschema_rs.validator_for(value)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0][:120]
        raise Misfit(place, f"the schema of agent {name} cannot be used: {reason}") from error
    return Raw(msgspec.json.encode(value))
