"""Stop 2 of a request: measure it. Request → Signals, in tens of microseconds.

Only the human's ask decides the task: the last message of the user, without what a harness wraps around it. A system
prompt or thirty tool schemas make a request long, not difficult, so they count as tokens and as nothing else. The
caller's own word ("auto:classification", the header `x-headgate-task`) wins over the classifier. A guess below the
policy's confidence is no evidence: the task is None, and the confidence is kept, so that the ledger can tell.
"""

import re

from headgate.core import tokens as tokens_
from headgate.core.labels import find_labels
from headgate.core.language import detect
from headgate.core.policy import Policy, asked_task
from headgate.core.tasks import classify
from headgate.core.types import Request, Signals
from headgate.core.words import FormatKind, Task, TaskBy

HARNESS = re.compile(
    r"<(system-reminder|environment_details|environment_context|user_info|additional_data|command-\w+|local-command-\w+)>"
    r".*?</\1>",
    re.DOTALL,
)
"""What agents' harnesses put into a person's messages."""

LABELLED: frozenset[Task] = frozenset({"classification", "sentiment"})
JSON_TASKS: frozenset[Task] = LABELLED | {"extraction"}
SPOKEN = 160
"""Characters of the ask that tell its language; more do not tell it better."""
ASKS_FOR_JSON = (
    "as json",
    "json object",
    "return json",
    "only json",
    "valid json",
    "json with",
    "in json",
    "als json",
    "en json",
)


def measure(request: Request, policy: Policy, counter: tokens_.Counter | None = None) -> Signals:
    """Look at a request.

    Args:
        request: what the caller asked.
        policy: its token limits say where an exact count is worth its price.
        counter: a real tokenizer; without one every count is an estimate.
    """
    ask = human_ask(request)
    task, confidence, by = name_task(request, ask, policy.task_confidence)
    tokens = tokens_.guess(request)
    exact = counter is not None and request.kind == "chat" and tokens_.near(tokens, policy.token_limits)
    if exact and counter is not None:
        tokens = tokens_.count(request, counter)
    system = request.messages[0].text if request.messages[0].role in ("system", "developer") else ""
    return Signals(
        task=task,
        task_confidence=confidence,
        task_by=by,
        tokens=tokens,
        tokens_exact=exact,
        format=asked_format(request, ask, task),
        tools=len(request.tools),
        images=sum([len(m.images) for m in request.messages if not isinstance(m.content, str)]),
        language=detect(ask[:SPOKEN])[0],
        code_blocks=ask.count("```") // 2 if "`" in ask else 0,
        labels=request.labels or ((find_labels(ask) or find_labels(system)) if task in LABELLED else ()),
        local_only=request.local_only or request.asked == "auto:local",
    )


def human_ask(request: Request) -> str:
    """The text of the last message that a person wrote; tool results, assistants and harnesses do not ask."""
    for message in reversed(request.messages):
        if message.role != "user":
            continue
        text = message.text
        if "<" in text and "</" in text:  # one character is found twenty times as fast as two
            text = HARNESS.sub("", text).strip()
        if text:
            return text
    return ""


def name_task(request: Request, ask: str, enough: float) -> tuple[Task | None, float, TaskBy]:
    """The task, how sure we are, and who said so."""
    if request.kind == "embedding":
        return "embedding", 1.0, "caller"
    named = request.task or asked_task(request.asked)
    if named is not None:
        return named, 1.0, "caller"
    task, confidence = classify(ask)
    if task is None or confidence < enough:
        return None, confidence, "none"
    return task, confidence, "rules"


def asked_format(request: Request, ask: str, task: Task | None) -> FormatKind:
    """The form that the answer must have: what the request's fields say, or a plain "as JSON" in a labelling ask."""
    if request.format.kind != "text" or task not in JSON_TASKS:
        return request.format.kind
    opening = (ask[:400] + ask[-200:]).lower()
    return "json" if "json" in opening and any(phrase in opening for phrase in ASKS_FOR_JSON) else "text"
