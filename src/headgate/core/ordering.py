"""In which order the models of a chain are tried, where it is not the route's own.

Each function says whether, or why, it changed anything. Who may serve at all is decided before (`policy`).
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from headgate.core.chains import Link, cheapest, expected
from headgate.core.expecting import chance_of
from headgate.core.types import Candidate, Model, Signals
from headgate.core.words import Order, Task

AS_GOOD = 0.05
"""Two models whose measured scores at a task differ by no more are taken to be equally good at it."""


def arrange(candidates: list[Candidate], wish: Order | None, keeps_to: str) -> Order:
    """Put candidates into the order in which they are tried, and say why it is that.

    A conversation stays with the model that has it in its prompt cache, as long as the route names the model, it can serve, and
    the caller has no other wish. A chain rises in ability, so its end is the ablest.
    """
    kept = next((c for c in candidates if c.model == keeps_to and c.skip is None), None)
    if kept is not None and wish is None:
        if candidates[0] is kept:
            return "route"
        candidates.remove(kept)
        candidates.insert(0, kept)
        return "conversation stays"
    if wish == "cheapest first":
        candidates.sort(key=lambda c: (c.estimate is None, c.estimate))
    elif wish == "ablest first":
        candidates.reverse()
    return wish or "route"


def prefer_loaded(
    candidates: list[Candidate], models: Mapping[str, Model], cold: frozenset[str], task: Task | None
) -> Order:
    """Put a loaded model before the first candidate where that one would have to be loaded and is no better at the task."""
    first = next((c for c in candidates if c.skip is None), None)
    if first is None or first.model not in cold or task is None:
        return "route"
    wanted = models[first.model].scores.get(task)
    for candidate in candidates:
        model = models[candidate.model]
        if candidate.skip is not None or not model.local or candidate.model in cold:
            continue
        score = model.scores.get(task)
        if wanted is not None and score is not None and score >= wanted - AS_GOOD:
            candidates.remove(candidate)
            candidates.insert(0, candidate)
            return "loaded first"
    return "route"


def home_first(candidates: list[Candidate], models: Mapping[str, Model]) -> bool:
    """Put the models at home before the paid ones, each among themselves as they were; whether that changed anything."""
    before = candidates.copy()
    candidates.sort(key=lambda c: not models[c.model].local)
    return candidates != before


def by_expected_cost(
    candidates: Sequence[Candidate], models: Mapping[str, Model], signals: Signals
) -> tuple[list[Candidate], str]:
    """The candidates in the order, and as many of them, as is expected to cost least, with a sentence that says what that is.

    As they were, and "", where a cost or a chance is unknown. What is not worth asking is skipped as unlikely.
    """
    fit = [candidate for candidate in candidates if candidate.skip is None]
    links = links_of(fit, models, signals)
    if len(fit) < 2 or links is None:
        return list(candidates), ""
    chosen = cheapest(links)
    by_name = {candidate.model: candidate for candidate in fit}
    names = " then ".join([link.model for link in chosen])
    left_out = [
        replace(
            by_name[link.model], skip="unlikely", detail=f"{link.chance:.0%} likely to do: not worth asking"
        )
        for link in links
        if link not in chosen
    ]
    skipped = [candidate for candidate in candidates if candidate.skip is not None]
    ordered = [*left_out, *[by_name[link.model] for link in chosen], *skipped]
    return ordered, f"{names} is expected to cost least, ${expected(chosen).cost:.6f}"


def links_of(
    candidates: Sequence[Candidate], models: Mapping[str, Model], signals: Signals
) -> list[Link] | None:
    """The candidates with what each costs and how likely its answer is good; None where either is unknown of any.

    The last one answers, well or not, so nothing need be known of it. What the learned router says of this request goes before what was
    counted of requests like it.
    """
    links = []
    for candidate in candidates:
        chance = chance_of(models[candidate.model], signals.chances)
        if chance is None and signals.task is not None:
            chance = models[candidate.model].passing.get(signals.task)
        if chance is None and candidate is candidates[-1]:
            chance = 1.0
        if chance is None or candidate.estimate is None:
            return None
        links.append(Link(candidate.model, candidate.estimate, chance))
    return links
