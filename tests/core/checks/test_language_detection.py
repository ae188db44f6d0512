"""`core.language.detect` on the texts that it meets: asks, answers, neighbours, and what is no language at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.language import detect

SENTENCES = {
    "en": [
        "Where do I find the invoice for October?",
        "Summarize the following text in two sentences.",
        "Please write a function that checks whether a number is prime.",
        "The board will discuss all of this at its next meeting and decide on the budget then.",
        "I have been charged twice and would like my money back.",
        "What is the difference between a list and a tuple?",
    ],
    "de": [
        "Wo finde ich die Rechnung für Oktober?",
        "Fasse den folgenden Text in zwei Sätzen zusammen.",
        "Bitte schreibe eine Funktion, die prüft, ob eine Zahl eine Primzahl ist.",
        "Die Heizung ist seit gestern ausgefallen, und niemand hat sich gemeldet.",
        "Was ist der Unterschied zwischen einer Liste und einem Tupel?",
        "Ich wurde zweimal belastet und möchte mein Geld zurück.",
    ],
    "fr": [
        "Où est-ce que je trouve la facture du mois d'octobre ?",
        "Résume le texte suivant en deux phrases, sans donner ton avis.",
        "Écris une fonction qui vérifie si un nombre est premier.",
        "Le chauffage est en panne depuis hier et personne ne nous a répondu.",
        "Quelle est la différence entre une liste et un tuple ?",
        "J'ai été débité deux fois et je voudrais être remboursé.",
    ],
    "es": [
        "¿Dónde encuentro la factura de octubre?",
        "Resume el siguiente texto en dos frases y no des tu opinión.",
        "Escribe una función que compruebe si un número es primo.",
        "La calefacción no funciona desde ayer y nadie nos ha contestado.",
        "¿Cuál es la diferencia entre una lista y una tupla?",
        "Me han cobrado dos veces y quiero que me devuelvan el dinero.",
    ],
}
NEIGHBOURS = [
    "Il riscaldamento non funziona da ieri e nessuno ci ha risposto. Vorrei sapere quando verrà riparato.",
    "O aquecimento não funciona desde ontem e ninguém nos respondeu. Gostaria de saber quando será reparado.",
    "De verwarming doet het sinds gisteren niet en niemand heeft ons geantwoord. Wanneer wordt het gemaakt?",
    "Ogrzewanie nie działa od wczoraj i nikt nam nie odpowiedział.",
    "Отопление не работает со вчерашнего дня.",
    "暖房は昨日から故障しています。",
    "التدفئة لا تعمل منذ أمس",
]


@pytest.mark.parametrize(
    ("code", "text"), [(code, text) for code, texts in SENTENCES.items() for text in texts]
)
def test_a_sentence_is_known(code, text):
    assert detect(text)[0] == code


@pytest.mark.parametrize("text", NEIGHBOURS)
def test_a_language_that_we_do_not_know_is_unsure(text):
    assert detect(text)[0] == ""


@pytest.mark.parametrize(
    "text", ["", "   ", "42", "billing", "Anna Lindqvist, Tom Berger", "x = [1, 2, 3]", "🎉🎉"]
)
def test_too_little_to_tell_is_unsure(text):
    assert detect(text)[0] == ""


def test_capitals_and_typographic_apostrophes_do_not_matter():
    assert detect("WHERE DO I FIND THE INVOICE?")[0] == "en"
    assert detect("C’est la facture qu’il nous faut.")[0] == "fr"


def test_only_the_opening_is_read():
    german = "Die Heizung ist seit gestern ausgefallen, und niemand hat sich gemeldet. " * 25
    assert detect(german + "The rest of it is in English and goes on for a while. " * 200)[0] == "de"


@given(st.text(max_size=300))
def test_any_text_gives_a_code_and_a_confidence_in_bounds(text):
    code, confidence = detect(text)
    assert code in ("", "en", "de", "fr", "es")
    assert 0.0 <= confidence < 1.0
