"""What follows from a capability card: what a model is not asked to do, its scores, and when the card no longer counts."""

import pytest
from msgspec.structs import replace

from headgate.core.cards import Card, PassRate, apply, is_stale, keep_untried, stale_cards, unproven
from headgate.core.engine import ListedModel, find_listed
from headgate.core.types import Model

MODEL = Model(name="llama", engine="ollama", engine_kind="ollama", id="llama3.1:8b", local=True)
CARD = Card(
    engine="ollama",
    id="llama3.1:8b",
    digest="sha256:1",
    machine="here",
    measured=1.0,
    load_seconds=3.0,
    first_token_cold=3.5,
    speed=90.0,
    schema=PassRate(6, 6),
    tools=PassRate(6, 6),
    tasks={"classification": PassRate(8, 8), "code": PassRate(0, 7), "qa": PassRate(3, 4)},
    languages={"de": PassRate(2, 2)},
)


def test_a_model_without_a_card_stays_as_it_is():
    assert apply(MODEL, None, stated=False) is MODEL


def test_a_card_gives_scores_where_enough_was_asked_and_zero_is_a_score():
    assert apply(MODEL, CARD, stated=False).scores == {"classification": 1.0, "code": 0.0}


@pytest.mark.parametrize(
    ("tools", "schema", "left"),
    [
        (PassRate(3, 6), PassRate(3, 6), {"tools", "schema", "json"}),
        (PassRate(2, 6), PassRate(3, 6), {"schema", "json"}),
        (PassRate(3, 6), PassRate(2, 6), {"tools"}),
        (PassRate(0, 6), PassRate(0, 6), set()),
        (PassRate(0, 3), PassRate(0, 3), {"tools", "schema", "json"}),
        (None, None, {"tools", "schema", "json"}),
    ],
)
def test_what_a_model_was_seen_to_fail_is_taken_away_and_nothing_on_thin_evidence(tools, schema, left):
    card = replace(CARD, tools=tools, schema=schema)
    assert apply(MODEL, card, stated=False).capabilities == left
    assert apply(MODEL, card, stated=True).capabilities == MODEL.capabilities
    assert set(unproven(card)) == MODEL.capabilities - left


def test_the_reason_names_the_figures():
    assert unproven(replace(CARD, tools=PassRate(1, 6))) == {
        "tools": "on this machine 1 of 6 calls of tools were right"
    }


def test_a_card_is_stale_when_the_digest_is_another_one_and_both_are_known():
    assert is_stale(CARD, ListedModel(id=CARD.id, digest="sha256:2"))
    assert not is_stale(CARD, ListedModel(id=CARD.id, digest="sha256:1"))
    assert not is_stale(CARD, ListedModel(id=CARD.id))
    assert not is_stale(replace(CARD, digest=""), ListedModel(id=CARD.id, digest="sha256:2"))


def test_stale_cards_are_told_with_the_command_that_measures_again():
    other = replace(MODEL, name="phi", engine="lmstudio", id="phi-3")
    cards = {("ollama", CARD.id): CARD, ("lmstudio", "phi-3"): replace(CARD, engine="lmstudio", id="phi-3")}
    now = {
        "ollama": (ListedModel(id="llama3.1:8b", digest="sha256:2"),),
        "lmstudio": (ListedModel(id="microsoft/phi-3", digest="sha256:1"),),
    }
    assert stale_cards((MODEL, other), cards, now) == (
        "the card of llama is for another version of it; headgate models bench llama",
    )
    assert stale_cards((MODEL, other), cards, {}) == ()
    assert stale_cards((MODEL, other), {}, now) == ()


def test_a_model_is_found_under_the_name_that_its_engine_lists():
    listed = (ListedModel(id="nomic-embed-text:latest"), ListedModel(id="microsoft/phi-3"))
    assert find_listed("nomic-embed-text", listed) is listed[0]
    assert find_listed("phi-3", listed) is listed[1]
    assert find_listed("phi", listed) is None
    twins = (ListedModel(id="me/big"), ListedModel(id="Big:latest"))
    assert find_listed("big", twins) is twins[1], "its own name goes before one with a publisher"


def test_what_a_measurement_was_told_to_leave_out_is_kept_from_the_one_before():
    quick = Card(engine="ollama", id=CARD.id, digest="sha256:1", machine="here", measured=2.0, speed=80.0)
    kept = keep_untried(quick, CARD, exam=True, loading=True)
    assert (kept.measured, kept.speed) == (2.0, 80.0)
    assert (kept.tasks, kept.tools, kept.load_seconds) == (CARD.tasks, CARD.tools, 3.0)
    assert keep_untried(quick, CARD, exam=False, loading=False) == quick
    assert keep_untried(quick, replace(CARD, digest="sha256:2"), exam=True, loading=True) == quick
    assert keep_untried(quick, replace(CARD, machine="elsewhere"), exam=True, loading=True) == quick
    assert keep_untried(quick, None, exam=True, loading=True) == quick
