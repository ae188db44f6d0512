"""Does a passage help to answer a question? A chat model says yes or no, and its log-probabilities say how surely.

It asks one model by its name, so that nobody pays for a search without having said so. It does not know where passages come from.
"""

from collections.abc import Awaitable, Callable

from headgate.core.citing import Passage
from headgate.core.errors import UsageError
from headgate.core.policy import Policy
from headgate.core.probability import MANY, label_probabilities
from headgate.core.types import GiveUp, Message, Outcome, Reply, Request
from headgate.gateway.serve import new_id

Ask = Callable[[Request], Awaitable[tuple[Reply | GiveUp, Outcome]]]
"""Takes a request through the gate."""

LABELS = ("yes", "no")
ORDERS = "You are given a question and a passage. Does the passage help to answer the question? Say exactly yes or no."


class Relevance:
    """A model of the gate as `knowledge.rerank.Judge`.

    Args:
        ask: takes a request through the gate.
        policy: the models.
        model: who reads.
        clock: Unix time in seconds.

    Raises:
        UsageError: there is no such model, or it does not chat.
    """

    def __init__(self, ask: Ask, policy: Policy, model: str, clock: Callable[[], float]) -> None:
        chats = [one.name for one in policy.models.values() if one.kind == "chat"]
        if model not in chats:
            raise UsageError(
                f'there is no model "{model}" that reads passages', f"one of: {', '.join(chats)}"
            )
        self._ask = ask
        self._model = model
        self._clock = clock

    async def __call__(self, question: str, passage: Passage) -> float | None:
        """The probability that the passage helps, 0-1; None if the model did not say."""
        shown = f"{passage.heading}\n{passage.text}".strip()
        request = Request(
            id=new_id(self._clock()),
            asked=self._model,
            messages=(
                Message("system", ORDERS),
                Message("user", f"Question: {question}\n\nPassage:\n{shown}\n\nDoes it help? yes or no:"),
            ),
            task="classification",
            labels=LABELS,
            temperature=0,
            max_tokens=4,
            logprobs=True,
            top_logprobs=MANY,
        )
        reply, _ = await self._ask(request)
        if isinstance(reply, GiveUp):
            return None
        if reply.logprobs is not None:
            found = label_probabilities(reply.logprobs, reply.text, LABELS, "")
            if found:
                return found.get("yes", 0.0)
        said = reply.text.strip().lower()
        return 1.0 if said.startswith("yes") else 0.0 if said.startswith("no") else None
