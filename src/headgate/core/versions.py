"""Which version of a model lies under its name: its files, known by their digest. Another version is another model.

Engines let people pull a model anew under the same name. What was learned of the one before, or found of its answers, then says nothing
of this one; so only what came since counts. Where an engine tells no digest, nobody can see a change. This module does not know who
looks, nor where versions are kept.
"""

from collections.abc import Mapping

from msgspec import Struct

from headgate.core.types import Model


class Version(Struct, frozen=True):
    """What lies under a name now, as far as anybody has seen."""

    digest: str
    since: float | None = None
    """Unix time since which it does; None: nobody has seen another one."""


Versions = Mapping[tuple[str, str], Version]
"""By engine and id."""


def since_when(models: Mapping[str, Model], versions: Versions) -> dict[str, float]:
    """By name, the Unix time since which each of these models is the one that it is; those that nobody has seen change are missing."""
    return {
        name: version.since
        for name, model in models.items()
        if (version := versions.get((model.engine, model.id))) is not None and version.since is not None
    }


def digest_of(model: Model, versions: Versions) -> str:
    """Of a model's files; "" where nobody has seen it."""
    version = versions.get((model.engine, model.id))
    return "" if version is None else version.digest


def is_other(digest: str, model: Model, versions: Versions) -> bool:
    """Whether another version lies under this model's name now than one that was known then by this digest.

    Args:
        digest: what `digest_of` said then. "" is that nobody had seen one yet: every change came after that.
        model: as the config has it now.
        versions: what lies under each name now.
    """
    version = versions.get((model.engine, model.id))
    if version is None:
        return False
    return digest != version.digest if digest else version.since is not None
