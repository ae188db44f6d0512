"""What goes before texts to embed, by the page or by what is known of the model's family (`core.prefixes`)."""

from headgate.config.misfit import Misfit
from headgate.config.schema import ModelTable
from headgate.core.prefixes import known_prefixes
from headgate.core.types import NO_PREFIXES, Prefixes


def prefixes_of(name: str, table: ModelTable) -> Prefixes:
    """The user's own words before each text to embed, else those that the model's family is known to want."""
    own = table.prefixes
    if table.kind != "embedding":
        if own is not None:
            raise Misfit(
                ("models", name, "prefixes"),
                f'the model "{name}" has prefixes, which are for texts to embed, but it answers',
                'write kind = "embedding", or leave prefixes out',
            )
        return NO_PREFIXES
    return known_prefixes(table.id) if own is None else Prefixes(query=own.query, document=own.document)
