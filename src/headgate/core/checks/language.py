"""Is the answer in the right language? `language-matches`.

The right language is the one that the ask names as a target ("translate into German", "antworte auf Englisch"), else the
ask's own. It knows English, German, French and Spanish; anything else, and anything short, is no evidence. It does not
judge a translation, only the language that it is in.
"""

import re

from headgate.core.checks.material import instructions, last_ask, said, without_fences
from headgate.core.language import detect
from headgate.core.types import Answer, Verdict

_NAMES: dict[str, str] = {
    "english": "en", "englisch": "en", "englische": "en", "englischen": "en", "anglais": "en", "inglés": "en",
    "german": "de", "deutsch": "de", "deutsche": "de", "deutschen": "de", "allemand": "de", "alemán": "de",
    "french": "fr", "französisch": "fr", "französische": "fr", "französischen": "fr", "français": "fr", "francés": "fr",
    "spanish": "es", "spanisch": "es", "spanische": "es", "spanischen": "es", "espagnol": "es", "español": "es",
    "castellano": "es",
    "italian": "it", "italienisch": "it", "italien": "it", "italiano": "it",
    "portuguese": "pt", "portugiesisch": "pt", "portugais": "pt", "portugués": "pt",
    "dutch": "nl", "niederländisch": "nl", "néerlandais": "nl", "holandés": "nl",
    "polish": "pl", "polnisch": "pl", "polonais": "pl", "polaco": "pl", "turkish": "tr", "türkisch": "tr",
    "russian": "ru", "russisch": "ru", "russe": "ru", "ruso": "ru", "chinese": "zh", "chinesisch": "zh",
    "chinois": "zh", "chino": "zh", "japanese": "ja", "japanisch": "ja", "japonais": "ja", "japonés": "ja",
    "korean": "ko", "arabic": "ar", "arabisch": "ar", "arabe": "ar", "árabe": "ar", "swedish": "sv", "czech": "cs",
    "latin": "la", "hindi": "hi", "ukrainian": "uk", "greek": "el",
}  # fmt: skip
_INTO = re.compile(
    r"(?:\b(?:into|to|in|auf|ins|en|vers|al|in das|in die)\s+(?:the\s+|l')?)("
    + "|".join(sorted(_NAMES, key=len, reverse=True))
    + r")\b"
)
_ORDERS = re.compile(
    r"translat|repl[yi]|respond|answer|write|rewrite|summari[sz]e|explain|draft|output|übersetz|antwort|schreib|fasse|verfass|"
    r"formulier|erklär|tradui|répond|écri|résum|rédige|explique|traduc|traduz|respond|contest|escrib|resum|redact"
)
_SHORTEST = 40


def language_matches(answer: Answer) -> Verdict:
    """1.0 if the answer is in the language it should be in, 0.0 if it clearly is not, 0.3 if it seems not.

    None for short answers, code, JSON, languages we cannot tell, and asks that leave it open.
    """
    if answer.reply.tool_calls or answer.request.format.kind != "text":
        return _verdict(None, "it is not prose")
    prose = without_fences(said(answer.reply.text)).strip()
    if len(prose) < _SHORTEST or prose[0] in "{[<":
        return _verdict(None, f"{len(prose)} characters of prose are too few to tell")
    spoken, confidence = detect(prose)
    if not spoken:
        return _verdict(None, "its language cannot be told")
    ask = last_ask(answer)
    wanted, mentioned = _wanted(ask, instructions(answer))
    if not wanted and answer.signals.task == "translation":
        wanted = mentioned
        if not wanted:
            return _verdict(None, "the ask does not name the language to translate into")
    expected = wanted or ({answer.signals.language} if answer.signals.language else set())
    if not expected:
        return _verdict(None, "the language of the ask cannot be told")
    if spoken in expected:
        return _verdict(1.0, f"it is in {spoken}, as it should be")
    if not expected <= {"en", "de", "fr", "es"}:
        return _verdict(None, f"{', '.join(sorted(expected))} was asked, which we cannot tell apart")
    if not wanted and (spoken in mentioned or spoken == detect(ask[-1500:])[0]):
        return _verdict(None, f"the ask has {spoken} in it too")
    score = 0.0 if confidence >= 0.75 else 0.3
    return _verdict(score, f"it is in {spoken}, not in {', '.join(sorted(expected))}")


def _wanted(ask: str, system: str) -> tuple[set[str], set[str]]:
    """The languages that the ask or the system message orders, and those that it only mentions.

    Only the first and last 400 characters of each are read: orders stand there, and the middle is material.
    """
    ordered: set[str] = set()
    mentioned: set[str] = set()
    for text in (ask, system):
        for piece in (text[:400], text[400:][-400:]):
            lowered = piece.lower()
            for found in _INTO.finditer(lowered):
                code = _NAMES[found.group(1)]
                before = lowered[max(0, found.start() - 90) : found.start()]
                sentence = re.split(r"[.!?\n]\s", before)[-1]
                (ordered if _ORDERS.search(sentence) else mentioned).add(code)
        if ordered:
            break
    return ordered, mentioned


def _verdict(score: float | None, reason: str) -> Verdict:
    return Verdict("language-matches", score, reason)
