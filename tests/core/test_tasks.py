"""The task classifier: what it names, what it leaves open, and how well it does on prompts it was not fitted on."""

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headgate.core.tasks import classify, explain
from headgate.core.tasks.reading import read
from headgate.core.words import TASKS

ROOT = Path(__file__).resolve().parents[2]
FLOOR = 0.85
"""Macro-F1 on the held prompts below which a change of tables or weights is a step back."""


@pytest.fixture(scope="module")
def benchmark_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("classifier_benchmark", ROOT / "benchmarks/classifier.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MAIL = "Dear team,\n\nthe parcel came on Monday, and the blue umbrella is not in it. Please write to me.\n\nRegards, Lena"

STORIES = {
    "a support desk sorts a mail into a queue": (
        "classification",
        f"Billing, technical or shipping?\n\n{MAIL}",
    ),
    "a manager asks how angry a client is": (
        "sentiment",
        f"How angry is she, on a scale of 1 to 5?\n\n{MAIL}",
    ),
    "an assistant copies the data out of a mail": (
        "extraction",
        f"Extract sender, product and day as JSON.\n\n{MAIL}",
    ),
    "a late reader wants the short version": (
        "summarization",
        f"Summarize this mail in two sentences.\n\n{MAIL}",
    ),
    "a German colleague wants the short version": (
        "summarization",
        f"Fass die Mail in einem Satz zusammen:\n\n{MAIL}",
    ),
    "a copywriter needs the Spanish version": (
        "translation",
        "Translate into Spanish: We bake at night so that you need not wait.",
    ),
    "a French colleague reads a foreign mail": (
        "translation",
        f"Peux-tu traduire ce message en français ?\n\n{MAIL}",
    ),
    "a developer wants a query": ("code", "Write a SQL query that counts the orders per month."),
    "a developer pastes what fails": (
        "code",
        "Why does this raise a KeyError?\n\ndef f(d):\n    return d['a']\n\nprint(f({}))",
    ),
    "somebody wonders about a holiday": ("qa", "Is the first of May a public holiday in Spain?"),
    "somebody asks for a meaning in Spanish": ("qa", "¿Qué significa ROI?"),
    "an account manager needs a post": (
        "writing",
        "Write a LinkedIn post about our new office, friendly, no hashtags.",
    ),
    "an account manager needs a kinder tone": (
        "writing",
        f"Rewrite this mail so that it sounds friendlier.\n\n{MAIL}",
    ),
    "a manager weighs two offers": (
        "reasoning",
        "Should we rent or buy the van? Renting costs 400 a month, buying 18,000. Compare over four years.",
    ),
    "somebody says good morning": ("chat", "Good morning! How are you today?"),
    "somebody says thank you in German": ("chat", "Danke, das war super, schönes Wochenende!"),
    "a search index sends a query": ("embedding", "search_query: summarize my invoices in german"),
    "a knowledge base wants a vector": (
        "embedding",
        "Create an embedding for this sentence: The office is closed on Fridays.",
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_it_names_what_the_sender_wants_back(story: str) -> None:
    task, prompt = STORIES[story]
    named, confidence = classify(prompt)
    assert named == task, explain(prompt)[:8]
    assert confidence >= 0.5


@pytest.mark.parametrize(
    "nothing", ["", " ", "\n\n\t", "\x00", "asdf qwertz", "日本語で書いてください", "12345"]
)
def test_nothing_speaks_for_nothing(nothing: str) -> None:
    assert classify(nothing) == (None, 0.0)


def test_words_in_a_pasted_mail_do_not_decide() -> None:
    paste = 'From: Lena\n\nPlease translate this, summarize it, and write a python script for me.\n\n"Vielen Dank"'
    assert classify(f"Is this spam or a genuine enquiry?\n\n{paste}")[0] == "classification"


def test_an_ask_behind_a_pasted_mail_is_found() -> None:
    assert read(f"{MAIL}\n\nbilling or technical?").closing == "billing or technical?"
    assert classify(f"{MAIL}\n\nSummarize this in one sentence.")[0] == "summarization"


def test_only_the_opening_and_the_close_of_a_long_prompt_are_read() -> None:
    short = "Summarize this report in five bullets.\n\n" + "The market has eight stalls. " * 30
    hidden = (
        short
        + "Translate into French! Write a poem! def f(): return 1 " * 200
        + "The market has eight stalls. " * 30
    )
    assert classify(hidden)[0] == classify(short)[0] == "summarization"


def test_an_explanation_names_the_winning_task_first() -> None:
    ask = "Translate this into Spanish, please."
    fired = explain(ask)
    assert fired[0][1] == classify(ask)[0] == "translation"
    assert {"translate", "translate first", "into a language"} <= {cue for cue, _, _ in fired}
    assert [weight for _, _, weight in fired] == sorted((weight for _, _, weight in fired), reverse=True)


def test_accents_and_case_do_not_matter() -> None:
    assert classify("ÜBERSETZE INS ENGLISCHE") == classify("ubersetze ins englische")


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(codec=None), max_size=3000) | st.text('"“”„«»`\n:?.-|{}[]() aZ9ß', max_size=1500)
)
@example("\x00" * 1000)
@example("\ud800 \udfff")
@example('"' * 5000)
@example("```" * 2000)
@example("\n" * 5000)
@example(": " * 3000)
def test_any_text_gives_a_task_and_a_share(text: str) -> None:
    task, confidence = classify(text)
    assert 0.0 <= confidence <= 1.0
    assert (task is None) == (confidence == 0.0)
    assert task is None or task in TASKS
    assert all(named in TASKS and weight > 0 for _, named, weight in explain(text))


@pytest.mark.parametrize("piece", ["a", "a ", '"', "word or word, ", "1.", "\n", "| x ", "«", "ß"])
def test_a_megabyte_takes_no_longer_than_a_page(piece: str) -> None:
    started = time.process_time()
    classify(piece * (1_000_000 // len(piece)))
    assert (
        time.process_time() - started < 0.25
    )  # a thousand times what it should take, so only a blow-up fails


def test_the_held_prompts_are_named_well_enough(benchmark_script: ModuleType) -> None:
    score = benchmark_script.macro_f1(benchmark_script.named(benchmark_script.prompts("held")))
    assert score >= FLOOR


def test_the_page_tells_the_figures_as_they_are(benchmark_script: ModuleType) -> None:
    page = (ROOT / "docs/classifier.md").read_text(encoding="utf-8")
    assert benchmark_script.figures() in page


def test_macro_f1_counts_every_task_alike(benchmark_script: ModuleType) -> None:
    assert benchmark_script.macro_f1([(task, task) for task in TASKS]) == 1.0
    half = [("chat", "chat")] * 100 + [("code", "chat")]
    others = [(task, task) for task in TASKS if task not in ("chat", "code")]
    assert benchmark_script.macro_f1(half + others) == pytest.approx((9 + 200 / 201) / 11)
