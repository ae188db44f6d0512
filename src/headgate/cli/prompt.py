"""A prompt from the command line: an argument, a file or stdin, and what goes with it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headgate.cli.common import Number

if TYPE_CHECKING:
    from headgate.core.policy import Policy
    from headgate.core.types import Request

Function = TypeVar("Function", bound=Callable[..., Any])


def with_prompt(function: Function) -> Function:
    """Add the prompt and its options, given to the function by name."""
    for option in (
        click.option(
            "--format",
            "asked_format",
            type=click.Choice(["text", "json"]),
            default="text",
            help="The asked form.",
        ),
        click.option("--local", "local_only", is_flag=True, help="Never leave this machine."),
        click.option("--max-tokens", type=click.IntRange(min=1), help="The longest answer."),
        click.option("--temperature", type=Number(0, 2), help="How freely it answers; 0 is not at all."),
        click.option("--system", metavar="TEXT", help="A system prompt."),
        click.option(
            "--model", default="auto", show_default=True, help='"auto", a model by name, or "agent:NAME".'
        ),
        click.option("--task", metavar="TASK", help="Name the task instead of letting it be guessed."),
        click.option(
            "-f", "--file", "file", metavar="FILE", help="Read the prompt, or what it is about, from a file."
        ),
        click.argument("prompt", required=False),
    ):
        function = option(function)
    return function


def read_prompt(given: dict[str, Any]) -> str:
    """The prompt's text; a file or stdin is put behind an argument.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    from headgate.core.errors import UsageError

    parts = [given["prompt"]] if given["prompt"] and given["prompt"] != "-" else []
    try:
        if given["file"]:
            parts.append(Path(given["file"]).expanduser().read_text(encoding="utf-8"))
        elif given["prompt"] == "-" or not (parts or sys.stdin.isatty()):
            parts.append(sys.stdin.buffer.read().decode("utf-8"))
        text = "\n\n".join(part for part in parts if part)
        text.encode()  # an argument may hold bytes that are no text
    except OSError as error:
        raise UsageError(
            f"{given['file']} cannot be read: {error.strerror}", "-f takes the path of a text file"
        ) from error
    except UnicodeError as error:
        where = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise UsageError(f"the prompt is not UTF-8 text{where}", "save it as UTF-8") from error
    if not text.strip():
        raise UsageError(
            "there is no prompt", 'headgate ask "Sort this e-mail: …", or pipe one in, or -f FILE'
        )
    return text


def request_for(text: str, given: dict[str, Any], policy: "Policy") -> "Request":
    """A request from what was given.

    Raises:
        UsageError: a word that we do not know, with the one that was probably meant.
    """
    from difflib import get_close_matches
    from time import time

    from headgate.core.errors import UsageError
    from headgate.core.policy import AGENT, find_model
    from headgate.core.types import Format, Message, Request
    from headgate.core.words import TASKS
    from headgate.gateway.refusals import unroutable
    from headgate.gateway.serve import new_id

    task, asked = given["task"], given["model"]
    if task is not None and task not in TASKS:
        close = get_close_matches(task, TASKS, n=1)
        raise UsageError(
            f'there is no task "{task}"',
            f'did you mean "{close[0]}"?' if close else f"one of: {', '.join(TASKS)}",
        )
    system = (Message("system", given["system"]),) if given["system"] else ()
    request = Request(
        id=new_id(time()),
        asked=asked,
        messages=(*system, Message("user", text)),
        max_tokens=given["max_tokens"],
        temperature=given["temperature"],
        format=Format(given["asked_format"]),
        task=task,
        local_only=given["local_only"],
    )
    model = find_model(policy, asked)
    problem = unroutable(policy, request)
    if problem is not None and (model is None or model.kind == "chat"):
        raise UsageError(problem.message, problem.hint)
    return as_agents(request, policy) if asked.startswith(AGENT) else request


def as_agents(request: "Request", policy: "Policy") -> "Request":
    """The request as its subagent is asked it.

    Raises:
        UsageError: the prompt is no input for the subagent.
    """
    from headgate.core.agents import ask, give
    from headgate.core.errors import UsageError
    from headgate.core.policy import AGENT
    from headgate.core.templates import Unfit

    agent = policy.agents[request.asked.removeprefix(AGENT)]
    asked = ask(agent, request)
    if isinstance(asked, Unfit):
        raise UsageError(asked.problem, asked.hint)
    return give(agent, asked)
