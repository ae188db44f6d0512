"""[tune]: the quality that tuning keeps."""

from msgspec import Struct

from headgate.config.values import share


class TuneTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[tune]: what `headgate tune` may propose."""

    floor: float = 0.98
    """The least quality, 0-1: how many answers have to be as good as the paid model's would have been, 95 % sure."""


def tuning_from(table: TuneTable) -> TuneTable:
    """The table, if it fits together.

    Raises:
        Misfit: the floor is not within 0-1.
    """
    share(("tune", "floor"), table.floor)
    return table
