"""A learned router in a real gate: what it lets pass by, what it may bring home, and that everything else stays as it was."""

import asyncio
import json
from binascii import crc32
from time import time
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from headgate.cli.main import command
from headgate.core.expecting import Learning
from headgate.core.features import SLOTS
from headgate.core.policy import decide
from headgate.core.rerun import request_of, view_of
from headgate.core.router import Learned, Router, Weights, packed
from headgate.gateway import learned, versions
from headgate.lab.replays import replay_ledger
from headgate.ledger.routers import save_router, use_router
from headgate.ledger.versions import newest_versions
from headgate.ledger.writer import LedgerWriter
from headgate.reports.story import story
from headgate.testing import ServedModel

QA = {"x-headgate-task": "qa"}
HARD = "Which theorem says that?"
EASY = "Which office is that?"


def knowing(known_as="llama3.1:8b", **more):
    """A router that has learned that prompts with the word "theorem" are not for this model."""
    slots, worth = packed({crc32(b"theorem") & (SLOTS - 1): -60.0})
    weights = Weights(base=2.0, facts={"task qa": 1.0}, slots=slots, worth=worth)
    values = {"tasks": {"qa": 200, "writing": 50}, "longest": 1000} | more
    llama = Learned(model="llama", engine="ollama", id=known_as, weights=weights, **values)
    return Router(learned=(llama,), learning=Learning(brings_home=True))


def keep(path, router, *, on=True):
    """Put a router into the ledger, as the command does."""
    if not path.exists():
        writer = LedgerWriter(path)
        writer.start()
        writer.close()
    n = save_router(path, router, b"{}", time())
    if on:
        use_router(path, n, time())
    return n


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "ledger.db"


async def test_a_model_that_will_hardly_do_is_passed_by_and_it_is_written_down_why(open_bench, ledger):
    keep(ledger, knowing())
    async with open_bench() as bench:
        said = await bench.ask(HARD, headers=QA)
        assert said.headers["x-headgate-model"] == "claude"
        assert said.headers["x-headgate-reason"] == "predicted to fail"
        assert said.headers["x-headgate-attempts"] == "1"
        easy = await bench.ask(EASY, headers=QA)
        assert easy.headers["x-headgate-model"] == "llama"
        hard, home = await bench.written(2)
    llama = next(c for c in hard.decision.candidates if c.model == "llama")
    assert llama.skip == "unlikely"
    assert "learned router" in llama.detail
    assert hard.signals.chances["llama"] < 0.01
    assert home.signals.chances["llama"] == pytest.approx(0.9526)
    assert hard.fallback == "predicted to fail"
    assert "expected" in story(hard, {}, ZoneInfo("UTC"))
    assert "llama 0.00" in story(hard, {}, ZoneInfo("UTC"))


async def test_what_was_decided_by_chances_is_decided_again_from_the_ledger(open_bench, ledger):
    keep(ledger, knowing())

    def onto_disk(page):
        (ledger.parent / "headgate.toml").write_text(page)
        return page

    async with open_bench(change=onto_disk) as bench:
        for _ in range(3):
            await bench.ask(HARD, headers=QA)
            await bench.ask(EASY, headers=QA)
        outcomes = await bench.written(6)
        policy = bench.gate.config.policy
        for outcome in outcomes:
            again = decide(policy, view_of(outcome, policy), request_of(outcome, policy), outcome.signals)
            assert again.chain == outcome.decision.chain
            assert again.skipped == outcome.decision.skipped
        replayed = replay_ledger(bench.gate.config, ()).replayed
        assert (replayed.all.requests, replayed.all.unchanged, replayed.drifted) == (6, 6, 0)
        quality = replayed.all.quality
        assert (quality.paid, quality.modelled) == (3, 3), "nobody audited any, so the router tells"
        assert quality.after.expected == pytest.approx((3 + 3 * 0.9526) / 6)


async def test_of_tasks_that_it_has_not_learned_the_rules_decide(open_bench, ledger):
    keep(ledger, knowing())
    async with open_bench() as bench:
        said = await bench.ask(HARD, headers={"x-headgate-task": "translation"})
        assert said.headers["x-headgate-model"] == "llama"
        (outcome,) = await bench.written()
        assert outcome.signals.chances == {}


async def test_the_last_model_is_asked_however_unlikely(open_bench, ledger):
    keep(ledger, knowing())
    async with open_bench() as bench:
        said = await bench.ask(HARD, headers=QA, model="auto:local")
        assert said.headers["x-headgate-model"] == "llama"
        named = await bench.ask(HARD, headers=QA, model="llama")
        assert named.headers["x-headgate-model"] == "llama"


async def test_a_router_is_taken_up_and_put_down_while_the_gate_is_open(open_bench, ledger, monkeypatch):
    monkeypatch.setattr(learned, "LOOK_EVERY", 0.02)
    async with open_bench() as bench:
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "llama"
        n = keep(ledger, knowing())
        await until(lambda: bench.gate.road.router is not None)
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "claude"
        use_router(ledger, None, time())
        await until(lambda: bench.gate.road.router is None)
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "llama"
        assert n == 1


async def test_with_use_false_no_router_is_asked(open_bench, ledger):
    keep(ledger, knowing())
    async with open_bench(change=lambda page: page + "\n[learn]\nuse = false\n") as bench:
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "llama"


