"""`headgate import` on exports as they really are: prices that nobody knew, caches, batches, odd numbers and hostile files."""

import gzip
import json
import random
import zipfile
from math import sqrt

import export_samples
import pytest
from export_samples import lines, messages
from test_import_command import Desk

from headgate.core.types import Signals
from headgate.lab.imports import anthropic, helicone, jsonl, langfuse, litellm, openai
from headgate.lab.imports.calls import PastCall, moment, number
from headgate.lab.imports.rows import Unread, read_records
from headgate.lab.placing import Placed
from headgate.lab.proof import prove
from headgate.lab.rates import rate_of
from headgate.lab.seen import FRESH, Seen
from headgate.lab.tally import MOST_MINUTES, MOST_NAMES, Proving

ASK = messages("Is this e-mail billing, technical, feature-request or escalation? I was charged twice.")


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "home")


def spent(**more):
    return {
        "request_id": "a",
        "call_type": "acompletion",
        "spend": 0.0,
        "model": "our-own-finetune",
        "prompt_tokens": 800,
        "completion_tokens": 90,
        "status": "success",
        "messages": ASK,
    } | more


def only(found):
    (call,) = found
    return call


# ── Money ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_spend_of_nought_is_a_price_that_litellm_did_not_know(desk):
    proof = desk.proof("litellm", desk.write(lines([spent()])))
    assert (proof["calls"], proof["cost_unknown"], proof["billed"]) == (1, 1, 0)


def test_a_spend_of_nought_of_a_known_model_is_charged_by_the_list(desk):
    proof = desk.proof("litellm", desk.write(lines([spent(model="gpt-4o")])))
    assert proof["cost"] == pytest.approx((800 * 2.5 + 90 * 10) / 1e6)


@pytest.mark.parametrize("hit", [True, "True"])
def test_an_answer_out_of_the_gateways_own_cache_did_cost_nothing(hit):
    assert only(litellm.read(spent(cache_hit=hit))).cost == 0
    again = {
        "request_model": "gpt-4o",
        "cost": 0,
        "cache_reference_id": "9b2d6c1e-0000-4000-8000-000000000001",
    }
    assert only(helicone.read(again)).cost == 0
    fresh = again | {"cache_reference_id": "00000000-0000-0000-0000-000000000000"}
    assert only(helicone.read(fresh)).cost is None


@pytest.mark.parametrize("read", [litellm.read, langfuse.read, helicone.read, jsonl.read])
@pytest.mark.parametrize("money", [-0.5, 10**400, float("nan"), "€5", "free", True])
def test_money_that_cannot_be_is_not_told(read, money):
    names = ("spend", "totalCost", "cost", "request_model", "model")
    assert only(read(dict.fromkeys(names[:3], money) | {"request_model": "m", "model": "m"})).cost is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [("0,0125", 0.0125), ("$1,234.50", 1234.5), ("1,234,567", 1234567), ("12,5", 12.5), ("1,2,3", None)],
)
def test_a_comma_is_a_decimal_point_unless_it_parts_thousands(written, meant):
    assert number({"cost": written}, "cost") == meant


def test_many_short_calls_are_not_charged_as_one_long_one(desk):
    sums = {
        "object": "bucket",
        "start_time": 1_791_849_600,
        "results": [{"num_model_requests": 1000, "input_tokens": 1_000_000, "model": "gemini-2.5-pro"}],
    }
    proof = desk.proof("openai", desk.write(json.dumps(sums)))
    assert proof["cost"] == pytest.approx(1.25)


def test_a_batch_costs_half():
    answer = {
        "object": "chat.completion",
        "id": "c",
        "model": "gpt-4o",
        "usage": {"prompt_tokens": 9, "completion_tokens": 1},
    }
    line = {"custom_id": "request-1", "response": {"status_code": 200, "body": answer}}
    assert only(openai.read(line)).usage.service == "batch"
    sums = {
        "num_model_requests": 3,
        "model": "gpt-4o",
        "input_tokens": 9,
        "output_tokens": 1,
        "batch": "True",
    }
    assert only(openai.read(sums)).usage.service == "batch"
    message = {
        "type": "message",
        "model": "claude-sonnet-5-5",
        "usage": {"input_tokens": 9, "output_tokens": 1},
    }
    batch = {"custom_id": "request-1", "result": {"type": "succeeded", "message": message}}
    assert only(anthropic.read(batch)).usage.service == "batch"
    console = {
        "usage_input_tokens_no_cache": "9",
        "model_version": "claude-sonnet-5-5",
        "usage_type": "batch",
    }
    assert only(anthropic.read(console)).usage.service == "batch"
    assert only(anthropic.read(console | {"usage_type": "message"})).usage.service == ""


