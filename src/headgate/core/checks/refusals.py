"""Does the model do what it was asked, or decline or ask back? `no-refusal` and `asks-back`.

Both read the opening of the answer, where models put such things, in English, German, French and Spanish. They know
phrases, not intentions: a refusal in words of its own passes, and whether a refusal is right is not theirs to say.
"""

import re

from headgate.core.checks.material import last_ask, said
from headgate.core.types import Answer, Verdict

_OPENING = 240
_ANSWERS = Verdict("no-refusal", 1.0, "it does not decline")

# One of these words stands in the opening of every refusal that the patterns below know; most answers have none of them.
_HINT_WORDS = (
    "can't cannot unable able won't sorry sorry, ai ai, model model, don't comfortable decline allowed permitted "
    "kann leider leid leid, darf ki sprachmodell sprachmodell, künstliche "
    "peux puis désolé désolé, désolée, tant suis puedo siento siento, modelo ia ia, tengo"
)
_HINTS = frozenset(_HINT_WORDS.split())
_LETTER = re.compile(
    r"\s*(?:[*#_>\"“„«]+\s*)?(?:subject|betreff|objet|asunto|dear|hi |hello [A-Z]|sehr geehrte|liebe[rs]? |hallo |guten tag|"
    r"bonjour|cher |chère |madame|estimad|querid|hola )",
    re.IGNORECASE,
)
_DO = (
    r"help|assist|provide|create|write|generate|answer|comply|fulfil|fulfill|discuss|do that|do this|give|share|support|"
    r"complete|translate|summari[sz]e|continue|engage|respond|access|browse|open|view|see|produce|process|perform|offer|"
    r"recommend|advise|participate|explain|tell|classify|analy[sz]e|read|make|show|describe"
)
_REFUSAL = re.compile(
    r"\bi(?:'m| am) (?:really |very |so )?sorry,? (?:but )?(?:i|that|this|as an)\b.{0,40}(?:can't|cannot|can not|unable|won't|not able|don't)"
    rf"|\bi (?:can't|cannot|can not|won't|will not) (?:\w+ly |really |actually |just )?(?:be able to )?(?:{_DO})\b(?! but )"
    rf"|\bi(?:'m| am) (?:unable|not able|not comfortable|not allowed|not permitted)(?: to)? (?:\w+ly )?(?:{_DO}|with)"
    rf"|\bi(?:'m| am) not (?:\w+ )?(?:able|comfortable)\b"
    r"|\bas an? (?:ai|large language model|language model|text-based)\b.{0,60}(?:can't|cannot|unable|not able|don't have (?:the ability|access)|do not have (?:the ability|access))"
    r"|\bi (?:don't|do not) have (?:the ability|access|real-time|the capability)"
    r"|\bi must (?:respectfully )?decline\b"
    r"|\bich kann (?:dir|ihnen|dabei|das|diese[nrsm]?|darauf|leider|hierbei)\b.{0,70}\b(?:nicht|keine?n?)\b"
    r"|\bkann ich (?:dir |ihnen )?(?:leider |dabei |hierbei |das |diese[nrsm]? )*(?:nicht|keine?n?)\b"
    r"|\bkann ich (?:dir|ihnen|euch) .{0,60}\bnicht (?:weiterhelfen|helfen|behilflich|dienen)"
    r"|\bdarf ich (?:dir |ihnen )?(?:leider |dabei |das )*(?:nicht|keine?n?)\b"
    r"|\bals (?:ki|sprachmodell|künstliche intelligenz)\S*.{0,60}\b(?:nicht|keine?n?)\b"
    r"|\bje ne (?:peux|puis|suis) (?:malheureusement )?pas (?:vous |t'|te |m'|en mesure|répondre|aider|fournir|accéder|faire|créer|écrire|traiter|générer|donner|effectuer|autorisé)"
    r"|\ben tant qu(?:e modèle|'ia|'intelligence|'assistant|e ia)\b.{0,80}\b(?:ne|pas)\b"
    r"|\bno puedo (?:ayudar|asistir|proporcionar|responder|crear|escribir|generar|cumplir|acceder|dar|hacer|realizar|ofrecer|continuar|compartir)"
    r"|\bno tengo (?:la capacidad|acceso)"
    r"|\bcomo (?:modelo|una? ia|ia|inteligencia)\b.{0,60}\bno (?:puedo|tengo)\b",
    re.DOTALL,
)
_HELPS_ANYWAY = (
    "but here", "however", "but i can", "i can offer", "instead", "that said", "what i can", "aber hier", "jedoch",
    "stattdessen", "allerdings", "cependant", "toutefois", "en revanche", "voici", "sin embargo", "pero aquí", "en cambio",
)  # fmt: skip


