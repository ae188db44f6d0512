"""What checks read besides the reply itself: the ask, the text it came with, and what the model said aloud.

Nothing here judges. It knows messages as they arrived; it does not know which part of an ask is the instruction and which
is the material, so "the source" is everything that the model was given to read.
"""

from headgate.core.types import Answer


def said(text: str) -> str:
    """The reply without a leading `<think>…</think>` block, which some local models leave in their text.

    A block that never closes leaves nothing: the model was still thinking.
    """
    if "<think>" not in text[:32]:
        return text
    return text.partition("</think>")[2]


def last_ask(answer: Answer) -> str:
    """The text of the caller's last message; "" if there is none."""
    for message in reversed(answer.request.messages):
        if message.role == "user":
            return message.text
    return ""


def instructions(answer: Answer) -> str:
    """The system messages, joined; "" if there are none."""
    return "\n".join(m.text for m in answer.request.messages if m.role in ("system", "developer"))


def main_text(answer: Answer) -> str:
    """The longest text among the caller's and the tools' messages: what a summary is most likely made from."""
    return max((m.text for m in answer.request.messages if m.role in ("user", "tool")), key=len, default="")


def everything_given(answer: Answer) -> str:
    """All the text that the model could read, whoever wrote it."""
    return "\n".join(m.text for m in answer.request.messages)


def without_fences(text: str) -> str:
    """The text outside ``` fences."""
    if "```" not in text:
        return text
    return "\n".join(text.split("```")[::2])