def test_a_batch_whose_lines_are_named_alike_every_day_loses_none(desk):
    asked = {
        "custom_id": "request-1",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o", "messages": ASK},
    }
    failed = {
        "custom_id": "request-2",
        "response": {"status_code": 400, "body": {"error": {"message": "no"}}},
    }
    desk.write(lines([asked, failed]), "monday.jsonl")
    desk.write(lines([asked]), "tuesday.jsonl")
    proof = desk.proof("openai", "monday.jsonl", "tuesday.jsonl")
    assert (proof["calls"], proof["doubles"], proof["failed"], proof["unread"]) == (2, 0, 1, 0)


# ── Tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_litellms_usage_of_a_claude_with_a_cache_is_read_as_openai_has_it():
    usage = {
        "prompt_tokens": 5000,
        "completion_tokens": 10,
        "cache_creation_input_tokens": 1000,
        "cache_read_input_tokens": 3000,
    }
    for found in (
        litellm.read(spent(metadata={"usage_object": usage})),
        jsonl.read({"model": "claude-sonnet-5-5", "usage": usage}),
    ):
        told = only(found).usage
        assert (told.input, told.cache_read, told.cache_write_5m, told.output) == (1000, 3000, 1000, 10)


def test_helicones_cached_tokens_stand_beside_the_prompt():
    record = {"request_model": "claude-sonnet-5-5", "prompt_tokens": 100, "completion_tokens": 5}
    usage = only(helicone.read(record | {"prompt_cache_read_tokens": 50_000})).usage
    assert (usage.input, usage.cache_read, usage.prompt) == (100, 50_000, 50_100)


def test_langfuse_tells_writes_that_are_kept_for_an_hour_apart():
    parts = {"input": 10, "output": 5, "input_cache_creation_5m": 20, "input_cache_creation_1h": 40}
    usage = only(langfuse.read({"model": "m", "type": "GENERATION", "usageDetails": parts})).usage
    assert (usage.input, usage.cache_write_5m, usage.cache_write_1h) == (10, 20, 40)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (1_791_882_720, 1_791_882_720),
        (1_791_882_720_123, 1_791_882_720.123),
        (1_791_882_720_123_456, 1_791_882_720.123456),
        ("20261014", 1_791_936_000),
        ("2026-10-14 09:12:00 UTC", 1_791_969_120),
        ("0001-01-01T00:00:00+23:00", None),
        (1e300, None),
        (10**400, None),
        (5, None),
        ("yesterday", None),
    ],
)
def test_a_moment_may_be_written_in_many_ways_and_one_that_cannot_be_is_none(written, meant):
    found = moment({"time": written}, "time")
    assert found == (None if meant is None else pytest.approx(meant))


# ── What is no call that could be placed ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kept", ["messages", "proxy_server_request"])
def test_a_prompt_that_was_taken_out_of_the_log_is_no_prompt(desk, kept):
    hidden = messages("redacted-by-litellm")
    rows = {"messages": hidden} if kept == "messages" else {"messages": {}, kept: {"messages": hidden}}
    proof = desk.proof("litellm", desk.write(lines([spent(**rows)])))
    assert [line["name"] for line in proof["unknown"]] == [
        "the export holds no prompt, so its task is unknown"
    ]


def test_embeddings_are_told_apart_and_are_in_no_sum(desk):
    calls = [
        spent(request_id="e", call_type="aembedding", model="text-embedding-3-small", spend=0.5),
        spent(model="gpt-4o"),
    ]
    proof = desk.proof("litellm", desk.write(lines(calls)))
    assert (proof["calls"], proof["others"]["calls"], proof["others"]["cost"]) == (1, 1, 0.5)
    call = {"model": "text-embedding-3-small", "usage": {"prompt_tokens": 300}}
    assert not only(jsonl.read(call)).chat


def test_sums_of_long_calls_may_hide_short_ones(desk):
    sums = {"num_model_requests": 10, "model": "gpt-4o", "input_tokens": 5_000_000, "output_tokens": 10}
    assert desk.proof("openai", desk.write(lines([sums])))["simple"] == {"low": 0.0, "high": 1.0}


def test_an_export_that_tells_no_number_of_calls_claims_no_share_of_them(desk):
    shown = desk("anthropic", desk.write(export_samples.anthropic_console())).stdout
    assert shown.startswith("Calls, nobody says how many, that cost $2.98")
    assert "can be answered at home first" not in shown


