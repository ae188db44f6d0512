"""What the baseline model would have counted: the tokens of a request in the baseline's tokenizer, not in that of who answered.

Every model cuts text up its own way: the same page is 900 tokens for one and 1,100 for another, and a local model's template
adds some of its own. The baseline is charged for what it would have counted:

    prompt   as counted by o200k, where it was, with the `PRIMING` tokens that every conversation costs there
             else what the engine reported × the ratio learned of that model
    answer   what the engine reported × the ratio learned of it; thoughts are left out where the baseline does not think
    neither  what the engine reported, where nothing is learned yet, or the baseline's tokenizer is not ours to have

What is only repetition (`Request.repeated`), or an answer on the way to another (`Request.draft`), the baseline would not have read
or written. The ratio is that of sums, so that over many requests the sum is right, though a single one may be a little off.
"""

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

from headgate.core.tokens import Counter
from headgate.core.types import Model, Reply, Request, Signals, Usage

PRIMING: Final = 3
"""Tokens with which OpenAI's template begins an answer. `core.tokens.PER_MESSAGE` is what it adds to each message."""

FIRST: Final = 20
"""Answers of a model that are all counted."""
THEN_EVERY: Final = 128
"""Of the later ones, one in so many."""

_O200K: Final = re.compile(r"(?:.*/)?(?:ft:)?(?:chatgpt-4o|gpt-(?:4o|4\.1|4\.5|[5-9]|oss)|o[134](?:-|$))")
_THINKS: Final = re.compile(r"(?:.*/)?(?:ft:)?(?:gpt-(?:[5-9]|oss)|o[134](?:-|$))")


@lru_cache(maxsize=1024)  # asked for each answer
def counts_o200k(model_id: str) -> bool:
    """Whether a model's own tokens are those of o200k: OpenAI's since GPT-4o."""
    return _O200K.match(model_id) is not None


def thinks(model_id: str) -> bool:
    """Whether it would have thought before it answered, and charged for that."""
    return not counts_o200k(model_id) or _THINKS.match(model_id) is not None


class Tally(Struct):
    """What is known of a model's own tokens beside those of o200k: sums over the answers that were counted."""

    answers: int = 0
    prompt: int = 0
    """Reported by its engine."""
    prompt_counted: int = 0
    """The same prompts by o200k."""
    output: int = 0
    output_counted: int = 0

    def add(self, reported: Usage, prompt: int, output: int) -> None:
        """One more answer was counted."""
        self.answers += 1
        self.prompt += reported.prompt
        self.prompt_counted += prompt
        self.output += reported.output
        self.output_counted += output

    @property
    def prompt_ratio(self) -> float | None:
        """o200k's tokens for each of its own; None while nothing is known."""
        return self.prompt_counted / self.prompt if self.prompt else None

    @property
    def output_ratio(self) -> float | None:
        """Likewise, of answers."""
        return self.output_counted / self.output if self.output else None


def answer_tokens(reply: Reply, counter: Counter, *, thinking: bool) -> int:
    """An answer as the baseline would count it."""
    total = counter(reply.text) + sum(counter(call.name + call.arguments) for call in reply.tool_calls)
    return total + counter(reply.reasoning) if thinking else total


def recount(
    request: Request, signals: Signals, model: Model, usage: Usage, tally: Tally | None, *, thinking: bool
) -> tuple[int | None, int | None]:
    """Tokens of prompt and answer for the baseline, whose tokenizer is o200k; None is as they were reported.

    Args:
        request: what was asked.
        signals: what was measured on it.
        model: who answered.
        usage: what its engine reported of the answering attempt.
        tally: what is known of its tokens.
        thinking: whether the baseline thinks.
    """
    if counts_o200k(model.id):
        prompt: int | None = usage.prompt
        output: int | None = usage.output if thinking else usage.output - usage.reasoning
    else:
        ratios = (
            (None, None) if tally is None or not usage.exact else (tally.prompt_ratio, tally.output_ratio)
        )
        prompt = None if ratios[0] is None else round(usage.prompt * ratios[0])
        output = None if ratios[1] is None else round(usage.output * ratios[1])
        if signals.tokens_exact:
            prompt = signals.tokens + PRIMING
    return spared(request, usage, prompt, output)


def spared(
    request: Request, usage: Usage, prompt: int | None, output: int | None
) -> tuple[int | None, int | None]:
    """The same without what the baseline would not have read or written at all."""
    if request.repeated:
        prompt = max(0, (usage.prompt if prompt is None else prompt) - request.repeated)
    return prompt, 0 if request.draft else output
