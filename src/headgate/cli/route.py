"""`headgate route`: where would a prompt go, and why? A dry run that calls no model."""

from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json
from headgate.cli.prompt import read_prompt, request_for, with_prompt

if TYPE_CHECKING:
    from headgate.core.policy import Policy
    from headgate.core.types import Request, Signals


@click.command("route")
@with_prompt
@with_config
@with_json
def command(config_file: str | None, *, as_json: bool, **given: Any) -> None:
    """Say where PROMPT would go: its signals, the route that matches, and each model with the reason if it is skipped.

    Engines are taken to be up; `headgate doctor` says whether they are. PROMPT may come from stdin or -f FILE.
    """
    from headgate.core.policy import decide
    from headgate.core.signals import measure
    from headgate.core.types import FleetView
    from headgate.engines.tokenizer import load_counter
    from headgate.gateway.shown_decision import describe_decision
    from headgate.starting import open_budgets, with_rates

    prompt = read_prompt(given)
    config = with_rates(load(config_file))
    request = as_texts(request_for(prompt, given, config.policy), config.policy)
    signals = measure(request, config.policy)
    if signals.tokens_exact is False and near_a_limit(signals.tokens, config):
        signals = measure(request, config.policy, load_counter())
    signals = expected(config, request, signals)
    budgets = open_budgets(config)
    allowance, overspent = budgets.allowances(budgets.of("", "", signals.task))
    view = FleetView(allowance=allowance, overspent=overspent)
    decision = decide(config.policy, view, request, signals)
    told = describe_decision(config.policy, config.baseline_price, request, signals, decision)
    if as_json:
        put_json(told)
    else:
        put(draw(told, signals))


def expected(config: Any, request: "Request", signals: "Signals") -> "Signals":
    """The signals with what the router in use says, if any is; a word on stderr where it cannot be used."""
    from headgate.gateway.learned import take_up
    from headgate.gateway.road import expecting
    from headgate.ledger.routers import number_in_use

    path, policy = config.ledger.path, config.policy
    router, said = take_up(path, policy.models, policy.learning, number_in_use(path))
    if said:
        say(f"note: {said}")
    return signals if router is None or request.kind != "chat" else expecting(router, request, signals)


def as_texts(request: "Request", policy: "Policy") -> "Request":
    """The request as one for embeddings, if its task or its model says so.

    Raises:
        UsageError: no model makes them.
    """
    from msgspec.structs import replace

    from headgate.core.errors import UsageError
    from headgate.core.policy import asked_task, find_model, is_auto
    from headgate.gateway.refusals import unroutable

    if is_auto(request.asked):
        embeds = (request.task or asked_task(request.asked)) == "embedding"
    else:
        model = find_model(policy, request.asked)
        embeds = model is not None and model.kind == "embedding"
    if not embeds:
        return request
    request = replace(request, kind="embedding")
    problem = unroutable(policy, request)
    if problem is not None:
        raise UsageError(problem.message, problem.hint)
    return request


def near_a_limit(tokens: int, config: Any) -> bool:
    """Whether an exact count could change the route."""
    from headgate.core.tokens import near

    return near(tokens, config.policy.token_limits)


def draw(told: dict[str, Any], signals: Any) -> str:
    """The decision for a person."""
    from headgate.reports.story import chances_shown

    sure = f"{told['task_confidence']:.2f} sure" if signals.task_by == "rules" else "the caller's word"
    task = (
        f"{told['task']} ({sure})"
        if told["task"]
        else f"no evidence (best guess only {told['task_confidence']:.2f} sure)"
    )
    counted = "counted" if told["tokens_exact"] else "about, from bytes"
    lines = [
        f"task      {task}",
        f"tokens    {told['tokens']:,} ({counted})",
        f"format    {told['format']}",
        f"language  {told['language'] or 'unsure'}",
        *([f"labels    {', '.join(told['labels'])}"] if told["labels"] else []),
        *(
            [f"expected  {chances_shown(signals)} acceptable, by the learned router"]
            if signals.chances
            else []
        ),
        f"route     {told['route']}: {told['why']}",
        "chain",
    ]
    width = max(len(candidate.model) for candidate in told["candidates"])
    for candidate in told["candidates"]:
        cost = (
            "price unknown"
            if candidate.estimate is None
            else f"about ${candidate.estimate:.6f}"
            if candidate.estimate
            else "free"
        )
        state = f"skipped, {candidate.skip}: {candidate.detail}" if candidate.skip else cost
        lines.append(f"  {candidate.model:<{width}}  {state}")
    base = told["baseline_cost_usd"]
    if told["kind"] == "chat":
        lines.append(
            f"baseline  {told['baseline']}: " + ("price unknown" if base is None else f"about ${base:.6f}")
        )
    return "\n".join(lines)
