"""Was the prompt cut in silence? Some engines drop what does not fit their window, and answer the rest as if it were all.

Only the count of tokens that they report gives them away: a prompt has at least as many tokens as words, because no tokenizer
that we know makes one token of two words. This proves a cut; it cannot prove that there was none, least of all in languages
that write without spaces.
"""

from headgate.core.types import Failure, Request

LEAST_WORDS = 500
"""Shorter prompts fit every window, and odd counts of theirs prove nothing."""

SUSPICIOUS = 5
"""Characters a token from which words are counted. Prose has four to five, so it costs ordinary requests nothing."""


def cut_prompt(request: Request, counted: int) -> Failure | None:
    """The failure of an engine that cannot have read the whole prompt; None when nothing says so.

    Args:
        request: what was asked. What the model said earlier is left aside: chat templates drop parts of that.
        counted: the prompt's tokens, as the engine reports them, those from its cache included; 0 is unknown.
    """
    texts = [message.text for message in request.messages if message.role != "assistant"]
    if not counted or sum(map(len, texts)) <= SUSPICIOUS * max(counted, LEAST_WORDS // 2):
        return None
    words = sum(len(text.split()) for text in texts)
    if words < LEAST_WORDS or counted >= words:
        return None
    detail = f"the prompt was cut in silence: the engine counted {counted} tokens in {words} words"
    return Failure(reason="context_overflow", detail=detail, status=200)
