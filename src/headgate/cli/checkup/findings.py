"""What a check found, as a value; pure."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

State = Literal["ok", "warn", "FAIL"]
"""Nothing to do; the gate works, but somebody should look; or something does not work as the config says."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was checked: what was found, what is required, and the exact command or edit that repairs it."""

    check: str
    """Which check, a word of `kinds`."""
    about: str = ""
    """The engine or model that it is about."""
    state: State
    found: str
    required: str = ""
    """Empty where nothing is to be done, like `fix`."""
    fix: str = ""
    seconds: float = 0.0
    """How long it took to find out."""

    @property
    def name(self) -> str:
        """What people call it: "engine ollama"."""
        return f"{self.check} {self.about}".rstrip()


def passed(check: str, found: str, *, about: str = "") -> Finding:
    """Nothing is to be done."""
    return Finding(check=check, about=about, state="ok", found=found)


def warned(check: str, found: str, required: str, fix: str, *, about: str = "") -> Finding:
    """The gate works, but somebody should look."""
    return Finding(check=check, about=about, state="warn", found=found, required=required, fix=fix)


def failed(check: str, found: str, required: str, fix: str, *, about: str = "") -> Finding:
    """Something does not work as the config says."""
    return Finding(check=check, about=about, state="FAIL", found=found, required=required, fix=fix)


def all_well(findings: Iterable[Finding], *, strict: bool) -> bool:
    """Whether nothing fails; with `strict`, whether nothing warns either."""
    return all(one.state == "ok" or (one.state == "warn" and not strict) for one in findings)


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
