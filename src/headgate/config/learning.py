"""[learn]: what a router that has learned from the ledger may do."""

from typing import Literal

from msgspec import Struct

from headgate.config.values import share
from headgate.core.expecting import Learning


class LearnTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[learn]: of the router that `headgate learn --use N` has turned on."""

    use: bool = True
    """Whether it is asked; without it, no router is, whichever is turned on."""
    may: Literal["skip", "bring home"] = "skip"
    """Pass by models at home that will hardly do; or also ask one first that it trusts, where the rules would pay."""
    skip_below: float = 0.1
    """The chance of an acceptable answer below which a model at home is passed by; 0 is never."""
    floor: float = 0.95
    """The share of requests brought home that has to be good, before a model is trusted with any."""


def learning_from(table: LearnTable) -> Learning:
    """The table with its meaning.

    Raises:
        Misfit: a share is none.
    """
    return Learning(
        use=table.use,
        skip_below=share(("learn", "skip_below"), table.skip_below),
        brings_home=table.may == "bring home",
        floor=share(("learn", "floor"), table.floor),
    )
