"""Where a past call would have gone: home, to the cloud, or nobody can say without running it.

With its prompt, a call is measured and decided as the gate would do it; its token count is the one that was billed. Without
a prompt only its size is known, and its task is not. What an answer from home would have been worth is not known here.
"""

from bisect import bisect_left
from functools import lru_cache
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headgate.core.policy import Policy, decide
from headgate.core.signals import measure
from headgate.core.types import FleetView, Message, Request, Signals
from headgate.core.words import TASKS, FormatKind, Task
from headgate.lab.imports.calls import PastCall, Record
from headgate.wire.doors.anthropic_messages import Messages
from headgate.wire.doors.openai_chat import ChatCompletions
from headgate.wire.faults import Fault

Way = Literal["home", "cloud", "unknown"]

CHATS: tuple[Task | None, ...] = (*(task for task in TASKS if task != "embedding"), None)
"""What a call of chat may be about; None is a task that nobody recognises."""

NO_PROMPT = "the export holds no prompt, so its task is unknown"
ONLY_SUMS = "the export tells sums, and no single call"
UNREADABLE = "its prompt cannot be read"

SKIPPED = {
    "window": "longer than the windows of the models at home",
    "capability": "needs what no model of its route at home can do: tools, images or a schema",
    "format": "asks for a form that no model of its route at home keeps to",
}

FORMS: tuple[FormatKind, ...] = get_args(FormatKind)

_EVERYTHING = FleetView()
_CHAT, _MESSAGES = ChatCompletions(), Messages()


class Placed(Struct, frozen=True, kw_only=True):
    """What would have become of a call."""

    way: Way
    settled: bool = False
    """It would have gone the same way whatever its task."""
    possible: bool = False
    """Of an unknown one: some tasks of its size would have gone home."""
    task: Task | None = None
    route: str = ""
    model: str = ""
    """The first that would have been asked."""
    why: str = ""
    """Why it goes to the cloud, or why nobody can say."""
    tokens: int = 0
    """Of the prompt."""
    signals: Signals | None = None
    """What was measured on its prompt, where it is known."""
    request: Request | None = None


class Placing:
    """Says by a policy where calls would have gone. All models are taken to be up and loaded.

    Args:
        policy: the user's, or that of the starter page.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._edges = sorted(
            {*policy.token_limits, *(model.context or 0 for model in policy.models.values())}
        )
        self._homely = lru_cache(maxsize=4096)(self._tasks_at_home)

    def place(self, call: PastCall) -> Placed:
        """Where the call would have gone."""
        tokens = 0 if call.usage is None else call.usage.prompt
        if call.calls != 1:  # of their sum, some may be of any size
            mean = tokens // call.calls if call.calls else 0
            return Placed(way="unknown", why=ONLY_SUMS, possible=self._possible(None), tokens=mean)
        if call.body is None:
            possible = self._possible(None if call.usage is None else tokens)
            return Placed(way="unknown", why=NO_PROMPT, possible=possible, tokens=tokens)
        request = as_request(call.body, call.provider)
        if isinstance(request, Fault):
            why = f"{UNREADABLE}: {request.message}"
            possible = self._possible(None if call.usage is None else tokens)
            return Placed(way="unknown", why=why, possible=possible, tokens=tokens)
        signals = measure(request, self.policy)
        if tokens:
            signals = replace(signals, tokens=tokens, tokens_exact=True)
        return self._decided(request, signals)

    def _decided(self, request: Request, signals: Signals) -> Placed:
        decision = decide(self.policy, _EVERYTHING, request, signals)
        homely = self._homely(*self._key(signals))
        first = decision.chain[0] if decision.chain else ""
        home = bool(first) and self.policy.models[first].local
        skip = next(
            (c.skip for c in decision.candidates if c.skip and self.policy.models[c.model].local), None
        )
        return Placed(
            way="home" if home else "cloud",
            settled=len(homely) in (0, len(CHATS)) or signals.task_by == "caller",
            task=signals.task,
            route=decision.route,
            model=first,
            why="" if home else SKIPPED.get(skip or "", f"the route {decision.route} does not begin at home"),
            tokens=signals.tokens,
            signals=signals,
            request=request if home else None,
        )

    def _possible(self, tokens: int | None) -> bool:
        """Whether any call of that size could have gone home; None is a size that is not known."""
        steps = (0, *self._edges) if tokens is None else (self._step(tokens),)
        return any(self._homely(step, form, False, False) for step in steps for form in FORMS)

    def _key(self, signals: Signals) -> tuple[int, Any, bool, bool]:
        return self._step(signals.tokens), signals.format, signals.tools > 0, signals.images > 0

    def _step(self, tokens: int) -> int:
        """The largest count that all limits of the policy treat alike with this one, or any of them."""
        at = bisect_left(self._edges, tokens)
        return self._edges[at] if at < len(self._edges) else self._edges[-1] + 1

    def _tasks_at_home(
        self,
        tokens: int,
        form: Any,
        tools: bool,
        images: bool,
    ) -> frozenset[Task | None]:
        """What a call of that size and form has to be about to go home."""
        request = Request(id="", asked="auto", messages=(Message(role="user", content=""),))
        found = set()
        for task in CHATS:
            signals = Signals(
                task=task,
                task_confidence=1.0,
                task_by="rules",
                tokens=tokens,
                tokens_exact=True,
                format=form,
                tools=+tools,
                images=+images,
            )
            chain = decide(self.policy, _EVERYTHING, request, signals).chain
            if chain and self.policy.models[chain[0]].local:
                found.add(task)
        return frozenset(found)


def as_request(body: Record, provider: str | None) -> Request | Fault:
    """The request behind a body of OpenAI's Chat Completions or Anthropic's Messages."""
    asked: dict[str, Any] = {"max_tokens": 1024, **body, "model": "auto", "stream": False}
    anthropic = "system" in body or (provider == "anthropic" and not _speaks_openai(body))
    door = _MESSAGES if anthropic else _CHAT
    try:
        return door.decode_request(msgspec.json.encode(asked), "")
    except (TypeError, ValueError) as error:
        return Fault(status=400, message=str(error))


def _speaks_openai(body: Record) -> bool:
    """Whether a message has a role that only OpenAI's API knows."""
    messages = body.get("messages")
    return isinstance(messages, list) and any(
        isinstance(message, dict) and message.get("role") in ("system", "developer", "tool")
        for message in messages
    )
