"""The page that says what came of the benchmarks: method, tables, and how to read them. Text is made from the figures alone."""

from collections.abc import Iterable

from headgate.lab.benchmarks.leaving_out import LeftOut
from headgate.lab.benchmarks.routing import FLOORS, Figure
from headgate.lab.benchmarks.running import Benchmarked, Scored
from headgate.lab.benchmarks.tracks import Row

NONE = "–"


def shown(figure: Figure | None, scale: float = 1, digits: int = 3) -> str:
    """A figure with its interval."""
    if figure is None:
        return NONE
    value, low, high = (f"{each * scale:.{digits}f}" for each in (figure.value, figure.low, figure.high))
    return f"{value} ({low}–{high})" if low != high else value


def percent(figure: Figure | None) -> str:
    """A share in percent, with its interval."""
    return shown(figure, 100, 0)


def quality_of(left: LeftOut) -> str:
    """The quality of a kind that was left out, of the strong model's."""
    return f"{shown(left.quality, 100, 1)} %"


def headline(scored: Scored) -> str:
    """What a set is, in a line."""
    dropped = [
        f"{scored.contaminated} contaminated" if scored.contaminated else "",
        f"{scored.incomplete} incomplete" if scored.incomplete else "",
    ]
    said = " and ".join(each for each in dropped if each)
    return (
        f"{scored.name}: {scored.prompts:,} prompts{f' ({said} dropped)' if said else ''}, {len(scored.models)} models; "
        f"strong: {scored.strong} ({scored.strong_quality:.3f}), weak: {scored.weak} ({scored.weak_quality:.3f}); "
        f"costs in {scored.unit}"
    )


def markdown(made: Benchmarked) -> str:
    """The whole report."""
    return "\n".join(_lines(made)) + "\n"


def _lines(made: Benchmarked) -> Iterable[str]:
    """Line by line."""
    yield "# Public routing benchmarks"
    for scored in made.sets:
        yield ""
        yield f"## {scored.name}"
        yield ""
        yield f"{headline(scored)}."
        yield ""
        yield from _table(scored)
        if scored.left_out:
            yield ""
            yield from _left_out(scored.left_out)


def _table(scored: Scored) -> Iterable[str]:
    """The rows of a set."""
    floors = " | ".join(f"saved at {floor:.0%}" for floor in FLOORS)
    yield f"| track | router | labels of | APGR | CPT50 | CPT80 | AIQ | {floors} |"
    yield "|---|---|---|" + "--:|" * 8
    for row in scored.rows:
        yield _row(row)


def _row(row: Row) -> str:
    """A router."""
    measured = row.measured
    cells = [
        row.track,
        row.router,
        row.labels,
        shown(measured.apgr),
        shown(measured.cpt50, 1, 1),
        shown(measured.cpt80, 1, 1),
    ]
    cells += [shown(measured.aiq), *(percent(each) for each in measured.saved or [None] * len(FLOORS))]
    return "| " + " | ".join(cells) + " |"


def _left_out(rows: Iterable[LeftOut]) -> Iterable[str]:
    """Kinds that were left out."""
    yield "| kind left out | prompts | to the strong model | quality, of the strong model's | saved |"
    yield "|---|--:|--:|--:|--:|"
    for row in rows:
        yield f"| {row.task} | {row.prompts} | {row.to_strong:.0%} | {quality_of(row)} | {row.saved:.0%} |"
