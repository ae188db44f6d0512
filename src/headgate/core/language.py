"""Guess which of four languages a text is written in: English, German, French or Spanish.

It counts how many different small words of each language stand in the opening of the text, and letters that only one
of them has. That takes some ten microseconds, needs no model, and is right on whole sentences. It does not know other
languages: Italian, Portuguese and Dutch are known only well enough not to be taken for a neighbour, and any text that it
cannot tell, code and lists of names among them, is "" (unsure). It says nothing about texts that mix languages.
"""

WINDOW = 500
"""Characters read, from the start of the text."""

SURE = 0.6
"""The least confidence at which a language is named."""


_SMALL_WORDS: dict[str, str] = {
    "en": "the of and to is are was were that this these those with for from have has had not you your i we they it its "
    "it's his her their our be been will would can could should which what who when where how why as at by an or a "
    "but if then there than about into any please my me do does did don't i'm all some more also in on no up give so "
    "find write make using each only such between after before he she them him us because while during out over am "
    "one two other may must many most like just get both through being per come",
    "de": "der die das den dem des und ist sind war waren nicht ein eine einen einem einer eines mit für von vom zu zum "
    "zur auf aus bei nach über unter ich du er sie es wir ihr ihre ihren ihrer sein seine mein meine dass daß als so "
    "auch aber oder wie was wer wann wo warum wenn dann noch nur schon sehr kann können wird werden wurde wurden in an "
    "haben hat hatte im am um durch gegen ohne bitte diese dieser dieses diesem diesen man sich mehr alle keine kein "
    "worum geht will welche welcher welches beim hier mir dir uns ihm ihn seit bis damit weil ob gibt sowie jedoch "
    "zwischen jetzt immer soll sollte muss müssen danach davon dazu vor also "
    "schreibe erkläre fasse übersetze folgenden",
    "fr": "le la les l' un une des du de et est sont était étaient ne pas que qui quoi dans pour par sur avec sans sous "
    "ce cet cette ces il elle ils elles nous vous je tu mon ma mes son sa ses leur leurs votre vos notre nos au on me "
    "aux plus mais ou où donc car comme être avoir ont été fait faire peut aussi très tout tous toute bien même se "
    "entre après avant quand comment pourquoi y c'est d'un d'une qu'il n'est s'il si en a depuis ensuite moins chaque "
    "cela ça sera seront deux lors dont ainsi selon vers non écris "
    "explique résume traduis suivant quelle quel",
    "es": "el la los las un una unos unas de del y es son era eran no que quien qué cómo en para por sobre con sin lo le "
    "les se su sus mi mis tu tus nuestro nuestra al más pero o donde cuando porque como ser estar está están ha me "
    "han fue fueron hay muy también este esta estos estas ese esa eso todo todos toda todas entre hasta desde ya cada "
    "usted ustedes yo él ella ellos nosotros si sí puede a después menos dos cuál cuáles será según sino tiene tienen ¿ ¡ "
    "escribe explica resume traduce siguiente función quiero",
    "it": "il lo gli della delle dei degli nel nella che è sono non per con una un di da anche come più questo questa la "
    "essere ho ha hanno si ma su alla alle al ed io tu cosa quando perché molto le i in se mi a o",
    "pt": "o os as a um uma uns do da dos das no na nos nas não que é são foi com para por mais como mas ao à ou se seu de "
    "sua também está você isso este esta muito já em pelo pela eu ele ela me entre quando e",
    "nl": "het een van en zijn niet dat die voor met op aan er maar om ook als bij naar wordt worden werd door ze hij we "
    "wij je jij u deze dit nog wel kan kunnen heeft hebben geen uit over te ik in de is was of me",
}


_LANGUAGES = tuple(_SMALL_WORDS)
_ONE = {code: 1 << 8 * number for number, code in enumerate(_LANGUAGES)}
"""One hit for a language: each has a byte of a whole number, so that adding up hits counts them for all seven at once."""


def _telling_words() -> dict[bytes, int]:
    """Small word → a hit for its language, without those that two languages have: they tell nothing."""
    split = {code: frozenset(words.split()) for code, words in _SMALL_WORDS.items()}
    return {
        word.encode(): _ONE[code]
        for code, words in split.items()
        for word in words.difference(*(others for other, others in split.items() if other != code))
    }


_TELLS = _telling_words()
_TELLING = frozenset(_TELLS)
_LETTERS = {
    letter: _ONE[code]
    for code, letters in {"de": "äüß", "fr": "çèêœàù", "es": "ñó", "it": "ò", "pt": "ãõ"}.items()
    for letter in letters
}
_KNOWN = frozenset(("en", "de", "fr", "es"))
_BLANKED = bytes(ord(" ") if chr(byte) in '.,;:!?()"*' else byte for byte in range(256))
"""For `bytes.translate`: punctuation becomes a blank. UTF-8 has no such byte inside a letter."""
_MARKS = (*((mark, " ") for mark in "“”«»"), ("’", "'"), ("¿", " ¿ "), ("¡", " ¡ "))


def detect(text: str) -> tuple[str, float]:
    """Return the ISO 639-1 code of the text's language and the confidence in it, 0–1.

    The code is "" when the language is none of en, de, fr, es, or when there is too little to tell it by; the
    confidence is then that of the best guess. Only the first `WINDOW` characters are read.
    """
    opening = text[:WINDOW].lower()
    hits = 0
    if not opening.isascii():
        for mark, blank in _MARKS:
            if mark in opening:
                opening = opening.replace(mark, blank)
        hits = sum([hit for letter, hit in _LETTERS.items() if letter in opening])
    words = opening.encode("utf-8", "ignore").translate(_BLANKED).split()
    counts = sum(map(_TELLS.__getitem__, _TELLING.intersection(words)), hits).to_bytes(
        len(_LANGUAGES), "little"
    )
    *_, second_hits, best_hits = sorted(counts)
    best = _LANGUAGES[counts.index(best_hits)]
    # The one in the divisor keeps a single lucky word from counting as certainty.
    confidence = best_hits / (best_hits + second_hits + 1)
    if confidence < SURE or best not in _KNOWN:
        return "", confidence
    return best, confidence
