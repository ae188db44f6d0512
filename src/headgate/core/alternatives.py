"""The cheapest cloud model that could have taken a request: the honest competitor of a local model.

It is asked of models what `policy` asks of candidates: does the prompt fit with its answer, can it see, call tools, be held to the
form. How good its answer would have been, nobody knows; nor does this module know where the models come from.
"""

from collections.abc import Iterable

from headgate.core.prices import cost, cost_of_words, only_words
from headgate.core.types import Model, Signals, Usage
from headgate.core.words import Capability


def cheapest(models: Iterable[Model], signals: Signals, usage: Usage) -> tuple[Model, float] | None:
    """That model, and dollars for the tokens without any cache; None when none of these could have taken it.

    A request that must stay at home has no alternative.
    """
    if signals.local_only:
        return None
    best: tuple[Model, float] | None = None
    prompt, answer = usage.input, usage.output
    tokens = prompt + answer
    needs: list[Capability] = []
    if signals.tools:
        needs.append("tools")
    if signals.images:
        needs.append("images")
    if signals.format != "text":
        needs.append(signals.format)
    words = only_words(usage)
    for model in models:
        if model.context is not None and tokens > model.context:
            continue
        if needs and not model.capabilities.issuperset(needs):
            continue
        dollars = cost_of_words(prompt, answer, model.price) if words else cost(usage, model.price)
        if dollars is not None and (best is None or dollars < best[1]):
            best = model, dollars
    return best
