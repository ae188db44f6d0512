"""Does it pay to let the gate own the queue? The tables of docs/scheduling.md, from one command; no GPU is needed.

    python benchmarks/scheduler.py               ten days of each kind, about five minutes; --workers 4 divides that
    python benchmarks/scheduler.py --quick       two of each
    python benchmarks/scheduler.py --write       … and put the tables into docs/scheduling.md
    python benchmarks/scheduler.py --cards FILE  with what was measured: headgate models bench GENERAL CODE SORTING --json

A simulation on a clock that jumps from event to event: twenty people, one card, three models of which two fit. The same asks,
by the same seeds, under Headgate's own scheduler (the code that runs in the gate), under Ollama alone, and under one queue in the
order of arrival with Ollama's eviction; and under Headgate's with routes that name a second model which does some of the work as
well. What a model costs, and what it does how well, comes from capability cards; those that ship (`beside/cards_24gb.json`) are
typical for a 24 GB card and were not measured.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from beside.days import ROLES, compare
from beside.days_shown import render
from beside.virtual_gpu import Costs, costs_of, read_cards

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/scheduling.md"
CARDS = ROOT / "benchmarks/beside/cards_24gb.json"
BEGIN, END = "<!-- scheduling: written by benchmarks/scheduler.py -->", "<!-- end of scheduling -->"

MEMORY = 22.0
"""GiB of a 24 GB card that models may take."""


def main() -> None:
    given = options()
    try:
        models = models_of(given.cards)
    except (OSError, ValueError) as error:
        sys.exit(
            f"error: {given.cards} cannot be used: {error}\n"
            "hint: headgate models bench GENERAL CODE SORTING --json > FILE"
        )
    memory = int(given.memory * 2**30) if given.memory else room_for_two(models)
    shown = render(*compare(models, memory, given.days, given.workers), models, memory, said_of(given))
    print(shown)
    if given.write:
        write(shown)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cards", type=Path, default=CARDS, help="JSON of headgate models bench")
    parser.add_argument("--memory", type=float, help="GiB; left out: 22, or what two of the models take")
    parser.add_argument("--days", type=int, default=10, help="of each kind")
    parser.add_argument("--quick", action="store_const", const=2, dest="days", help="two of each kind")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--write", action="store_true", help="write docs/scheduling.md")
    return parser.parse_args()


def said_of(given: argparse.Namespace) -> str:
    """What the tables are of, in a sentence."""
    cards = (
        "the cards are typical for a 24 GB card and **were not measured**"
        if given.cards == CARDS
        else f"the cards are those of `{given.cards.name}`"
    )
    return f"Simulated on {datetime.now(UTC).date().isoformat()}, {given.days} days of each kind, of office days half as many; {cards}."


def models_of(path: Path) -> list[Costs]:
    """The costs of three models, from the first three cards; ValueError when they do not tell."""
    cards = read_cards(path)
    if len(cards) < len(ROLES):
        raise ValueError(f"it has {len(cards)} cards, and three are wanted: general, code, sorting")
    return [costs_of(card) for card in cards[: len(ROLES)]]


def room_for_two(models: Sequence[Costs]) -> int:
    """22 GiB if two of the models fit in them and not three; else what the two largest take."""
    taken = sorted(model.memory for model in models)
    usual = int(MEMORY * 2**30)
    return usual if sum(taken[1:]) <= usual < sum(taken) else sum(taken[1:])


def write(shown: str) -> None:
    """Put the tables between the page's marks."""
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(between.sub(lambda _: f"{BEGIN}\n\n{shown}\n\n{END}", page), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