def test_a_month_of_days_is_a_month(desk):
    days = [
        {
            "object": "bucket",
            "start_time": 1_788_220_800 + day * 86_400,
            "end_time": 1_788_220_800 + (day + 1) * 86_400,
            "results": [
                {"num_model_requests": 9, "model": "gpt-4o", "input_tokens": 900, "output_tokens": 9}
            ],
        }
        for day in range(10)
    ]
    assert desk.proof("openai", desk.write(lines(days)))["month"] == pytest.approx(365.25 / 12 / 10)


def test_home_cloud_and_unknown_are_all_of_the_calls_and_all_of_the_money(desk):
    chance, calls = random.Random(4), []
    for name in range(300):
        usage = {"prompt_tokens": chance.randint(1, 20_000), "completion_tokens": chance.randint(0, 900)}
        model = chance.choice(["gpt-4o", "gpt-4o-mini", "nobody-knows-it"])
        call = {"id": str(name), "model": model, "usage": usage}
        if chance.random() < 0.7:
            call["messages"] = messages(chance.choice(export_samples.ASKS))
        calls.append(call)
    proof = desk.proof("jsonl", desk.write(lines(calls)))
    for name in ("calls", "cost", "cost_unknown"):
        ways = sum(line[name] for way in ("home", "cloud", "unknown") for line in proof[way])
        assert ways == pytest.approx(proof[name])
        for table in ("models", "kinds", "people"):
            assert sum(line[name] for line in proof[table]) == pytest.approx(proof[name])
        at_home = sum(line[name] for line in proof["home"])
        assert sum(line[name] for line in proof["tasks"]) == pytest.approx(at_home)
    assert proof["saved"]["high"] <= proof["simple_cost"]["high"] <= proof["cost"]


# ── The cheap cloud ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cheapest_cloud_model_stands_beside_what_a_gate_would_have_saved(desk):
    desk.write(export_samples.jsonl(), "calls.jsonl")
    proof = desk.proof("jsonl", "calls.jsonl")
    cheap = proof["cheap_cloud"]
    assert (cheap["calls"], cheap["paid"]) == (3, pytest.approx(proof["cost"]))
    assert 0 < cheap["cost"] < proof["cost"] / 5
    shown = desk("jsonl", "calls.jsonl").stdout.splitlines()
    assert shown[3].startswith("Beside it: all of these calls, on the cheapest cloud model that takes them")


# ── Hostile files ────────────────────────────────────────────────────────────────────────────────────────────────────

ONE = json.dumps({"model": "gpt-4o", "messages": ASK})


@pytest.mark.parametrize("content", ['{"a":' * 200_000, "[" * 200_000], ids=["objects", "arrays"])
def test_a_document_that_is_too_deep_is_an_error_and_no_crash(desk, content):
    done = desk("jsonl", desk.write(content))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "no JSON" in done.stderr


def test_a_cell_that_is_too_deep_is_no_prompt(desk):
    rows = export_samples.helicone().splitlines()
    cells = rows[1].split(",", 8)
    cells[8] = "[" * 100_000
    done = desk("helicone", desk.write("\n".join([rows[0], ",".join(cells), *rows[2:]]) + "\n"))
    assert done.returncode == 0
    assert "the export holds no prompt" in done.stdout


