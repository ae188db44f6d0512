"""How to repair what is wrong with an engine or a model: the one place that knows the command.

A repair is a line for a shell, with a comment behind # where one helps, or else an edit in words.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.config.engine import EngineSettings
    from headgate.core.types import Model

SERVES = "start that server, or correct its url in headgate.toml"


def bring_up(settings: "EngineSettings") -> str:
    """How an engine that does not answer gets to; "" when that depends on its models."""
    from headgate.cli.engines_service import KINDS, is_here
    from headgate.engines.llamacpp.readiness import check

    if settings.kind in KINDS:
        if is_here(settings):
            return f"headgate engines start {settings.name}"
        return f"headgate engines start {settings.kind}  # on that machine"
    if settings.kind == "llamacpp" and settings.url is None:
        error = check()
        return error.hint if error else ""
    return SERVES if settings.local else "look at the network and the provider's status page"


def fetch(model: "Model") -> str:
    """How a model that its engine lacks gets there."""
    if model.local and model.engine_kind in ("ollama", "lmstudio", "llamacpp"):
        return f"headgate models pull {model.lane_of or model.name}"
    return f'correct id = "{model.id}" under [models.{model.lane_of or model.name}]'


def restart(name: str, started_by: str | None) -> str:
    """How an engine of this machine gets the settings that the config wants, whoever keeps it."""
    start = f"headgate engines start {name}"
    match started_by:
        case "hand":
            return f"headgate engines stop {name} --foreign && {start}"
        case "container":
            return f"{start} --plan  # shows the variables to start its container with"
        case _:
            return start
