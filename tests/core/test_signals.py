"""What is measured on a request: the human's ask decides the task, and limits are counted exactly."""

import pytest
from msgspec.structs import replace

from headgate.config.load import parse_config, starter_text
from headgate.core import tokens
from headgate.core.labels import find_labels
from headgate.core.signals import human_ask, measure
from headgate.core.types import Format, Image, Message, Request, Text, Tool
from headgate.engines.tokenizer import Tokenizer, load_counter

POLICY = parse_config(starter_text(), None, lambda *_: None).policy


def request(*messages: Message, **more) -> Request:
    return Request(id="x", asked="auto", messages=messages, **more)


def user(text) -> Message:
    return Message("user", text)


def test_only_the_last_human_message_is_the_ask():
    asked = request(
        Message("system", "You are a coding assistant. Write code."),
        user("Translate this into French: hello"),
        Message("assistant", "bonjour"),
        user("Thanks a lot, have a nice day!"),
        Message("tool", "def f(): pass", tool_call_id="1"),
    )
    assert human_ask(asked) == "Thanks a lot, have a nice day!"
    assert measure(asked, POLICY).task in ("chat", None)


def test_what_a_harness_puts_into_a_message_is_no_ask():
    ask = "Summarize the notes of today."
    reminder = "<system-reminder>\nThe todo list is empty.\n</system-reminder>"
    assert human_ask(request(user(f"{reminder}\n{ask}"))) == ask
    assert human_ask(request(user(ask), Message("assistant", "…"), user(reminder))) == ask
    pasted = "<context>\nThe sky is blue.\n</context>\nWhat colour is it?"
    assert human_ask(request(user(pasted))) == pasted


def test_the_callers_word_wins_and_is_certain():
    signals = measure(request(user("Hello!"), task="code"), POLICY)
    assert (signals.task, signals.task_confidence, signals.task_by) == ("code", 1.0, "caller")


def test_a_guess_below_the_limit_is_no_evidence_and_is_kept():
    strict = replace(POLICY, task_confidence=0.9999)
    signals = measure(request(user("Summarize these notes: we met.")), strict)
    assert (signals.task, signals.task_by) == (None, "none")
    assert 0.0 < signals.task_confidence < 0.9999
    assert measure(request(user("Summarize these notes: we met.")), POLICY).task == "summarization"


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (
            "Sort this e-mail into exactly one category: billing, technical, feature-request or escalation.\n\nHi",
            ("billing", "technical", "feature-request", "escalation"),
        ),
        (
            "Classify this support email as billing, technical or escalation. Text",
            ("billing", "technical", "escalation"),
        ),
        ("Is this positive, negative or neutral? Great!", ("positive", "negative", "neutral")),
        ("What is the sentiment (positive/negative/neutral) of this?", ("positive", "negative", "neutral")),
        ('Label it one of: "bug", "feature", "question".', ("bug", "feature", "question")),
        ("Kategorie: Rechnung, Technik oder Beschwerde?", ("Rechnung", "Technik", "Beschwerde")),
        ("Sort into billing / technical / other", ("billing", "technical", "other")),
        ("Is this message positive, negative or neutral?", ("positive", "negative", "neutral")),
        ("Is the sentiment of this message positive or negative?", ("positive", "negative")),
        ("What is the sentiment? Answer positive, negative or neutral.", ("positive", "negative", "neutral")),
        (
            "Classify this e-mail: billing, technical, escalation.\nHello",
            ("billing", "technical", "escalation"),
        ),
        (
            "Which category fits this e-mail? billing, technical or escalation",
            ("billing", "technical", "escalation"),
        ),
        ("Please classify. I like apples, pears, and plums", ()),
        (
            "Classify as billing, technical or escalation: I was charged twice.",
            ("billing", "technical", "escalation"),
        ),
        ("What is the sentiment of this review?\n\nThe chips were as fresh, hot and crispy as ever.", ()),
        ("Ordne diese Mail ein: Rechnung, Technik oder Lob?", ("Rechnung", "Technik", "Lob")),
        ("Classe cet e-mail : facture, technique ou réclamation", ("facture", "technique", "réclamation")),
        ("Clasifica este mensaje: factura, técnico o queja", ("factura", "técnico", "queja")),
        ("We need milk, eggs and bread.", ()),
        ("I came in, saw and won", ()),
    ],
)
def test_labels_are_found_where_a_list_is_announced(text, labels):
    assert find_labels(text) == labels


def test_tools_and_system_prompts_count_as_tokens_and_nothing_else():
    tools = tuple(Tool(f"t{n}", "Writes and reviews code. " * 20) for n in range(30))
    plain = measure(request(user("Hi there, thanks!")), POLICY)
    heavy = measure(request(user("Hi there, thanks!"), tools=tools), POLICY)
    assert heavy.task == plain.task
    assert heavy.tokens > plain.tokens + 3000
    assert heavy.tools == 30


def test_the_asked_format_is_the_fields_word_or_a_plain_wish_in_a_labelling_ask():
    assert measure(request(user("x"), format=Format("schema")), POLICY).format == "schema"
    assert (
        measure(
            request(user("Classify this as JSON: I was charged twice"), task="classification"), POLICY
        ).format
        == "json"
    )
    assert (
        measure(request(user("Write a function that returns JSON as JSON"), task="code"), POLICY).format
        == "text"
    )


def test_images_and_code_blocks_are_counted():
    signals = measure(
        request(user((Text("What is this? ```a``` ```b```"), Image("data:image/png;base64,AAAA")))), POLICY
    )
    assert (signals.images, signals.code_blocks) == (1, 2)
    assert signals.tokens > tokens.PER_IMAGE


def test_tokens_are_counted_exactly_near_a_limit_and_guessed_elsewhere():
    counter = load_counter()
    near, far = request(user("Compare these plans and decide. " * 690)), request(user("short"))
    assert measure(near, POLICY).tokens_exact is False
    counted = measure(near, POLICY, counter)
    assert counted.tokens_exact
    assert counted.tokens == counter("Compare these plans and decide. " * 690) + tokens.PER_MESSAGE
    assert measure(far, POLICY, counter).tokens_exact is False


def test_the_shipped_vocabulary_counts_as_openai_does():
    # Figures of o200k_base, from OpenAI's own tokenizer.
    counter = load_counter()
    assert counter("hello world") == 2
    assert counter("Hello, world! How are you today?") == 9
    assert counter("") == 0


async def test_the_vocabulary_is_loaded_only_when_a_count_could_matter():
    tokenizer = Tokenizer()
    far = await tokenizer.measure(request(user("short")), POLICY, 100)
    assert tokenizer.counter is None
    assert not far.tokens_exact
    near = await tokenizer.measure(request(user("Compare these plans and decide. " * 690)), POLICY, 20_000)
    assert tokenizer.counter is not None
    assert near.tokens_exact
