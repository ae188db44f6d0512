"""The page that says what came of the benchmarks: method, tables, and how to read them. Text is made from the figures alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from headgate.lab.benchmarks.leaving_out import LeftOut
from headgate.lab.benchmarks.routing import FLOORS, Came, Figure
from headgate.lab.benchmarks.running import CROSS_VALIDATION, Benchmarked, Scored
from headgate.lab.benchmarks.tracks import LEARNED, TRUSTING, Row

NONE = "–"
METHOD = """\
## Method

- Two tracks. **Predictive**: a router sees the prompt. **Cascade**: it may ask one or two cheap models first, sees their answers, and pays
  for them whatever it delivers.
- **PGR** is the part of the gap between the weak and the strong model's quality that is recovered; **APGR** the area under it over the share
  of prompts that go to the strong model; **CPT50** and **CPT80** the smallest shares, in percent, that recover 50 and 80 % (RouteLLM).
  **AIQ** is the mean height of the hull of quality over the range of costs (RouterBench). **Saved at** 99 % is the share of the strong
  model's cost that is saved at the cheapest point of 99 % of its quality, in percent. That point is found on the tested prompts
  themselves, as everyone does; **picked** is what came of the price that was the cheapest at full quality on the fit part.
- Intervals are 95 %, from draws of prompts with replacement, the same draws for every router. Points of equal quality flip with the draw:
  read the interval. They hold for these prompts and models, not for the choice of folds.
- The learners' settings were chosen while these cross-validated figures were in sight, so they flatter a little, and a small set's move
  with the folds (another `--seed`) by more than its published margin. What counts is a part that was not in sight: `--fit` and `--score`.
- **Labels of** says whose outcomes a router was fitted on. "Same benchmark" is in-domain: other prompts of the same set, with
  questions that are nearly the same kept on one side. The published routers had none of these, but for those trained on `gold`, which are
  some of MMLU's own labels. Two rows have no in-domain labels: longer questions need the strong model more, and nothing was fitted
  ("none"); and **learned elsewhere**, by how hard the models of the other sets found prompts, without any kind that has a question in
  common with this set ("other benchmarks").
- **Other sets' models too**: a kind of another set that has a question in common with this one is the same benchmark, asked of other models.
  What each of these would score on a prompt is learned from the rest of that kind, without what is nearly the same as a prompt here, where
  that is at least a fifth as many prompts. It is one more way of guessing, weighed on the fit part like the others. Above the table stands
  which kinds these are. Where kinds are left out whole there are none, since they might tell of the kind that is left out.
- Routers know no benchmark: features are words and pieces of words, once by how rare they are and once by how often they stand there, and
  plain counts, all weighed on the fit part; beginnings that many prompts share are taken off. The `task` column is used on the fit part
  alone, where a classifier of kinds is learned.
- **The gate's own features and learner** are those of `headgate learn`: what a gate looks at in some dozens of microseconds, and a
  logistic regression that plain Python serves. **Learned** is what can be had with more of both.
- **Kinds that were not seen enough**: one rule for all prompts. On the fit part each kind is left out once; what tells a stranger, and is
  at stake, is learned from that, and the threshold is the lowest at which left-out kinds keep 99.5 % of the strong model's quality there.
  The tested kinds have no part in it. That is so at the price that is picked. At prices that save more, what is saved counts for more
  beside what may be lost, and the odds that a prompt is of a seen kind may be lower by as much: whoever turns the dial further risks more
  with unknown kinds, too, unless the price that is picked is 0; the last table of a set with kinds tells how much. The row "learned"
  holds unknown prompts back, and so does the table of kinds that were left out, at the price that is picked; "not held back" is the same
  router without the rule. Subjects of one exam are no kinds. The rule needs three kinds to be learned from: where the fit part has fewer,
  and so where one of three is left out, nothing is held back. Cascades do not use it.
