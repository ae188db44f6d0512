"""How a proof of a subagent looks: to a person in 80 columns, and to a program.

It does not know how the tests were run (`agents_test`).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from headgate.core.intervals import wilson
from headgate.core.proof import FEW, MORE, Chained, Kept, Marked, kept_at
from headgate.core.subagent import Agent
from headgate.core.trials import Trial
from headgate.reports.shown import columns, count, fine_dollars, milliseconds

if TYPE_CHECKING:
    from headgate.core.runs import Run

WIDE = 80
"""Characters of a line."""
WIDE_INTERVAL = 0.2
"""An interval that is wider says little."""
SOME = 5
"""Wrong answers that are shown unasked."""
CHAIN = "the chain"


class Proof(Struct, frozen=True, kw_only=True):
    """What the tests of an agent have shown."""

    agent: Agent
    tests: int
    chain: tuple[str, ...]
    trials: Mapping[str, Trial]
    """By model."""
    answers: Mapping[str, list[Marked]]
    missed: Mapping[str, str]
    """Models that answered nothing, with the reason."""
    chained: Chained
    whole: Trial
    """Of the chain, as far as it could be followed."""

    @property
    def judged(self) -> Trial:
        """What the bar is held against: the chain, or where a model of it was not asked, the first one that was."""
        return next(iter(self.trials.values())) if self.chained.beyond else self.whole

    @property
    def below(self) -> bool:
        """Whether the agent is below its bar."""
        bar, accuracy = self.agent.bar, self.judged.accuracy
        return bar is not None and accuracy is not None and accuracy < bar

    @property
    def shown(self) -> tuple[str, list[Marked]]:
        """Whose answers are looked at closely, with the answers: those of the chain or of the first model."""
        model = self.judged.model
        return self.who, self.answers[model] if model else list(self.chained.marked)

    @property
    def who(self) -> str:
        """Whom the bar is held against, by name."""
        return self.judged.model or (CHAIN if len(self.chain) > 1 else self.chain[0])


def draw(proof: Proof, *, all_wrong: bool = False) -> str:
    """The proof for a person."""
    agent = proof.agent
    parts = [f"{agent.name}: {count(proof.tests, 'test')}", rates(proof)]
    name, marked = proof.shown
    if agent.labels:
        parts.append(
            f"what {name} answered, by what is right\n{confusion(agent.labels, proof.judged.confusion)}"
        )
    parts += [text for text in (sureness(proof), wrong(name, marked, all_wrong=all_wrong)) if text]
    parts.append("\n".join(advice(proof)))
    return "\n\n".join(part for part in parts if part)


def rates(proof: Proof) -> str:
    """How often each model was right, how fast it was, and at what price."""
    rows: list[tuple[str, ...]] = [("", "right", "", "95 % interval", "answered", "p50", "p95", "cost")]
    rows += [rate(name, trial) for name, trial in proof.trials.items()]
    if len(proof.chain) > 1 and proof.chained.marked:
        rows.append(rate(CHAIN, proof.whole))
    lines = columns(rows, "<>>>>>>>", "  ")
    lines += [f"{name} was not tested: {reason}" for name, reason in proof.missed.items()]
    if len(proof.chain) > 1:
        lines.append(chain_words(proof))
    return "\n".join(lines)


def rate(name: str, trial: Trial) -> tuple[str, ...]:
    """One row."""
    interval = wilson(trial.right, trial.n)
    return (
        name,
        f"{trial.right} of {trial.n}",
        share(trial.accuracy),
        "" if interval is None else f"{interval[0]:.0%}-{interval[1]:.0%}",
        share((trial.n - trial.failed) / trial.n if trial.n else None),
        milliseconds(trial.seconds),
        milliseconds(trial.seconds_p95),
        "free" if trial.cost == 0 else fine_dollars(trial.cost),
    )


def share(rate: float | None) -> str:
    """A share in whole per cent, which is as much as some dozens of tests can tell."""
    return "" if rate is None else f"{rate:.0%}"


def chain_words(proof: Proof) -> str:
    """What the chain did with the tests."""
    chained = proof.chained
    said = f"{CHAIN} is {' → '.join(proof.chain)}: {chained.escalated} of {len(chained.marked)} escalated"
    if chained.beyond:
        left = next(name for name in proof.chain if name not in proof.answers)
        said += (
            f",\nand {count(chained.beyond, 'test')} more would have gone on to {left}, which was not asked"
        )
    return said


def confusion(labels: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> str:
    """The confusion table: a row for each right label, a column for each answered one; letters where names are too wide."""
    answered = [*labels, *([""] if any("" in row for row in counts.values()) else [])]
    names = [label or "no label" for label in answered]
    rows = [(label, *(str(counts.get(label, {}).get(one, 0) or "·") for one in answered)) for label in labels]
    sides = "<" + ">" * len(answered)
    lines = columns([("", *names), *rows], sides, "  ")
    if max(map(len, lines)) <= WIDE:
        return "\n".join(lines)
    letters = [letter(index) for index in range(len(answered))]
    rows = [(f"{letters[index]}  {row[0]}", *row[1:]) for index, row in enumerate(rows)]
    if "" in answered:
        rows.append((f"{letters[-1]}  no label", *[""] * len(answered)))
    return "\n".join(columns([("", *letters), *rows], sides, "  "))


def letter(index: int) -> str:
    """A name for a column: a to z, then aa and so on."""
    head, last = divmod(index, 26)
    return (letter(head - 1) if head else "") + chr(ord("a") + last)


def sureness(proof: Proof) -> str:
    """Whether probabilities can be trusted, and what thresholds would do."""
    parts = []
    for name, trial in proof.trials.items():
        kept = kept_at(proof.answers[name])
        if not kept or trial.ece is None or trial.ece_after is None:
            continue
        off = f"{trial.ece:.0%}"
        if trial.temperature != 1.0:
            off += f", calibrated by {trial.ece_after:.0%} (temperature {trial.temperature:.2f})"
        else:
            off += f"; {FEW} tests or more would calibrate them"
        parts.append(
            f"the probabilities of {name} are off by {off}\n"
            + "\n".join(threshold_rows(kept, proof.agent.threshold))
        )
    return "\n\n".join(parts)


def threshold_rows(kept: Sequence[Kept], own: float | None) -> list[str]:
    """What each threshold lets stand."""
    rows = [("  threshold", "answers kept", "of these right", "")]
    rows += [
        (
            f"{one.threshold:.2f}",
            share(one.kept / one.n),
            share(one.right / one.kept) if one.kept else "-",
            "<- its own" if own is not None and abs(one.threshold - own) < 0.005 else "",
        )
        for one in kept
    ]
    return columns(rows, ">>><", "  ")


def wrong(name: str, marked: Sequence[Marked], *, all_wrong: bool) -> str:
    """The tests that went wrong."""
    from headgate.cli.agents_shown import brief

    found = [one for one in marked if not one.right]
    shown = found if all_wrong else found[:SOME]
    lines = []
    for one in shown:
        place = f"line {one.test.line}: " if one.test.line else ""
        lines.append(f"  {place}{brief(one.test.input, 60)}\n    {differing(one)}")
    if len(found) > len(shown):
        lines.append(f"  … and {len(found) - len(shown)} more; --wrong shows all")
    return f"{name} got {count(len(found), 'test')} wrong\n" + "\n".join(lines) if found else ""


def differing(one: Marked) -> str:
    """What was wanted and what came, as far as they differ."""
    from headgate.cli.agents_shown import brief
    from headgate.core.marking import wrong_fields

    run: Run = one.run
    if run.output is None:
        return f"no answer: {run.reason}"
    sure = "" if run.probability is None else f" ({run.probability:.0%} sure)"
    said = []
    for field in wrong_fields(one.expected, run.output):
        wanted, got = (
            (one.expected, run.output) if not field else (one.expected[field], run.output.get(field))
        )
        said.append(
            f"{f'{field}: ' if field else ''}wanted {brief(words(wanted), 30)}, got {brief(words(got), 30)}"
        )
    return "; ".join(said) + sure


def words(value: Any) -> str:
    """A value as text."""
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def advice(proof: Proof) -> list[str]:
    """What follows: is it good enough, can that be told, and what to do next."""
    trial, bar, who = proof.judged, proof.agent.bar, proof.who
    interval = wilson(trial.right, trial.n)
    lines = []
    if bar is not None and trial.accuracy is not None:
        state = "below" if proof.below else "at or above"
        lines.append(f"{who} is {state} its bar of {bar:.0%} with {trial.accuracy:.0%}")
    wide = interval is not None and interval[1] - interval[0] > WIDE_INTERVAL
    straddles = bar is not None and interval is not None and interval[0] < bar <= interval[1]
    if interval is not None and (trial.n < FEW or straddles or wide):
        sides = "on both sides of the bar" if straddles else "which says little"
        lines.append(
            f"{count(trial.n, 'test')} leave it between {interval[0]:.0%} and {interval[1]:.0%}, {sides}:\n"
            f"add {FEW}-{MORE} more with --add FILE"
        )
    if proof.chained.beyond:
        lines.append("--paid asks the paid models too, so that the chain as a whole is known")
    return lines


def plain(proof: Proof) -> dict[str, Any]:
    """The proof for programs."""
    return {
        "agent": proof.agent.name,
        "tests": proof.tests,
        "chain": proof.chain,
        "models": [told(trial, proof.answers[name]) for name, trial in proof.trials.items()],
        "missed": proof.missed,
        "whole_chain": {
            **told(proof.whole, proof.chained.marked),
            "beyond": proof.chained.beyond,
            "escalated": proof.chained.escalated,
        },
        "bar": proof.agent.bar,
        "below_bar": proof.below,
        "advice": advice(proof),
    }


def told(trial: Trial, marked: Sequence[Marked]) -> dict[str, Any]:
    """One trial with what can be seen of its answers."""
    import msgspec

    return {
        **msgspec.to_builtins(trial),
        "accuracy": trial.accuracy,
        "interval": wilson(trial.right, trial.n),
        "thresholds": kept_at(marked),
        "wrong": [
            {
                "line": one.test.line,
                "input": one.test.given or one.test.input,
                "expected": one.expected,
                "output": one.run.output,
                "probability": one.run.probability,
                "reason": one.run.reason,
            }
            for one in marked
            if not one.right
        ],
    }
