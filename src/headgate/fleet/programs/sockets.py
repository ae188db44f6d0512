"""Who listens at a port of this machine, and at which addresses.

Linux tells it in /proc, macOS through lsof. On Windows it cannot be told, and whose socket it is only of processes that we
may look into.
"""

import ipaddress
import re
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from headgate.fleet.programs.machine import Machine

LISTEN = "0A"


class Listener(Struct, frozen=True):
    """A socket that waits for connections. `pid` is None when its process is not ours to see."""

    address: str
    pid: int | None = None


def listeners(machine: Machine, port: int) -> tuple[Listener, ...] | None:
    """The sockets that listen at this port; None when it cannot be told."""
    if machine.system == "linux":
        return linux(machine, port)
    if machine.system == "darwin":
        return darwin(machine, port)
    return None


def linux(machine: Machine, port: int) -> tuple[Listener, ...] | None:
    """By /proc/net/tcp and /proc/net/tcp6."""
    tables = [machine.read(machine.place(f"/proc/net/{name}")) for name in ("tcp", "tcp6")]
    if tables == [None, None]:
        return None
    found: dict[str, str] = {}
    for table in tables:
        for line in (table or "").splitlines()[1:]:
            fields = line.split()
            address, _, number = fields[1].partition(":")
            if fields[3] == LISTEN and int(number, 16) == port:
                found[fields[9]] = decode(address)
    owners = owners_of(machine, set(found))
    return tuple(Listener(address, owners.get(inode)) for inode, address in found.items())


def decode(address: str) -> str:
    """The kernel's hexadecimal address, words in the machine's order, as people write it; mapped IPv4 as IPv4."""
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    parsed = ipaddress.ip_address(b"".join(words))
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(parsed)


def owners_of(machine: Machine, inodes: set[str]) -> dict[str, int]:
    """Which process has which socket, as far as we may see."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners: dict[str, int] = {}
    for process in machine.place("/proc").glob("[0-9]*"):
        if len(owners) == len(inodes):
            break
        with suppress(OSError):  # it ended meanwhile, or is another user's
            for handle in (process / "fd").iterdir():
                inode = wanted.get(str(Path.readlink(handle)))
                if inode is not None:
                    owners[inode] = int(process.name)
    return owners


def darwin(machine: Machine, port: int) -> tuple[Listener, ...] | None:
    """By lsof, whose fields are one a line: `p` the process, `n` the address."""
    ran = machine.run(["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpn"])
    if ran.code is None:
        return None
    found, pid = [], None
    for line in ran.out.splitlines():
        if line.startswith("p"):
            pid = int(line[1:])
        elif line.startswith("n"):
            host = re.sub(r":\d+$", "", line[1:]).strip("[]")
            found.append(Listener("::" if host == "*" else host, pid))
    return tuple(found)