def no_refusal(answer: Answer) -> Verdict:
    """0.0 for an answer that opens by declining and offers nothing; 0.4 or 0.7 if it goes on to help; else 1.0.

    0.7: it declines a part, says "but here is …" and goes on for more than 500 characters. 0.4: it declines and goes on,
    without such a turn. A letter that says no on the caller's behalf is not a refusal, nor is one deep inside an answer.
    """
    text = said(answer.reply.text)
    opening = text[:_OPENING].lower()
    if not opening.isascii():
        opening = opening.replace("’", "'")
    if _HINTS.isdisjoint(opening.split()) and "can not" not in opening:
        return _ANSWERS
    found = _REFUSAL.search(opening)
    if found is None or found.start() > 140 or _LETTER.match(text):
        return _ANSWERS
    words = " ".join(found.group().split())[:60]
    if len(text) > 500:
        body = text[found.end() : found.end() + 600].lower()
        if any(turn in body for turn in _HELPS_ANYWAY):
            return Verdict("no-refusal", 0.7, f"it declines a part (“{words}”) and helps with the rest")
        return Verdict("no-refusal", 0.4, f"it opens by declining: “{words}”")
    return Verdict("no-refusal", 0.0, f"it declines: “{words}”")


_MISSING = re.compile(
    r"please (?:provide|share|paste|send|give|supply|include|upload|attach)\b"
    r"|(?:could|can|would) you (?:please |kindly )?(?:provide|share|paste|send|supply|upload|attach|clarify|specify|give me)\b"
    r"|you (?:haven't|have not|didn't|did not) (?:yet |actually )?(?:provided?|included?|shared?|pasted?|attached?|given?)\b"
    r"|no (?:text|article|code|document|content|email|e-mail|passage|message) (?:was|has been|is|to)\b"
    r"|i (?:don't|do not|can't|cannot) see (?:any|the|an?) (?:text|article|code|document|attachment|content|e-?mail|passage|file)"
    r"|i(?:'m| am) ready to|i(?:'d| would) be (?:happy|glad) to help.{0,80}(?:please|could you|what|once)"
    r"|bitte (?:\w+ ){0,4}(?:geben|gib|teilen|teile|senden|sende|fügen|füge|stellen|stell|schicken|schick)\b"
    r"|(?:könnten|können|könntest|kannst) (?:sie|du) (?:mir )?(?:bitte )?.{0,60}(?:geben|mitteilen|senden|schicken|teilen|einfügen|bereitstellen|zur verfügung)"
    r"|(?:keinen|kein) (?:text|code|artikel|dokument|inhalt)\b.{0,40}(?:angegeben|gefunden|enthalten|mitgeschickt|bereitgestellt|erhalten|sehen)"
    r"|veuillez (?:me |m')?(?:fournir|partager|envoyer|coller|indiquer|préciser)"
    r"|(?:pouvez|pourriez|peux|pourrais)-(?:vous|tu) (?:s'il vous plaît |s'il te plaît )?(?:me |m')?(?:fournir|partager|envoyer|coller|donner|préciser|indiquer)"
    r"|(?:aucun|pas de) (?:texte|article|code|document)"
    r"|por favor,? (?:proporci\w+|comparte|comparta|envía|envíe|pega|pegue|indica|indique|facilít\w+|dame)"
    r"|(?:podrías|podría|puedes|puede) (?:por favor )?(?:proporcion\w+|compartir|enviar|pegar|dar|indicar|facilitar)"
    r"|(?:ningún|no veo (?:el|ningún)|falta el) (?:texto|artículo|código|documento)",
    re.DOTALL,
)
_BRIEF = 420
"""An answer longer than this has said something besides its question."""

_MAY_BE_A_QUESTION = frozenset(("translation", "writing", "chat", "embedding"))
_WANTS_QUESTIONS = (
    "question",
    "frage",
    "pregunta",
    "rephrase",
    "paraphras",
    "ask me",
    "quiz",
    "interview",
    "riddle",
)


def asks_back(answer: Answer) -> Verdict:
    """0.0 if it asks for text that the ask had; 0.3 if all it says is a question; else 1.0.

    None if the ask is so short that asking back is fair, or if a question is what was asked for. A closing "Would you
    like me to …?" after an answer is fine.
    """
    if answer.reply.tool_calls:
        return Verdict("asks-back", None, "it calls a tool")
    text = said(answer.reply.text).strip()
    if len(text) > _BRIEF or not text:
        return Verdict("asks-back", 1.0, f"it goes on for {len(text)} characters")
    ask = last_ask(answer)
    lowered = text.lower().replace("’", "'")
    wanting = _MISSING.search(lowered)
    letter = answer.signals.task in ("writing", "translation") or _LETTER.match(text) is not None
    if wanting is not None and not letter and len(text) - len(wanting.group()) < 320:
        if len(ask) < 120:
            return Verdict("asks-back", None, f"the ask has only {len(ask)} characters, so asking is fair")
        return Verdict("asks-back", 0.0, f"it asks for what it was given: “{wanting.group()[:50]}”")
    if text[-1] == "?" and not _says_more_than_a_question(text):
        wanted = answer.signals.task in _MAY_BE_A_QUESTION or any(w in ask.lower() for w in _WANTS_QUESTIONS)
        if wanted or len(ask) < 40:
            return Verdict("asks-back", None, "a question may be the answer here")
        return Verdict("asks-back", 0.3, f"all it says is a question: “{text[:50]}”")
    return Verdict("asks-back", 1.0, "it does not ask back")


def _says_more_than_a_question(text: str) -> bool:
    """Whether a sentence or a line of some length stands before the closing question."""
    sentences = re.split(r"(?<=[.!:])\s+|\n+", text)
    return any(not s.rstrip().endswith("?") and len(s) > 25 for s in sentences)
