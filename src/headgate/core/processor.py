"""What the text of /proc/cpuinfo says of a processor. It does not read the file; who asks does."""

import re

NEEDED = ("avx2", "fma", "f16c")
"""What llama.cpp's ready-made x86 builds are compiled for, in /proc/cpuinfo's words."""


def features_in(cpuinfo: str) -> frozenset[str] | None:
    """The features of the first processor; None when the text lists none."""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    return frozenset(found[1].split()) if found else None


def cores_in(cpuinfo: str) -> int:
    """Distinct cores; 0 when the text does not say."""
    sockets = re.findall(r"^physical id\s*:\s*(\d+)", cpuinfo, re.MULTILINE)
    cores = re.findall(r"^core id\s*:\s*(\d+)", cpuinfo, re.MULTILINE)
    return len(set(zip(sockets, cores, strict=False)))


def name_in(cpuinfo: str) -> str:
    """What the processor is called; "" when the text does not say."""
    found = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else ""