async def test_a_trusted_model_comes_first_only_where_the_page_allows_it(open_bench, ledger):
    keep(ledger, knowing(home_at=0.9))
    writing = {"x-headgate-task": "writing"}

    def to_the_cloud(page):
        return page.replace(
            '[[routes]]\nname = "labels"',
            '[[routes]]\nname = "hard"\ntasks = ["qa", "writing"]\ntry = ["claude"]\n\n[[routes]]\nname = "labels"',
        )

    async with open_bench(change=to_the_cloud) as bench:
        assert (await bench.ask(EASY, headers=QA)).headers["x-headgate-model"] == "claude"
    allowed = lambda page: to_the_cloud(page) + '\n[learn]\nmay = "bring home"\n'  # noqa: E731
    async with open_bench(change=allowed) as bench:
        home = await bench.ask(EASY, headers=QA)
        assert home.headers["x-headgate-model"] == "llama"
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "claude"
        assert (await bench.ask(EASY, headers=writing)).headers["x-headgate-model"] == "claude"  # 0.88
        assert (await bench.ask(EASY, headers=QA, model="auto:quality")).headers[
            "x-headgate-model"
        ] == "claude"
        (first, *_) = await bench.written(4)
    assert first.decision.order == "trusted first"
    assert first.signals.trusted == ("llama",)
    assert "the learned router trusts it" in first.decision.why


async def test_a_router_of_another_version_is_named_and_not_asked(open_bench, ledger):
    keep(ledger, replace(knowing(), features=0))
    async with open_bench() as bench:
        assert any("router 1 was made by another version" in note for note in bench.gate.notes)
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "llama"


@pytest.mark.parametrize("more", ["skip_below = 0.5", 'may = "bring home"\nfloor = 0.99'])
async def test_a_router_that_was_compared_for_less_than_the_page_now_allows_is_not_asked(
    open_bench, ledger, more
):
    keep(ledger, knowing(home_at=0.9))
    async with open_bench(change=lambda page: f"{page}\n[learn]\n{more}\n") as bench:
        assert any("router 1 was compared with the rules before" in note for note in bench.gate.notes)
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "llama"
    async with open_bench(change=lambda page: page + "\n[learn]\nskip_below = 0.05\n") as bench:
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "claude", (
            "less is no matter"
        )


async def test_a_router_of_a_model_that_is_another_one_now_says_so(open_bench, ledger):
    keep(ledger, knowing(known_as="llama3:8b"))
    async with open_bench() as bench:
        assert any("router 1 says nothing of llama" in note for note in bench.gate.notes)
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "llama"


def test_a_dry_run_says_what_the_router_expects(tmp_path, ledger, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "k")
    keep(ledger, knowing())
    page = tmp_path / "headgate.toml"
    page.write_text(
        f'[engines.ollama]\nkind = "ollama"\n[engines.anthropic]\nkind = "anthropic"\nkey = "env:TEST_KEY"\n'
        '[models.llama]\nengine = "ollama"\nid = "llama3.1:8b"\n[models.claude]\nengine = "anthropic"\nid = "claude-sonnet-5-5"\n'
        f'[[routes]]\nname = "all"\ntry = ["llama", "claude"]\n[ledger]\npath = "{ledger}"\n'
    )
    asked = ["route", HARD, "--task", "qa", "--config", str(page)]
    shown = CliRunner().invoke(command, asked).output
    assert "expected  llama 0.00 acceptable, by the learned router" in shown
    assert "skipped, unlikely" in shown
    told = json.loads(CliRunner().invoke(command, [*asked, "--json"]).stdout)
    assert told["chances"]["llama"] < 0.01
    assert told["skipped"] == {"llama": "unlikely"}


async def test_a_model_that_is_pulled_anew_is_unknown_to_the_router_until_it_is_learned_again(
    open_bench, ledger, monkeypatch, caplog
):
    for module in (learned, versions):
        monkeypatch.setattr(module, "LOOK_EVERY", 0.02)
    async with open_bench() as bench:
        before = newest_versions(ledger)["ollama", "llama3.1:8b"]
        assert before.since is None
        keep(ledger, of_version(before.digest))
        await until(lambda: bench.gate.road.router is not None)
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "claude"
        bench.ollama.disk.models["llama3.1:8b"] = ServedModel(quantization="Q8_0")
        await until(lambda: bench.gate.road.router.known == ())
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "llama"
        assert "another version of llama lies under its name" in caplog.text
        assert "router 1 says nothing of llama" in caplog.text
        now = newest_versions(ledger)["ollama", "llama3.1:8b"]
        assert now.digest != before.digest
        assert now.since == pytest.approx(time(), abs=30)
        keep(ledger, of_version(now.digest))
        await until(lambda: bench.gate.road.router.known != ())
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "claude"


async def test_a_model_that_was_pulled_anew_while_the_gate_was_closed_is_said_when_it_opens(
    open_bench, ledger
):
    async with open_bench() as bench:
        assert not any("another version" in note for note in bench.gate.notes)
        digest = newest_versions(ledger)["ollama", "llama3.1:8b"].digest
    keep(ledger, of_version(digest))
    async with open_bench(library={"llama3.1:8b": ServedModel(quantization="Q8_0")}) as bench:
        assert any("another version of llama lies under its name" in note for note in bench.gate.notes)
        assert any("router 1 says nothing of llama" in note for note in bench.gate.notes)
        assert (await bench.ask(HARD, headers=QA)).headers["x-headgate-model"] == "llama"


def of_version(digest):
    """The same router, learned of the version of this digest."""
    router = knowing()
    return replace(router, learned=(replace(router.learned[0], digest=digest),))


async def until(holds):
    """Wait until something holds."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)