def test_an_archive_that_was_cut_off_tells_what_it_still_holds(tmp_path):
    packed = gzip.compress("".join(f'{ONE[:-1]}, "id": "{n * n * n}"}}\n' for n in range(5000)).encode())
    (tmp_path / "cut.gz").write_bytes(packed[: len(packed) // 2])
    *good, last = read_records(tmp_path / "cut.gz")
    assert len(good) > 500
    assert isinstance(last, Unread)
    assert "cannot be unpacked any further" in last.why


def test_a_zip_that_is_none_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "calls.zip", "w") as archive:
        archive.writestr("calls.jsonl", ONE)
    whole = (tmp_path / "calls.zip").read_bytes()
    (tmp_path / "calls.zip").write_bytes(whole[: len(whole) // 2])
    (found,) = read_records(tmp_path / "calls.zip")
    assert "cannot be unpacked" in found.why


def test_a_large_array_on_one_line_is_read_in_time_that_grows_with_it_alone(tmp_path):
    (tmp_path / "one.json").write_text("[" + ",".join([ONE] * 200_000) + "]")
    assert sum(1 for _ in read_records(tmp_path / "one.json")) == 200_000


def test_a_large_page_of_an_api_is_read_piece_by_piece(tmp_path, monkeypatch):
    longest = 4 << 20
    monkeypatch.setattr("headgate.lab.imports.rows.LONGEST", longest)
    number = longest // len(ONE) + 1000
    path = tmp_path / "page.json"
    path.write_text('{"object": "list", "data": [' + ",".join([ONE] * number) + "]}")
    assert sum(1 for _ in read_records(path)) == number


def test_odd_names_and_moments_do_not_fill_the_memory():
    proving = Proving(lambda _: 1.0)
    signals = Signals(task=None, task_confidence=0, task_by="none", tokens=1, tokens_exact=True)
    placed = Placed(way="home", route="r", model="m", signals=signals)
    for odd in range(MOST_NAMES + 5000):
        proving.add(PastCall(model=f"model-{odd}", who=f"who-{odd}"), placed, 1.0)
    assert max(len(proving.models), len(proving.people), len(proving.kinds)) <= MOST_NAMES + 1
    proof = prove(proving, {})
    for table in (proof.models, proof.people, proof.kinds):
        assert len(table) <= 11
        assert sum(line.calls for line in table) == proof.calls == MOST_NAMES + 5000


def test_the_busiest_minute_of_too_many_is_unknown_and_not_guessed():
    proving = Proving(lambda _: None)
    placed = Placed(way="home", route="r", model="m")
    for minute in range(3):
        proving.add(PastCall(model="m", time=1.5e9 + 60 * minute), placed, None)
    assert prove(proving, {}).peak.calls == 1
    proving.minutes = dict.fromkeys(range(MOST_MINUTES + 1), (1, 1))
    assert prove(proving, {}).peak is None


def test_what_was_seen_once_is_known_ever_after_and_nothing_else_is():
    seen, number = Seen(), FRESH * 5 + 7
    assert all(seen.add(("call", n)) for n in range(number))
    assert not any(seen.add(("call", n)) for n in range(0, number, 97))
    assert seen.add(("call", number))


# ── Whether the range holds ──────────────────────────────────────────────────────────────────────────────────────────


def _month(chance):
    """A month of calls whose truth is known: (task, dollars, whether an answer from home would pass)."""
    tasks = {
        task: (chance.uniform(0.3, 1.0), chance.uniform(0.5, 3)) for task in ("extraction", "writing", "chat")
    }
    calls = []
    for _ in range(2000):
        task = chance.choice(list(tasks))
        rate, size = tasks[task]
        cost = chance.lognormvariate(0, size / 2)
        calls.append((task, cost, chance.random() < rate / (1 + 0.15 * sqrt(cost))))  # dear ones are harder
    return calls


def test_what_would_really_have_been_saved_lies_within_the_range():
    chance, inside, wide = random.Random(5), 0, 0.0
    for _ in range(500):
        calls = _month(chance)
        proving = Proving(lambda _: None)
        for task, cost, _ in calls:
            proving.add(
                PastCall(model="m"), Placed(way="home", settled=True, task=task, route="r", model="m"), cost
            )
        rates = {}
        for task in ("extraction", "writing", "chat"):
            drawn = [(good, cost) for name, cost, good in chance.sample(calls, 150) if name == task]
            rates[task] = rate_of(drawn, "a sample")
        saved = prove(proving, rates).saved
        truth = sum(cost for _, cost, good in calls if good)
        inside += saved.low <= truth <= saved.high
        wide += (saved.high - saved.low) / proving.all.cost / 500
    assert inside >= 0.93 * 500
    assert wide < 0.35


def test_calls_that_nobody_could_judge_are_at_the_high_end_whatever_was_measured():
    proving = Proving(lambda _: None)
    proving.add(PastCall(model="m"), Placed(way="unknown", possible=True, why="w"), 10.0)
    saved = prove(proving, {None: rate_of([(False, 1.0)] * 40, "a sample")}).saved
    assert (saved.low, saved.high) == (0.0, 10.0)


def test_a_task_of_which_nothing_was_tried_borrows_no_rate_from_others():
    proving = Proving(lambda _: None)
    for task in ("extraction", "reasoning"):
        proving.add(
            PastCall(model="m"), Placed(way="home", settled=True, task=task, route="r", model="m"), 10.0
        )
    saved = prove(proving, {"extraction": rate_of([(True, 1.0)] * 100, "a sample")}).saved
    assert 9 < saved.low < 10
    assert saved.high == pytest.approx(20)
