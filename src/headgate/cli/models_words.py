"""How sizes, spans and moments look in `headgate models`.

Sizes are decimal, as disks and downloads are sold. Memory is not: that is `core.hardware.memory_words`.
"""

UNKNOWN = "?"
FOR_GOOD = 3650 * 86_400.0
"""Seconds ahead from which a moment means "never": Ollama says the year 2319."""


def size(count: float | None) -> str:
    """Bytes: "4.9 GB", "274 MB"."""
    if count is None:
        return UNKNOWN
    for unit, worth in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= worth:
            figure = count / worth
            return f"{figure:,.0f} {unit}" if figure >= 100 or unit == "kB" else f"{figure:.1f} {unit}"
    return f"{count:.0f} B"


def span(seconds: float | None) -> str:
    """A duration: "0.31 s", "4.2 s", "42 s", "1 min 12 s", "2 h 5 min"."""
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def tokens(count: int | None) -> str:
    """A window: "8,192"."""
    return UNKNOWN if count is None else f"{count:,}"


def share(part: int | None, whole: int | None) -> str:
    """How much of the memory is on a GPU: "100%"."""
    return UNKNOWN if part is None or not whole else f"{part / whole:.0%}"


def until(moment: float | None, now: float) -> str:
    """When a model leaves by itself: "in 4 min 12 s", "stays"."""
    if moment is None:
        return UNKNOWN
    return "stays" if moment - now > FOR_GOOD else f"in {span(max(moment - now, 0.0))}"
