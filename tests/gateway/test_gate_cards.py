"""What the gate makes of its models' cards: who is fit, who goes first, and what does not count any more."""

from pathlib import Path
from time import time

import pytest

from headgate.core.cards import Card, PassRate
from headgate.ledger.cards import save_card
from headgate.testing import ServedModel

GIB = 2**30
LIBRARY = {
    "llama3.1:8b": ServedModel(context=131_072, size=5 * GIB),
    "qwen2.5-coder:7b": ServedModel(context=32_768, family="qwen2", size=5 * GIB),
}
LABELS = "Which category fits: billing, technical or escalation? I was charged twice this month."


def second(page: str) -> str:
    """The page with another model at home behind the first, on a card that holds both."""
    more = '[models.coder]\nengine = "ollama"\nid = "qwen2.5-coder:7b"\ncontext = 8192\n\n[fleet]\nvram_gb = 24\n\n'
    page = page.replace('try = ["llama", "claude"]', 'try = ["llama", "coder", "claude"]')
    return page.replace("[[routes]]", more + "[[routes]]", 1)


@pytest.fixture
def measured(tmp_path: Path):
    """Keeps a card in the ledger that the gate is going to open."""

    def keep(model: str, digest: str = "", **found) -> None:
        card = Card(engine="ollama", id=model, digest=digest, machine="a test", measured=time(), **found)
        save_card(tmp_path / "ledger.db", card)

    return keep


@pytest.mark.parametrize(("score", "first"), [(7, "coder"), (4, "llama")])
async def test_a_loaded_model_goes_first_if_it_is_as_good_at_the_task(open_bench, measured, score, first):
    measured("llama3.1:8b", tasks={"classification": PassRate(7, 8)})
    measured("qwen2.5-coder:7b", tasks={"classification": PassRate(score, 8)})
    async with open_bench(manage=True, library=LIBRARY, change=second, local="billing") as bench:
        await bench.ask(model="coder")  # so this one is loaded, and the route's first is not
        said = await bench.ask(LABELS)
        assert said.headers["x-headgate-model"] == first
        outcome = (await bench.written(2))[-1]
        assert outcome.signals.task == "classification"
        assert outcome.decision.order == ("loaded first" if first == "coder" else "route")


async def test_without_a_card_the_order_is_the_routes(open_bench):
    async with open_bench(manage=True, library=LIBRARY, change=second, local="billing") as bench:
        await bench.ask(model="coder")
        assert (await bench.ask(LABELS)).headers["x-headgate-model"] == "llama"


TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


async def test_a_model_that_was_seen_not_to_call_tools_is_not_asked_to(open_bench, measured):
    measured("llama3.1:8b", tools=PassRate(1, 6))
    async with open_bench() as bench:
        said = await bench.ask(tools=[TOOL])
        assert said.headers["x-headgate-model"] == "claude"
        (outcome,) = await bench.written()
        assert outcome.decision.skipped == {"llama": "capability"}


async def test_the_users_own_word_on_capabilities_wins(open_bench, measured):
    measured("llama3.1:8b", tools=PassRate(1, 6))

    def state(page: str) -> str:
        return page.replace("context = 8192", 'context = 8192\ncapabilities = ["tools"]', 1)

    async with open_bench(change=state) as bench:
        assert (await bench.ask(tools=[TOOL])).headers["x-headgate-model"] == "llama"


async def test_a_card_of_another_version_does_not_count_and_the_gate_says_so(open_bench, measured):
    measured("llama3.1:8b", digest="f" * 64, tools=PassRate(1, 6))
    async with open_bench() as bench:
        assert (await bench.ask(tools=[TOOL])).headers["x-headgate-model"] == "llama"
        assert [note for note in bench.gate.notes if "headgate models bench llama" in note]
