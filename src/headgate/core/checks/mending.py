"""JSON as small models write it, made into JSON: what stands around it taken off, what they forget closed.

It does not know what the values should be: whoever asks holds the result against a schema before believing it.
"""

LONGEST = 32_000
"""Characters that are mended: the mender takes a millisecond for each thousand, and all requests wait for it."""
_DEEPEST = 40
"""Brackets within brackets. A model that opens brackets for ever would keep the mender busy for seconds."""


def mend(text: str) -> str | None:
    """Valid JSON from text that begins with a bracket; None if it does not, or is too long, too deep or beyond mending."""
    if not text.startswith(("{", "[")) or len(text) > LONGEST or _depth(text) > _DEEPEST:
        return None
    import json_repair  # noqa: PLC0415 - 45 ms of import that only a broken answer needs

    try:
        mended = json_repair.repair_json(text, skip_json_loads=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    return mended if isinstance(mended, str) else None


def bare_json(text: str) -> str:
    """The text from its first bracket to its last, without the fences and words around it."""
    if "```" in text:
        block = text.split("```")[1]
        text = block[4:] if block[:4].lower() == "json" else block
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if not starts:
        return text.strip()
    end = max(text.rfind("}"), text.rfind("]"))
    # A missing last bracket leaves nothing to cut at: the rest is kept for the mender.
    return text[min(starts) : end + 1].strip() if end > min(starts) else text[min(starts) :].strip()


def _depth(text: str) -> int:
    """How deep the brackets go, those inside strings included."""
    depth = deepest = 0
    for sign in text:
        if sign in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "}]":
            depth -= 1
    return deepest
