"""Small values of the page, checked: addresses, durations, numbers in their range, and the word that was meant."""

import math
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from ipaddress import ip_address

from headgate.config.misfit import Misfit
from headgate.core.schedule import Schedule, read_schedule

MOST = 1_000_000_000
"""Of whatever is counted or paid: more is a slip, and sums of it would not fit into the ledger."""
MOST_AT_ONCE = 10_000
"""Requests, or threads, at once."""
LONGEST = 36_500 * 86_400.0
"""Seconds: a century."""
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def address(listen: str) -> tuple[str, int]:
    """Read "127.0.0.1:4141" → host and port."""
    host, colon, port = listen.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise Misfit(
            ("server", "listen"), f'"{listen}" is not a host and a port', 'write listen = "127.0.0.1:4141"'
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def seconds(place: Sequence[str | int], text: str, *, nothing: bool = False) -> float:
    """Read "250ms" → 0.25; "0s" only where `nothing` has a meaning."""
    found = DURATION.fullmatch(text.strip())
    if found is None:
        raise Misfit(place, f'"{text}" is not a duration', 'write "250ms", "30s", "2m", "1h" or "7d"')
    if float(found[1]) == 0 and not nothing:
        raise Misfit(place, f"{place[-1]} is {text}, but must be longer than nothing")
    length = float(found[1]) * UNITS[found[2]]
    if length > LONGEST:
        raise Misfit(place, f"{place[-1]} is {text}, but must be at most 36500d")
    return length


def optional_seconds(place: Sequence[str | int], text: str | None) -> float | None:
    """The same; None stays None."""
    return None if text is None else seconds(place, text)


def time_kept(place: Sequence[str | int], text: str | None) -> float | None:
    """Read "400d" → seconds; None is for ever, which is said so or not at all."""
    if text is None or text.strip() == "forever":
        return None
    kept = seconds(place, text)
    if kept < UNITS["d"]:
        raise Misfit(place, f"{place[-1]} is {text}, but must be at least a day", 'write "400d" or "forever"')
    return kept


def positive(place: Sequence[str | int], number: int, most: int = MOST) -> int:
    """The number, if it is at least 1 and at most `most`."""
    if number < 1:
        raise Misfit(place, f"{place[-1]} is {number}, but must be at least 1")
    if number > most:
        raise Misfit(place, f"{place[-1]} is {number}, but must be at most {most:,}")
    return number


def gibibytes(place: Sequence[str | int], number: float | None) -> int | None:
    """GiB → bytes."""
    if number is not None and not 0 < number < 100_000:
        raise Misfit(place, f"{place[-1]} is {number:g}, but must be more than nothing", "write vram_gb = 24")
    return None if number is None else int(number * 2**30)


def not_negative(place: Sequence[str | int], number: float | None) -> float | None:
    """The number, if it is not below 0, and no more than can be."""
    if number is not None and not 0 <= number < math.inf:
        raise Misfit(place, f"{place[-1]} is {number}, but cannot be negative or without end")
    if number is not None and number > MOST:
        raise Misfit(place, f"{place[-1]} is {number:g}, but must be at most {MOST:,}")
    return number


def share(place: Sequence[str | int], number: float) -> float:
    """The number, if it is within 0–1."""
    if not 0 <= number <= 1:
        raise Misfit(place, f"{place[-1]} is {number}, but must be between 0 and 1")
    return number


def log_probability(place: Sequence[str | int], number: float) -> float:
    """The number, if it can be the logarithm of a probability."""
    if not number <= 0:
        raise Misfit(
            place,
            f"{place[-1]} is {number:g}, but a log-probability is at most 0",
            "0 is certainty; -0.05 is sure, -1 is not",
        )
    return number


def schedule(place: Sequence[str | int], text: str) -> Schedule:
    """Read "mon 08:00"."""
    found = read_schedule(text)
    if found is None:
        raise Misfit(place, f'"{text}" is no moment of the week', f'write {place[-1]} = "mon 08:00"')
    return found


def meant(word: str, known: Iterable[str]) -> str:
    """A hint with the word that was probably meant, or ""."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""
