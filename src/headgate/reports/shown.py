"""How names and figures look in every face of a report.

Unknown is written as such, never as zero, and a small cost is never rounded to nothing. All texts are ASCII where the
names are, so that a report reads the same in any terminal and any mail.
"""

from collections.abc import Sequence
from typing import Final

from headgate.core.types import Model

UNKNOWN: Final = "unknown"

_ENGINES: Final = {"ollama": "Ollama", "lmstudio": "LM Studio", "llamacpp": "llama.cpp"}


SMALL_SUM = 10.0
"""Dollars below which four decimals are shown."""


def short_name(model: Model) -> str:
    """The model's name without its tag: "qwen2.5-coder" for "qwen2.5-coder:7b"."""
    return model.display or model.id.rpartition("/")[2].partition(":")[0]


def engine_name(model: Model) -> str:
    """Where the model runs: "Ollama", "LM Studio", the user's name for another engine of his own, or "API"."""
    return _ENGINES.get(model.engine_kind, model.engine) if model.local else "API"


def full_name(model: Model | None, name: str) -> str:
    """The model's name, engine and label: "claude-sonnet-5-5 (API) [stand-in]".

    Args:
        model: the model as it was described; None when nobody described it.
        name: its name in the config, shown when there is nothing else.
    """
    if model is None:
        return name
    label = f" [{model.label}]" if model.label else ""
    return f"{short_name(model)} ({engine_name(model)}){label}"


def labelled(name: str, model: Model | None) -> str:
    """The model's name in the config, with its label: "claude [stand-in]"."""
    return f"{name} [{model.label}]" if model is not None and model.label else name


def baseline_name(model: Model | None, name: str) -> str:
    """The baseline as people write it: "GPT-4o"."""
    short = name if model is None else short_name(model)
    return f"GPT-{short[4:]}" if short.startswith("gpt-") else short


def dollars(amount: float | None) -> str:
    """Money: "$1,219.04"; under ten dollars "$0.1734", so that small figures still add up for whoever checks them."""
    if amount is None:
        return UNKNOWN
    sign = "-" if amount < 0 else ""
    size = abs(amount)
    if not size:
        return "$0.00"
    if size < 0.00005:
        return f"{sign}<$0.0001"
    fine = f"{size:,.4f}"
    return sign + "$" + (fine if size < SMALL_SUM and not fine.endswith("00") else f"{size:,.2f}")


def dollars_at_least(amount: float, unknown: int, known: int) -> str:
    """A sum of which `unknown` parts are missing: "unknown" when nothing is known, else ">= $1.20"."""
    if not unknown:
        return dollars(amount)
    return f">= {dollars(amount)}" if known else UNKNOWN


def fine_dollars(amount: float | None) -> str:
    """The money of a single request: "$0.012345", six decimals at most and two at least."""
    if amount is None:
        return UNKNOWN
    digits = f"{abs(amount):,.6f}"
    whole, _, cents = digits.partition(".")
    cents = cents[:2] + cents[2:].rstrip("0")
    if amount and not float(digits.replace(",", "")):
        return f"{'-' if amount < 0 else ''}<$0.000001"
    return f"{'-' if amount < 0 else ''}${whole}.{cents}"


def nano_dollars(amount: float) -> str:
    """Money far below a cent, as the ledger keeps it: "$0.000000412"; from a thousandth of a dollar on as `fine_dollars`."""
    if abs(amount) >= 0.001 or not amount:
        return fine_dollars(amount)
    return f"{'-' if amount < 0 else ''}${abs(amount):.9f}"


def dollars_alike(amounts: Sequence[float | None]) -> list[str]:
    """The money of a single request, to be added up by whoever reads it: each with as many decimals, two or six."""
    known = [amount for amount in amounts if amount is not None]
    places = 2 if all(round(amount, 6) == round(amount, 2) for amount in known) else 6
    return [
        fine_dollars(amount)
        if amount is None or (amount and not round(amount, 6))
        else f"{'-' if amount < 0 else ''}${abs(amount):,.{places}f}"
        for amount in amounts
    ]


def milliseconds(seconds: float | None) -> str:
    """A duration: "320ms", from ten seconds on "12.3s"."""
    if seconds is None:
        return UNKNOWN
    return f"{seconds:,.1f}s" if seconds >= 10 else f"{seconds * 1000:,.0f}ms"


def per_second(figure: float | None, one: str = "") -> str:
    """A speed: "98/s", "4.2 tokens/s"."""
    if figure is None:
        return UNKNOWN
    return f"{figure:,.{0 if figure >= 10 else 1}f}{f' {one}s' if one else ''}/s"


def percent(share: float | None) -> str:
    """A share: "26.9%"."""
    return UNKNOWN if share is None else f"{share * 100:.1f}%"


def count(number: int, one: str, many: str = "") -> str:
    """A number and its noun: "1 request", "2,534 requests"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def fallback_reason(reason: str, limit: int | None) -> str:
    """A fallback's reason as a line of the report: "Token count > 4000"."""
    said = reason[:1].upper() + reason[1:]
    return f"{said} > {limit}" if reason == "token count" and limit is not None else said


def columns(rows: Sequence[Sequence[str]], sides: str, gap: str = " | ") -> list[str]:
    """Rows as lines, their cells padded to equal widths and set apart by `gap`.

    Args:
        rows: cells, the same number in each.
        sides: for each column "<" or ">": its cells stand to the left or to the right.
        gap: what stands between two cells.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        gap.join(
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def task_name(task: str | None) -> str:
    """A task as people read it."""
    return task or "no evidence"
