"""The labels that an ask offers to choose from: "billing, technical or escalation" → ("billing", "technical", "escalation").

Only a list behind a plain announcement counts ("into one of", "categories:", "as …"), so that a shopping list in a pasted
e-mail is not taken for labels. Where nothing is announced there are none, and the check that wants them has no evidence.
"""

import re

WINDOW = 400
"""Characters of the first and of the last line in which announcements are looked for: what stands between is pasted."""

ANNOUNCEMENT = re.compile(
    r"\b(?:(?:category|label|class)[^.?!\n]{0,40}\?|categor(?:y|ies)|labels?|class(?:es)?|options|one of|choose from|either|as|into|is (?:it|this|the)|sentiment|tone"
    r"|(?:answer|reply|respond)(?: with)?|classify|sort|which|kategorien?|ordne|ist (?:das|es|dies)|classe[rz]?|clasifica|est-ce|es (?:positiv|negativ|un)|etiquetas?|catégories?|categorías?|entweder|als)(?!\w)",
    re.IGNORECASE,
)
END = re.compile(r"[.;?!\n)]|$")
CHOICE = re.compile(r"\s*(?:[,/|]|\b(?:or|and|oder|und|ou|et|o|y)\b)\s*", re.IGNORECASE)
LABEL = re.compile(r"[^\W\d_][\w-]*(?: [\w-]+){0,2}")
FILLERS = re.compile(
    r"^(?:(?:exactly|one|of|the|this|these|following|categor(?:y|ies)|labels?|either|an?|from|as|into|with|is|it|only|just"
    r"|customer|support|client|message|review|text|(?:e-?)?mails?|feedback|ticket|comment|note)\b[\s:]*)+",
    re.IGNORECASE,
)
QUOTES = " \t\"'`*:(["


def find_labels(text: str) -> tuple[str, ...]:
    """The announced choices in their own spelling, or () when there are none or only one."""
    text = text.strip()
    first, last = text.partition("\n")[0], text.rpartition("\n")[2]
    asks_last = last != first and (last.endswith("?") or ANNOUNCEMENT.match(last) is not None)
    for window in (first[:WINDOW], last[-WINDOW:] if asks_last else ""):
        for announcement in ANNOUNCEMENT.finditer(window):
            end = END.search(window, announcement.end())
            labels = split_choices(window[announcement.end() : end.start() if end else None])
            if labels:
                return labels
    return ()


def split_choices(listing: str) -> tuple[str, ...]:
    """The pieces of a list: "x, y or z" → ("x", "y", "z"), or () when the pieces do not look like labels."""
    head, colon, tail = listing.partition(":")
    if colon and CHOICE.search(head):
        listing = head  # "as billing or technical: I was charged twice"
    elif colon and len(head) <= 40:
        listing = tail  # "into one category: billing or technical"
    listing = FILLERS.sub("", listing.strip(QUOTES))
    pieces = [piece.strip(QUOTES + "])") for piece in CHOICE.split(listing)]
    labels = tuple(piece for piece in pieces if piece)
    if len(labels) < 2 or not all(len(label) <= 25 and LABEL.fullmatch(label) for label in labels):
        return ()
    return labels
