"""Is there an answer, and is it whole? Two checks on the bare text: `not-empty` and `not-cut-off`.

They look at the first and the last few hundred characters only. They know how texts begin and end, not what they mean:
a cut that happens to fall on a full stop is seen only if the engine says that it ran out of tokens.
"""

from headgate.core.checks.material import said
from headgate.core.types import Answer, Verdict

_HAS_CALLS = Verdict("not-empty", 1.0, "it calls a tool")
_HAS_TEXT = Verdict("not-empty", 1.0, "it says something")
_EMPTY = Verdict("not-empty", 0.0, "the answer is empty")
_ONLY_THOUGHT = Verdict("not-empty", 0.0, "the model thought aloud but gave no answer")
_WHOLE = Verdict("not-cut-off", 1.0, "it ends where it should")
_FILTERED = Verdict("not-cut-off", 0.0, "the engine's content filter stopped it")

_SMALL_LIMIT = 64
"""Tokens. A caller's limit so small cuts any model's answer, so a cut says nothing about this one's."""

# A sentence never ends with these, in any of the four languages.
_DANGLING_WORDS = (
    "the a an and or but of to in on at by for with from as that which is are was were be will because "
    "der die das den dem des ein eine einen und oder aber von vom zu zum zur mit für bei nach dass weil wenn als im "
    "le la les un une des du de et ou mais que qui dans pour par sur avec est sont "
    "el los las una del y o pero en para por con es son porque"
)
_DANGLING = frozenset(_DANGLING_WORDS.split())
_LIST_STARTS = ("-", "*", "•", "–", "|", "#", ">", "+", "~")


def not_empty(answer: Answer) -> Verdict:
    """1.0 if there is a letter, a digit, a symbol or a tool call; 0.0 for nothing, spaces or bare punctuation."""
    reply = answer.reply
    if reply.tool_calls:
        return _HAS_CALLS
    text = said(reply.text)
    if text[:1].isalnum() or _means_something(text):
        return _HAS_TEXT
    bare = text.strip()
    if not bare:
        return _ONLY_THOUGHT if reply.text.strip() else _EMPTY
    if bare in answer.signals.labels:
        return _HAS_TEXT
    return Verdict("not-empty", 0.0, f"the answer is only punctuation: {bare[:12]!r}")


def _means_something(text: str) -> bool:
    # Above U+2100 lie symbols, emoji and most scripts; U+3000–303F is punctuation again.
    return any(c.isalnum() or (c > "\u2100" and not "\u3000" <= c <= "\u303f") for c in text)


def not_cut_off(answer: Answer) -> Verdict:
    """0.0 if the engine ran out of tokens or was stopped; less than 0.6 if the text breaks off; else 1.0.

    No evidence where the caller's own limit was too small for any answer.

    A code fence that never closes scores 0.2, a last line that ends on a comma or a word like "the" 0.2, a long last line
    without its full stop 0.5. Lists, tables, labels, signatures, URLs and JSON may end as they like.
    """
    reply = answer.reply
    if reply.finish == "length":
        limit = answer.request.max_tokens
        if limit is not None and limit <= _SMALL_LIMIT:
            return Verdict("not-cut-off", None, f"the caller wants {limit} tokens and no more")
        return Verdict("not-cut-off", 0.0, f"it ran out of tokens after {reply.usage.output} of output")
    if reply.finish == "content_filter":
        return _FILTERED
    if reply.tool_calls or answer.request.stop or answer.request.format.kind != "text":
        return _WHOLE
    text = reply.text
    if "`" in text and text.count("```") & 1 and not text.rstrip().endswith("\n```"):
        return Verdict("not-cut-off", 0.2, "a code block is never closed")
    tail = text[-400:].rstrip()
    if not tail or not (tail[-1].isalpha() or tail[-1] == ","):
        return _WHOLE
    line = tail[tail.rfind("\n") + 1 :].lstrip()
    return _judge_last_line(line)


def _judge_last_line(line: str) -> Verdict:
    words = line.split()
    if len(words) < 6:
        return _WHOLE  # a label, a title, a signature, a line of verse
    last = words[-1]
    if last[-1] == "," or last.lower() in _DANGLING:
        return Verdict(
            "not-cut-off", 0.2, f"it breaks off in the middle of a sentence: “… {' '.join(words[-3:])}”"
        )
    listed = line[0] in _LIST_STARTS or words[0][-1] in ".)" or " # " in line or " // " in line
    headline = sum(word[0].isupper() for word in words) * 2 >= len(words)
    if len(line) < 60 or listed or headline or not last.isalpha():
        return _WHOLE
    return Verdict("not-cut-off", 0.5, f"its last sentence has no end: “… {' '.join(words[-3:])}”")
