"""The pre-adoption proof as text and as Markdown: the answer first, then what it rests on.

It shows what `proof` worked out and judges nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from textwrap import wrap

from headgate.lab.proof import CheapCloud, Line, Proof, Range
from headgate.reports.shown import columns, count, dollars, percent

WIDEST = 100


def text(proof: Proof, rules: str) -> str:
    """The proof for people.

    Args:
        proof: what the calls say.
        rules: whose routes decided, "headgate.toml" or "the starter page".
    """
    parts: list[Sequence[str]] = [list(_answer(proof, rules))]
    if proof.tasks:
        parts.append(_section("WOULD HAVE GONE HOME", _tasks(proof)))
        parts.append(_section("BY ROUTE", _rows(proof.home)))
    if proof.cloud:
        parts.append(_section("STAYS IN THE CLOUD", _rows(proof.cloud)))
    if proof.unknown:
        parts.append(_section("CANNOT BE JUDGED WITHOUT RUNNING IT", _rows(proof.unknown)))
    parts.append(_section("DEAREST KINDS OF CALLS", _rows(proof.kinds)))
    parts.append(_section("BY MODEL", _rows(proof.models)))
    if len(proof.people) > 1:
        parts.append(_section("BIGGEST SPENDERS", _rows(proof.people)))
    parts.append(["NOTES", *(line for note in notes(proof) for line in _wrapped(note))])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def markdown(proof: Proof, rules: str) -> str:
    """The same for a chat or an issue."""
    parts = ["# What last month's calls say", " ".join(_answer(proof, rules))]
    for title, lines in (
        ("Would have gone home", _tasks(proof)),
        ("By route", _rows(proof.home)),
        ("Stays in the cloud", _rows(proof.cloud)),
        ("Cannot be judged without running it", _rows(proof.unknown)),
        ("Dearest kinds of calls", _rows(proof.kinds)),
        ("By model", _rows(proof.models)),
    ):
        if len(lines) > 1:
            head, *rows = lines
            table = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
            table += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
            parts.append(f"## {title}\n\n" + "\n".join(table))
    parts.append("## Notes\n\n" + "\n".join(f"- {note}" for note in notes(proof)))
    return "\n\n".join(parts) + "\n"


def notes(proof: Proof) -> Iterator[str]:
    """What one must know to read the figures rightly."""
    if proof.measured:
        yield "Saved: answers from home pass as often as was measured (95 % interval); one that does not pass costs what it has cost."
    elif proof.tasks:
        yield (
            "Saved begins at nothing because no answer from home was measured. Each further tenth of them that passes is worth "
            f"{dollars(proof.per_tenth)}. --run 50 asks your local models and narrows it; nothing paid is asked."
        )
    if proof.tasks:
        yield "Simple: the ends differ by the classifier's own error (docs/classifier.md) and by calls that cannot be judged."
    if proof.window is not None:
        half, most, longest = proof.window
        yield f"Windows at home: half of these calls need up to {half:,} tokens, 95 % up to {most:,}, the longest {longest:,}."
    if proof.peak is not None:
        yield (
            f"Load at home: {count(proof.peak.calls, 'call')} in the busiest minute, "
            f"{proof.peak.tokens / 60:,.0f} tokens a second in the minute in which most are written; "
            "headgate models bench says what a machine writes."
        )
    if not proof.billed:
        yield "The export tells no costs: every call is charged at the list price of its day."
    elif proof.billed < proof.calls:
        rest = proof.calls - proof.billed
        yield f"The export says what {count(proof.billed, 'call')} cost; {count(rest, 'call')} are charged at the list price of their day."
    if proof.cost_unknown:
        yield f"The cost of {count(proof.cost_unknown, 'call')} is unknown and in no sum: their models have no list price, or their tokens are not told."
    for number, said in (
        (proof.failed, "brought no answer and {are} left out"),
        (proof.doubles, "{are} there twice and counted once"),
        (
            proof.others.calls,
            f"{{are}} for embeddings, pictures or speech ({_money(proof.others)}) and left out",
        ),
    ):
        if number:
            yield f"{count(number, 'call')} {said.format(are='is' if number == 1 else 'are')}."
    if proof.unread:
        yield f"{count(proof.unread, 'record')} could not be read; they are named above."
    if proof.until is not None and proof.since is not None:
        yield f"From {_day(proof.since)} to {_day(proof.until)}."
    if proof.energy_cost is None:
        yield "Local models count as free here: energy and hardware are not in it. Nothing was written into a ledger."
    else:
        yield (
            f"Energy at home, as the sample drew it: about {dollars(proof.energy_cost)} for these calls, which is to be "
            "taken off what is saved; hardware is not in it. Nothing was written into a ledger."
        )


def _answer(proof: Proof, rules: str) -> Iterator[str]:
    cost = dollars(proof.cost) if proof.cost_unknown < max(1, proof.calls) else "an unknown sum"
    calls = count(proof.calls, "call") if proof.calls else "Calls, nobody says how many,"
    yield f"{calls} that cost {cost}, judged by the routes of {rules}:"
    if proof.calls:
        yield f"{_between(proof.simple, percent)} of them can be answered at home first; these cost {_between(proof.simple_cost, dollars)}."
    share = ""
    if proof.cost:
        share = f": {_between(Range(proof.saved.low / proof.cost, proof.saved.high / proof.cost), percent)} of the bill"
    yield f"{_between(proof.saved, dollars)} would have been saved{_monthly(proof)}{share}."
    if proof.cheap_cloud is not None:
        yield _beside(proof.cheap_cloud, proof.calls)


def _beside(cheap: CheapCloud, calls: int) -> str:
    """What would have been saved without any gate, by moving to a cheap cloud model."""
    which = "Beside it: all" if cheap.calls == calls else f"Beside it: {cheap.calls:,}"
    saved = cheap.paid - cheap.cost
    margin = f"{dollars(saved)} less" if saved > 0 else f"{dollars(-saved)} more"
    return (
        f"{which} of these calls, on the cheapest cloud model that takes them (mostly {cheap.model}), "
        f"cost {dollars(cheap.cost)}, {margin}; nobody knows how good its answers are."
    )


def _monthly(proof: Proof) -> str:
    if proof.month is None:
        return ""
    saved = Range(proof.saved.low * proof.month, proof.saved.high * proof.month)
    return f", {_between(saved, dollars)} a month"


def _between(found: Range, shown: Callable[[float], str]) -> str:
    low, high = shown(found.low), shown(found.high)
    return low if low == high else f"{low} to {high}"


def _section(title: str, rows: Sequence[Sequence[str]]) -> list[str]:
    sides = "<" + ">" * (len(rows[0]) - 1)
    return [title, *(f"  {line}" for line in columns(rows, sides, "  "))]


def _tasks(proof: Proof) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("Task", "Calls", "Cost", "Pass at home", "Measured on")]
    for line in proof.tasks:
        rate = line.rate
        passed = "not measured" if rate is None else _between(Range(*rate.interval), percent)
        where = "" if rate is None else f"{rate.passed:,} of {rate.of:,} in {rate.source}"
        rows.append((line.name, f"{line.calls:,}", _money(line), passed, where))
    return rows


def _rows(lines: Sequence[Line]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("", "Calls", "Cost")]
    for line in lines:
        calls = f"{line.calls:,}" if line.calls else "not told"
        rows.append((line.name, calls, _money(line)))
    return rows


def _money(line: Line) -> str:
    """What they cost, as far as that is known."""
    if line.cost_unknown >= max(1, line.calls):
        return "unknown"
    return f">= {dollars(line.cost)}" if line.cost_unknown else dollars(line.cost)


def _wrapped(note: str) -> list[str]:
    return wrap(note, WIDEST, initial_indent="  - ", subsequent_indent="    ", break_long_words=False)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
