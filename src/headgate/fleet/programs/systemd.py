"""A unit of systemd, the machine's or the user's, as `systemctl show` tells of it.

It never asks for a password and never edits a unit, it only names the drop-in that is ours. It does not know what is in it.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from headgate.fleet.programs.machine import Machine

FACTS = (
    "LoadState",
    "ActiveState",
    "FragmentPath",
    "MainPID",
    "Environment",
    "EnvironmentFiles",
    "DropInPaths",
)
FILE = "headgate.conf"

NOT_OURS = ("usr", "lib", "nix", "run")
"""Units below these are a package's or made anew at each boot: a drop-in beside them would not last."""


class Unit(Struct, frozen=True, kw_only=True):
    """A service, as systemd has it now."""

    name: str
    user: bool
    """The user's own instance of systemd runs it."""
    active: bool
    fragment: str
    """The file that defines it."""
    pid: int | None = None
    environment: Mapping[str, str] = {}
    """What it is started with, all drop-ins counted."""
    more: bool = False
    """It also reads files of variables, which systemd does not show."""
    drop_ins: tuple[str, ...] = ()

    def order(self, *words: str) -> tuple[str, ...]:
        """The command for this instance of systemd. It must never wait for a password."""
        return ("systemctl", *(("--user",) if self.user else ()), "--no-ask-password", *words)

    def ours(self, machine: Machine) -> Path:
        """Where our drop-in belongs: beside the unit, or where administrators' files lie."""
        folder = Path(self.fragment).parent
        if self.fragment.lstrip("/").partition("/")[0] in NOT_OURS:
            given = machine.env.get("XDG_CONFIG_HOME")
            config = Path(given) if given else machine.home / ".config"
            folder = config / "systemd/user" if self.user else machine.place("/etc/systemd/system")
        return folder / f"{self.name}.d" / FILE


def find_unit(machine: Machine, name: str = "ollama.service") -> Unit | None:
    """The unit of that name: the machine's first, then the user's."""
    if machine.system != "linux" or machine.which("systemctl") is None:
        return None
    for user in (False, True):
        scope = ["--user"] if user else []
        ran = machine.run(["systemctl", *scope, "show", name, f"--property={','.join(FACTS)}"])
        facts = dict(line.split("=", 1) for line in ran.out.splitlines() if "=" in line)
        if ran.code == 0 and facts.get("LoadState") == "loaded" and facts.get("FragmentPath"):
            pid = facts.get("MainPID", "0")
            return Unit(
                name=name,
                user=user,
                active=facts.get("ActiveState") in ("active", "activating", "reloading"),
                fragment=facts["FragmentPath"],
                pid=int(pid) if pid.isdecimal() and pid != "0" else None,
                environment=variables(facts.get("Environment", "")),
                more=bool(facts.get("EnvironmentFiles")),
                drop_ins=tuple(facts.get("DropInPaths", "").split()),
            )
    return None


def variables(text: str) -> dict[str, str]:
    """Systemd's `A=1 "B=two words"`."""
    try:
        words = shlex.split(text)
    except ValueError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)
