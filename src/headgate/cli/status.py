"""`headgate` alone: how is the gate, and what is the next useful command?"""

from typing import TYPE_CHECKING, Any

from headgate.cli.common import put

if TYPE_CHECKING:
    from headgate.cli.runfile import RunFile


def show_status() -> None:
    """Say whether a gate is open, what it did this week, and what to type next."""
    from headgate.cli.runfile import find_gate
    from headgate.config.places import find_config

    run = find_gate()
    source = find_config()
    put(f"gate     {'open at ' + run.url if run else 'closed'}")
    put(f"config   {source or 'none yet'}")
    if run is not None:
        for line in (*fleet_lines(run), *budget_lines(run)):
            put(line)
    if source is not None:
        this_week()
    put("")
    for line in next_commands(has_config=source is not None, is_open=run is not None):
        put(f"next     {line}")


def fleet_lines(run: "RunFile") -> list[str]:
    """What the open gate has in memory, and who waits; nothing if it cannot be asked."""
    from headgate.cli.runfile import ask_fleet
    from headgate.core.hardware import memory_words
    from headgate.reports.shown import count

    fleet = ask_fleet(run)
    if fleet is None:
        return []
    lanes = [lane for lane in fleet["lanes"] if lane["pool"] is not None and lane["state"] != "out"]
    loaded = [
        f"{lane['model']} ({memory_words(lane['memory'])}"
        + (f", {lane['state']})" if lane["state"] != "ready" else ")")
        for lane in lanes
    ]
    room = [
        f"{memory_words(m['free'])} of {memory_words(m['capacity'])} {name} free"
        for name, m in fleet["memory"].items()
    ]
    running = sum(lane["running"] for lane in fleet["lanes"])
    waiting = sum(lane["waiting"] for lane in fleet["lanes"])
    lines = [f"loaded   {', '.join(loaded) or 'nothing'}; {', '.join(room)}"] if room else []
    return [*lines, f"busy     {count(running, 'request')} running, {waiting:,} waiting"]


def budget_lines(run: "RunFile") -> list[str]:
    """The budgets of the open gate that are spent, or nearly."""
    from headgate.cli.budgets import sentence
    from headgate.cli.runfile import ask_health
    from headgate.core.budgets import LEVELS

    health = ask_health(run) or {}
    return [f"budget   {sentence(one)}" for one in health.get("budgets", ()) if one["level"] > LEVELS[0]]


def this_week() -> None:
    """One line about the week so far, if there is a ledger."""
    from headgate.config.load import load_config
    from headgate.core.errors import HeadgateError
    from headgate.ledger.reporting import weekly_report
    from headgate.reports.shown import count, dollars

    try:
        report: Any = weekly_report(load_config(), "this")
    except HeadgateError as error:
        put(f"week     {error.message}")
        return
    requests = count(report.facts.requests, "request")
    saved = dollars(report.savings.saved)
    put(f"week     {requests}, {report.fallbacks:,} of them answered by a paid model, {saved} saved")


def next_commands(*, has_config: bool, is_open: bool) -> tuple[str, ...]:
    """What a person would want to type now."""
    if not has_config:
        return (
            "headgate demo     see it at work, with nothing installed",
            "headgate init     look for engines and write headgate.toml",
        )
    if not is_open:
        return ("headgate doctor   check everything", "headgate up -d    open the gate")
    return ("headgate log      the newest requests", "headgate report   the weekly report")
