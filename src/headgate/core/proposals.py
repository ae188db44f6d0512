"""What tuning says: other settings and what is expected of them, or why none are proposed and what would help.

Nothing is searched or judged here (`tuning`).
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from headgate.core.past import Unused
from headgate.core.settings import Setting
from headgate.core.sums import Effect


class Need(Struct, frozen=True):
    """What is missing: "12 more audits of fallbacks"."""

    what: Literal["requests", "audits of fallbacks", "audits of local answers", "labels"]
    many: int
    routes: tuple[str, ...] = ()
    """Of these routes; () is all."""


class Labels(Struct, frozen=True):
    """What people and callers said of answers, where at least two of them spoke of the same one."""

    twice: int = 0
    """Requests that were labelled more than once."""
    contradicting: int = 0
    """Of these: once as good and once as not."""
    of_judges: int = 0
    """Labelled requests of which a judge has said something, too: these tell how it errs."""


NO_LABELS = Labels()


class Proposal(Struct, frozen=True, kw_only=True):
    """Other settings, and what is expected of them."""

    aim: Literal["cheaper", "safer"]
    broken: bool = False
    """Whether the floor is surely broken by the settings in force; if not, a safer proposal is made where that is likelier than not."""
    settings: tuple[Setting, ...]
    before: tuple[Setting, ...]
    """The same lines as they are."""
    floor: float
    now: Effect
    """What the settings in force come to, as the judging part says."""
    found: Effect
    judged: Effect
    """On the part that did not help to find it: this is what is promised."""
    needs: tuple[Need, ...] = ()
    """What would be needed to go one step further."""


class Refusal(Struct, frozen=True, kw_only=True):
    """Why nothing is proposed."""

    reason: Literal[
        "too few requests",
        "decisions not told",
        "no audits",
        "no audit tells",
        "too few audits",
        "one class",
        "labels contradict",
        "model vanished",
        "price unknown",
        "floor not sure",
        "nothing better",
    ]
    why: str
    """A sentence for people."""
    models: tuple[str, ...] = ()
    """In the config, and without a known price."""
    needs: tuple[Need, ...] = ()
    unused: Mapping[Unused, int] = {}
    """Where audits are missing: those that there are, and why they do not tell how good other answers are."""
    now: Effect | None = None
    """What the settings in force come to, where that can be told."""


def count(requests: int) -> str:
    """So many requests, in words."""
    return f"{requests:,} request{'' if requests == 1 else 's'}"


def shown(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.1f} %"
