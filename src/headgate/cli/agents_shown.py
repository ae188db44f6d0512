"""How runs and subagents look to a person: one line of who answered, one page of what an agent is told."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.core.runs import Run


def explained(run: "Run", source: str = "", *, named: bool = False) -> str:
    """Who answered, how sure, how fast and at what price, with what was done on the way."""
    from headgate.reports.shown import count, fine_dollars, milliseconds

    head = ": ".join([*([source] if source else []), *([run.agent] if named else [])])
    who = f"{run.model} answered" if run.model else "no model answered"
    price = "free" if run.cost == 0 else fine_dollars(run.cost)
    parts = [f"{who} in {milliseconds(run.seconds)}", price, count(run.tokens_in + run.tokens_out, "token")]
    if run.probability is not None:
        parts.append(f"{run.label or 'the label'} {run.probability:.0%} likely")
    lines = [f"{head}: {', '.join(parts)}" if head else ", ".join(parts)]
    if run.status != "ok":
        lines.append(f"  {run.status}: {run.reason}" if run.reason else f"  {run.status}")
    lines += [
        f"  {step.kind}: {step.what}" + (f" → {brief(step.result)}" if step.result else "")
        for step in run.steps
    ]
    if run.requests:
        more = f" and {len(run.requests) - 1} more" if len(run.requests) > 1 else ""
        lines.append(f"  headgate log show {run.requests[0]}{more}")
    return "\n".join(lines)


def brief(text: str, most: int = 80) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
