"""The stand-in for Claude: a local server that speaks Anthropic's protocol and says what the week's data tell it to say.

It is no model. Whoever shows its answers must show its label beside them; its tokens are counted from its texts.
"""

from collections.abc import Iterable

from headgate.demo.week import Ask
from headgate.testing.answers import Answer, count_tokens, default_answer
from headgate.testing.anthropic import AnthropicDouble
from headgate.testing.calls import ReceivedCall

LABEL = "stand-in"
MODEL = "claude-sonnet-5-5"

FIRST = 0.04
"""Seconds before an answer begins, as if a network lay between."""
PER_TOKEN = 0.0005
"""Seconds for each token of an answer."""


def stand_in(asks: Iterable[Ask], key: str) -> AnthropicDouble:
    """The server, not yet started.

    Args:
        asks: the requests that it can answer, known by their last message.
        key: the only API key that it accepts.
    """
    answers = {ask.messages[-1][1]: ask.answer for ask in asks}

    def answer(call: ReceivedCall) -> Answer:
        text = answers.get(call.prompt)
        if text is None:
            return default_answer(call, LABEL)
        return Answer(text, delay=FIRST + PER_TOKEN * count_tokens(text))

    return AnthropicDouble([MODEL], answer, keys=[key], label=LABEL)
