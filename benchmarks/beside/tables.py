"""The tables: figures side by side, targets with their verdicts, and the method. Markdown, for people and for the page."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from beside.gates import GATES
from beside.pieces import Piece
from beside.rounds import Plan, Round

DIRECT = "direct"


class Findings(Struct, frozen=True, kw_only=True):
    """Everything that one run found, as it stands in results.json."""

    day: str
    machine: Mapping[str, str]
    load_before: float
    """The machine's load average when the run began."""
    plan: Plan
    versions: Mapping[str, str]
    skipped: Mapping[str, str]
    """Gates that were not measured, and why."""
    gates: Mapping[str, Round]
    """Medians by gate, and without a gate under "direct"."""
    rounds: Mapping[str, Sequence[Round]]
    pieces: Sequence[Piece]


class Target(Struct, frozen=True):
    """Something promised, what was found, and whether that is enough; None when it was not measured."""

    promise: str
    found: str
    met: bool | None


def render(findings: Findings) -> str:
    """The whole generated part of the page."""
    parts = [
        head(findings),
        "## Side by side",
        gates_table(findings),
        "## Targets",
        table(
            ("target", "found", ""),
            [(each.promise, each.found, verdict(each.met)) for each in targets(findings)],
        ),
        "## The parts on their own",
        pieces_table(findings.pieces),
        "## Method",
        method(findings),
    ]
    return "\n\n".join(part for part in parts if part)


def head(findings: Findings) -> str:
    """Day and machine, and a warning when others used it."""
    facts = ", ".join(f"{name} {value}" for name, value in findings.machine.items())
    said = f"Measured on {findings.day}: {facts}, load before {findings.load_before:.2f}."
    if findings.load_before > 0.5:
        said += (
            "\n\n**The machine was not idle.** Requests/s and latencies are worse than they would be alone; "
            "CPU time per request and the ratios suffer less."
        )
    return said


def gates_table(findings: Findings) -> str:
    """A row for each gate."""
    rows = []
    names = [DIRECT, *(gate.name for gate in GATES)]
    for name in names:
        found = findings.gates.get(name)
        if found is None:
            continue
        rows.append(
            (
                f"{name} {findings.versions.get(name, '')}".strip(),
                f"{found.per_second:,.0f}",
                number(found.cpu_us, 0),
                number(None if found.busy is None else found.busy * 100, 0),
                f"{found.p50_ms:.2f} / {found.p99_ms:.2f}",
                "–"
                if found.added_p50_ms is None or found.added_p99_ms is None
                else f"{found.added_p50_ms:.2f} / {found.added_p99_ms:.2f}",
                number(found.resident_mb, 0),
                number(found.start_s, 2),
            )
        )
    columns = (
        "gate",
        "requests/s",
        "CPU µs/request",
        "% of its core",
        f"{findings.plan.rate:.0f}/s: p50 / p99 ms",
        "added: p50 / p99 ms",
        "memory MB",
        "start s",
    )
    notes = [f"- {name}: not measured ({why})" for name, why in findings.skipped.items()]
    notes += [
        f"- {name}: {found.errors:,} answers were missing or wrong"
        for name, found in findings.gates.items()
        if found.errors
    ]
    notes += [
        f"- {name}: {found.attempts} attempts behind each answer: the figures are for that many calls"
        for name, found in findings.gates.items()
        if found.attempts not in (None, 1)
    ]
    return "\n\n".join(part for part in (table(columns, rows), "\n".join(notes)) if part)


def targets(findings: Findings) -> list[Target]:
    """What is promised of the gate, against what was found."""
    ours = findings.gates.get("headgate")
    if ours is None:
        return []
    return [
        at_most("CPU time per request ≤ 120 µs", ours.cpu_us, 120, "µs", 0),
        ratio("requests/s ≥ 60 × LiteLLM proxy's", ours, findings.gates.get("litellm"), 60),
        ratio("requests/s ≥ TensorZero's", ours, findings.gates.get("tensorzero"), 1),
        at_most("added at 50 requests/s, p50 ≤ 0.8 ms", ours.added_p50_ms, 0.8, "ms", 2),
        at_most("added at 50 requests/s, p99 ≤ 2 ms", ours.added_p99_ms, 2, "ms", 2),
        at_most("memory after 10,000 requests ≤ 90 MB", ours.resident_mb, 90, "MB", 0),
        at_most("from `headgate up` to serving ≤ 1.5 s", ours.start_s, 1.5, "s", 2),
    ]


def at_most(promise: str, value: float | None, limit: float, unit: str, digits: int) -> Target:
    """A figure that should stay below a limit."""
    if value is None:
        return Target(promise, "not measured", None)
    return Target(promise, f"{value:.{digits}f} {unit}", value <= limit)


def ratio(promise: str, ours: Round, theirs: Round | None, least: float) -> Target:
    """Our requests a second as a multiple of theirs."""
    if theirs is None or not theirs.per_second:
        return Target(promise, "not measured", None)
    times = ours.per_second / theirs.per_second
    return Target(promise, f"{times:.1f} ×", times >= least)


def pieces_table(pieces: Sequence[Piece]) -> str:
    """A row for each part."""
    if not pieces:
        return ""
    rows = []
    for piece in pieces:
        wanted = "–"
        if piece.at_most is not None:
            wanted = f"≤ {piece.at_most:,.0f}"
        elif piece.at_least is not None:
            wanted = f"≥ {piece.at_least:,.0f}"
        digits = 1 if piece.unit == "µs" else 0
        rows.append((piece.name, f"{piece.value:,.{digits}f} {piece.unit}", wanted, verdict(piece.met)))
    return table(("part", "found", "target", ""), rows)


SET_UP = """\
The gate runs on one core (`taskset`), the engine and the load generator on another. The engine is a canned C server that \
answers each request with the same chat completion of about 1 KB; the load generator is a C program that checks status \
and text of every answer, and writes a different number into every 1 KB prompt.

- **requests/s**: {connections} keep-alive connections, each sending its next request when it has its answer, for \
{saturated:g} s after {warm_up:g} s of warming up. “% of its core” says how much of the core the gate had: below 100 \
somebody else used the machine, or the other core was the limit.
- **CPU µs/request**: user and system time of the gate, all its threads and processes, over that time, by \
`/proc/PID/stat`.
- **latency**: {rate:g} requests/s at even intervals for {paced:g} s, counted from the moment when the request was due \
until its last byte; “added” is the difference to the direct call in the same round.
- **memory**: resident memory of all its processes after {after} requests.
- **start**: from starting the program until it answers HTTP.
- Every gate is started anew in every round; the gates take turns; figures are medians of {rounds} round(s)."""


def method(findings: Findings) -> str:
    """How it was done, in full."""
    plan = findings.plan
    after = f"{plan.memory_after:,}" if plan.memory_after else "the round's"
    said = SET_UP.format(**{**structs.asdict(plan), "after": after})
    notes = [f"- **{gate.name}**: {gate.note}." for gate in GATES if gate.name in findings.gates]
    return "\n".join((said, *notes))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first hold figures."""
    lines = [f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def number(value: float | None, digits: int) -> str:
    """A figure, or a dash for what was not measured."""
    return "–" if value is None else f"{value:,.{digits}f}"


def verdict(met: bool | None) -> str:
    """Met, missed, or nothing."""
    return "" if met is None else "met" if met else "**missed**"