- The random router mixes the weak and the strong model, the zero router any single models; the oracle knows all outcomes.
- Costs are those of the source; list prices × length where it has prices, with 300 tokens for an answer whose length is not known; and
  where it has neither, calls of the strong model count 1 and calls of the weak one nothing."""


def shown(figure: Figure | None, scale: float = 1, digits: int = 3) -> str:
    """A figure with its interval."""
    if figure is None:
        return NONE
    # 0.0 is added so that nothing is shown as -0.
    value, low, high = (
        f"{round(each * scale, digits) + 0.0:.{digits}f}" for each in (figure.value, figure.low, figure.high)
    )
    return f"{value} ({low}–{high})" if low != high else value


def percent(figure: Figure | None) -> str:
    """A share in percent, with its interval."""
    return shown(figure, 100, 0)


class Position(NamedTuple):
    """A price of the learned router: what came of it on kinds that were seen, and on those that were left out."""

    seen: Came
    left_out: Came


def positions(scored: Scored) -> Iterable[Position]:
    """The least prices at which the learned router saves a tenth, two tenths … on kinds that were seen."""
    learned = next((row for row in scored.rows if row.router == LEARNED), None)
    if learned is None or not scored.left_out or scored.strangers:
        return
    step = 1
    for seen, left_out in zip(learned.along, scored.left_out[-1].along, strict=True):
        if seen.saved is not None and seen.saved.value >= step / 10:
            yield Position(seen, left_out)
            step = int(seen.saved.value * 10) + 1


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
    # In a cross-validation it goes without saying; where another folder is scored it does not.
    fitted = f", fitted on {scored.fitted:,} others" if scored.folds == 1 and scored.fitted else ""
    return (
        f"{scored.name}: {scored.prompts:,} prompts{f' ({said} dropped)' if said else ''}{fitted}, {len(scored.models)} models; "
        f"strong: {scored.strong} ({scored.strong_quality:.3f}), weak: {scored.weak} ({scored.weak_quality:.3f}); "
        f"costs in {scored.unit}"
    )


def markdown(made: Benchmarked) -> str:
    """The whole report."""
    return "\n".join(_lines(made)) + "\n"


def _lines(made: Benchmarked) -> Iterable[str]:
    """Line by line."""
    yield "# Public routing benchmarks"
    yield ""
    yield _ran(made)
    yield ""
    yield METHOD
    yield ""
    yield "## In short"
    yield ""
    yield from (f"- {line}" for scored in made.sets for line in reading(scored))
    for scored in made.sets:
        yield from ("", f"## {scored.name}", "", f"{headline(scored)}.", "")
        if scored.peers:
            yield from (f"Models of other sets that were asked the same: {', '.join(scored.peers)}.", "")
        yield from _table(scored)
        if scored.left_out:
            yield from ("", "Kinds of task that were left out whole:", "")
            yield from _left_out(scored.left_out)
            yield from _along(scored)


def _ran(made: Benchmarked) -> str:
    """How this page came to be."""
    where, name = made.scored_on, Path(made.fitted_on).name
    how = f"`headgate lab benchmark {name}`, cross-validated within the folder"
    if where != CROSS_VALIDATION:
        how = f"`headgate lab benchmark --fit {name} --score {Path(where).name}`, fitted on the first folder and scored on the second"
    return (
        f"Written by {how}; seed {made.seed}, {made.draws:,} draws of prompts for the intervals. The folder is not part of Headgate, and "
        "nothing that is learned from it is kept: the router that ships has seen none of it."
    )


def reading(scored: Scored) -> Iterable[str]:
    """What the figures of a set say, and what they do not, in sentences."""
    rows = {(row.track, row.router): row for row in scored.rows}
    learned = rows.get(("predictive", LEARNED))
    if learned is None:
        if not scored.fitted:
            yield f"**{scored.name}** is unknown to the fit part: everything goes to the strong model, nothing is saved, nothing is lost."
        return
    measured, best = learned.measured, scored.published
    said = f"**{scored.name}**, by the prompt: "
    if best is not None:
        said += (
            f"APGR {shown(measured.apgr)}, published {best.apgr:.3f}{_inside(measured.apgr, best.apgr)}; "
            f"CPT50 {shown(measured.cpt50, 1, 1)}, published {best.cpt50:.1f}{_inside(measured.cpt50, best.cpt50)}; "
            f"CPT80 {shown(measured.cpt80, 1, 1)}, published {best.cpt80:.1f}{_inside(measured.cpt80, best.cpt80)}. "
        )
    elif measured.apgr is not None:
        said += f"APGR {shown(measured.apgr)}. "
    full, nearly = measured.saved[:2]
    said += f"Of the strong model's cost, {percent(full)} % can be saved at its quality and {percent(nearly)} % at 99 % of it"
    said += ": the first may be nothing" if full.low < 0.005 else ""
    if (picked := learned.picked) is not None:
        said += f". The price picked beforehand saved {percent(picked.saved)} % at {shown(picked.quality, 100, 1)} % of its quality"
    yield said + "."
    for row in scored.rows:
        if row.track == "cascade" and row.measured.saved:
            area = f"APGR {shown(row.measured.apgr)}, " if row.measured.apgr else ""
            full, nearly = row.measured.saved[:2]
            yield f"**{scored.name}**, by {row.router}: {area}{percent(full)} % saved at full quality, {percent(nearly)} % at 99 % of it."
    if scored.left_out:
        worst, whole = min(scored.left_out[:-1], key=lambda left: left.quality.value), scored.left_out[-1]
        yield (
            f"**{scored.name}**, the same router on kinds never seen{_without(scored)}, at the price picked beforehand: quality {quality_of(whole)} of the strong model's over all of them, "
            f"{quality_of(worst)} on the worst ({worst.task})."
        )
    trusting = rows.get(("predictive", TRUSTING))
    if trusting is not None and trusting.picked is not None and learned.picked is not None:
        where = "here" if scored.strangers else "on kinds that were seen"
        yield (
            f"**{scored.name}**, the price of that safety: {where}, the price picked beforehand saved "
            f"{percent(learned.picked.saved)} %; it would have saved {percent(trusting.picked.saved)} % if nothing had been held back."
        )


def _without(scored: Scored) -> str:
    """What the router lacks where kinds are left out."""
    return " (there without other sets' models)" if scored.peers else ""


def _inside(figure: Figure | None, other: float) -> str:
    """Whether another figure can be told from this one."""
    return " (inside the interval)" if figure is not None and figure.low <= other <= figure.high else ""


def _table(scored: Scored) -> Iterable[str]:
    """The rows of a set."""
    floors = " | ".join(f"saved at {floor:.0%}" for floor in FLOORS)
    yield f"| track | router | labels of | APGR | CPT50 | CPT80 | AIQ | {floors} | picked: quality | saved |"
    yield "|---|---|---|" + "--:|" * (6 + len(FLOORS))
    for row in scored.rows:
        yield _row(row)
    if (best := scored.published) is not None:
        cells = ["published", best.method, NONE, f"{best.apgr:.3f}", f"{best.cpt50:.1f}", f"{best.cpt80:.1f}"]
        yield "| " + " | ".join([*cells, *[NONE] * (3 + len(FLOORS))]) + " |"


def _row(row: Row) -> str:
    """A router."""
    measured, picked = row.measured, row.picked
    cells = [row.track, row.router, row.labels, shown(measured.apgr)]
    cells += [shown(measured.cpt50, 1, 1), shown(measured.cpt80, 1, 1), shown(measured.aiq)]
    cells += [percent(each) for each in measured.saved or [None] * len(FLOORS)]
    cells += [NONE, NONE] if picked is None else [shown(picked.quality, 100, 1), percent(picked.saved)]
    return "| " + " | ".join(cells) + " |"


def _along(scored: Scored) -> Iterable[str]:
    """What else the dial has, beside the price that was picked."""
    rows = [
        f"| {percent(at.seen.saved)} % | {shown(at.seen.quality, 100, 1)} % | {shown(at.left_out.quality, 100, 1)} % | {percent(at.left_out.saved)} % |"
        for at in positions(scored)
    ]
    if rows:
        yield from (
            "",
            f"The same router at other prices, on kinds that were seen and on those that were left out{_without(scored)}:",
            "",
        )
        yield "| saved, seen | quality, seen | quality, left out | saved, left out |"
        yield "|--:|--:|--:|--:|"
        yield from rows


def _left_out(rows: Iterable[LeftOut]) -> Iterable[str]:
    """Kinds that were left out."""
    yield "| kind left out | prompts | to the strong model | quality, of the strong model's | saved, % |"
    yield "|---|--:|--:|--:|--:|"
    for row in rows:
        yield f"| {row.task} | {row.prompts} | {row.to_strong:.0%} | {quality_of(row)} | {percent(row.saved)} |"
