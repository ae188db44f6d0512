"""The page of the cards names every figure, every part of the exam, and the limits as they are."""

from collections import Counter

from docs_pages import DOCS, coded, rows, section
from msgspec.structs import fields

from headgate.core.cards import LEAST_SCORED, LEAST_TRIED, Card
from headgate.core.intervals import wilson
from headgate.fleet.bench import BATCH, BATCHES, read_exam
from headgate.fleet.speeds import LONG_PROMPT, WRITTEN

PAGE = DOCS / "cards.md"


def test_every_figure_of_a_card_has_its_row():
    named = {word for cells in rows(section(PAGE, "## The figures")) for word in coded(cells[0])}
    assert named == {field.name for field in fields(Card)} - {"engine", "id", "measured"}


def test_every_part_of_the_exam_has_its_row_and_its_number_of_questions():
    items = read_exam().items
    told = {cells[0].strip("`"): int(cells[1]) for cells in rows(section(PAGE, "## The exam"))}
    assert told == Counter(item.part for item in items)
    assert f"{len(items)} questions" in section(PAGE, "## The exam")


def test_the_limits_are_those_of_the_code():
    follows, figures = section(PAGE, "## What follows from a card"), section(PAGE, "## The figures")
    assert f"at least {LEAST_TRIED} questions" in follows
    assert f"at least {LEAST_SCORED} questions" in follows
    assert f"up to {LONG_PROMPT} tokens" in figures
    assert f"until {WRITTEN // 2} tokens were seen" in figures
    assert f"{BATCH * BATCHES} texts, {BATCH} a call" in figures
    low, high = wilson(7, 8) or (0, 0)
    assert f"from {low:.2f} to {high:.2f}" in section(PAGE, "## The exam")
