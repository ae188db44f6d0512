"""The weekly report tells what was measured of local models, once something was, in all its faces."""

import re

from msgspec.structs import replace
from report_samples import USERS_WEEK, WEEK

from headgate.core.cards import Card, PassRate
from headgate.reports.cards import card_lines
from headgate.reports.markdown import markdown
from headgate.reports.plain import plain
from headgate.reports.text import text
from headgate.reports.weekly import weekly

LLAMA = Card(
    engine="ollama",
    id="llama3.1:8b",
    digest="",
    machine="RTX 4090, 24 GB",
    measured=1_760_400_000.0,
    context=8192,
    parallel=4,
    load_seconds=3.5,
    first_token_warm=0.045,
    prompt_speed=4_200.5,
    speed=98.2,
    speed_parallel=260.0,
    fast_context=6_100,
    memory=6_654_289_920,
    on_gpu=1.0,
    schema=PassRate(6, 6),
    tools=PassRate(1, 6),
    tasks={"classification": PassRate(8, 8), "code": PassRate(0, 7)},
    languages={"de": PassRate(2, 2)},
)
NOMIC = Card(
    engine="ollama",
    id="nomic-embed-text",
    digest="",
    machine="RTX 4090, 24 GB",
    measured=1_760_400_000.0,
    texts_speed=412.3,
    dimensions=768,
)


def report(*cards):
    return weekly(WEEK, replace(USERS_WEEK, cards=cards))


def test_without_cards_no_face_of_the_report_speaks_of_them():
    plainly = report()
    assert "LOCAL MODELS" not in text(plainly)
    assert "Local models, as" not in markdown(plainly)
    assert "local_models" not in plain(plainly)


def test_with_cards_nothing_else_of_the_report_changes():
    assert re.sub(r"\nLOCAL MODELS.*?\n\n", "\n", text(report(LLAMA, NOMIC)), flags=re.DOTALL) == text(
        report()
    )
    assert re.sub(
        r"## Local models.*?\n\n(?=##)", "", markdown(report(LLAMA, NOMIC)), flags=re.DOTALL
    ) == markdown(report())
    rest = plain(report(LLAMA))
    del rest["local_models"]
    assert rest == plain(report())


def test_the_section_has_the_figures_of_each_model():
    said = text(report(LLAMA, NOMIC))
    row = next(line for line in said.splitlines() if line.startswith("  llama3.1:8b (ollama) "))
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[1:] == ["45ms", "4,200/s", "98/s", "260/s (4)", "6/6", "1/6", "2025-10-14"]
    assert "  - llama3.1:8b (ollama), exam: classification 8/8, code 0/7" in said
    assert "  - nomic-embed-text (ollama): 412 texts/s, 768 dimensions, measured 2025-10-14" in said
    assert "- llama3.1:8b (ollama), exam: classification 8/8, code 0/7" in markdown(report(LLAMA))
    assert plain(report(LLAMA))["local_models"][0]["tasks"]["code"] == {"passed": 0, "of": 7}


def test_models_that_only_embed_make_no_empty_table():
    said = text(report(NOMIC))
    assert "412 texts/s" in said
    assert "Together" not in said
    assert "Together" not in markdown(report(NOMIC))


def test_what_was_not_measured_is_unknown_and_not_zero():
    bare = Card(engine="e", id="m", digest="", machine="", measured=0.0)
    lines = dict(card_lines(bare))
    assert lines["measured"] == "1970-01-01"
    assert lines["loading"] == lines["memory"] == lines["exam"] == lines["writing"] == "unknown"
    assert lines["first token"] == "unknown warm, unknown cold"
    assert lines["schema"] == lines["tools"] == lines["stays fast"] == "unknown"
    row = next(line for line in text(report(bare)).splitlines() if line.startswith("  m (e)"))
    assert row.count("unknown") == 6


def test_a_card_in_full_reads_like_this():
    assert dict(card_lines(LLAMA)) == {
        "measured": "2025-10-14 on RTX 4090, 24 GB",
        "loading": "3,500ms",
        "memory": "6.2 GiB, 100% of it on the GPU",
        "first token": "45ms warm, unknown cold",
        "reading": "4,200 tokens/s",
        "writing": "98 tokens/s, 260/s 4 at a time",
        "stays fast": "up to 6,100 tokens of prompt, of a window of 8,192",
        "schema": "6 of 6 answers fit",
        "tools": "1 of 6 calls is right",
        "exam": "classification 8/8, code 0/7",
        "languages": "de 2/2",
    }
