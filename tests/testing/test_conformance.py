"""The judge can fail a gateway: good and bad ones, played by a double, get the verdict that they deserve."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.testing import Answer, Fault, OpenAIDouble, ReceivedCall, ToolCall
from headgate.testing.conformance import (
    CASES,
    FAULTY,
    GOOD,
    Case,
    FaultyUpstream,
    Finding,
    NotReadyError,
    Target,
    Verdict,
    cases_named,
    run,
    suite,
)
from headgate.testing.conformance.cases import (
    AFTER_A_CUT,
    BY_THE_FIRST,
    BY_THE_IMPOSTOR,
    BY_THE_SECOND,
    CALM,
    arguments,
    marked,
    note,
)
from headgate.testing.conformance.reading import post

Say = Callable[[str], Answer | str]
"""The request's id → what the gateway answers to anything but the control."""

TEXT = cases_named("cut-late", "error-200")
TOOL = cases_named("garbage-arguments")


class Gateway(OpenAIDouble):
    """A gateway as the judge meets it: right in the control, and as told in all other cases."""

    asks_for_key = False

    def __init__(self, say: Say, fault: Fault | None = None) -> None:
        super().__init__(["auto"], self.say)
        self.told, self.fault = say, fault

    def say(self, call: ReceivedCall) -> Answer | str:
        name, request_id = marked(call.prompt)
        return note(request_id) + BY_THE_FIRST if name == "no-fault" else self.told(request_id)

    def fault_for(self, call: ReceivedCall) -> Fault | None:
        return self.fault if marked(call.prompt)[0] != "no-fault" else None


def right(request_id: str) -> str:
    return note(request_id) + BY_THE_SECOND.format(1)


def called(text: object) -> Answer:
    return Answer(tool_calls=(ToolCall("book_passage", text),), finish="tool_calls")


async def verdicts(gateway: OpenAIDouble, *cases: Case, within: float = 5.0) -> list[Finding]:
    async with gateway:
        return [finding async for finding in run(Target(gateway.url, "auto", within=within), cases)]


async def test_a_perfect_gateway_survives_every_case():
    class Perfect(Gateway):
        def say(self, call: ReceivedCall) -> Answer | str:
            name, request_id = marked(call.prompt)
            asked = 0 if name == "no-fault" else 1
            if call.tools:
                return called(arguments(request_id, asked))
            return super().say(call)

    found = await verdicts(Perfect(right), *CASES)
    assert [(one.case, one.stream) for one in found] == [(case.name, case.stream) for case in CASES]
    assert {one.verdict for one in found} == {Verdict.SURVIVED}


@pytest.mark.parametrize(
    ("say", "seen"),
    [
        (lambda request_id: right(request_id)[:300], "300 characters of an answer that was cut"),
        (lambda _: Answer("", output_tokens=1), "an empty answer"),
        (lambda request_id: note(request_id)[:300] + right(request_id), "a mangled answer"),
        (lambda request_id: right(request_id) + " ", "a mangled answer"),
        (lambda _: right("00000000"), "a mangled answer"),
        (lambda _: BY_THE_IMPOSTOR, "another model's answer"),
        (lambda _: AFTER_A_CUT, "an answer to a prompt that was cut"),
    ],
)
async def test_a_wrong_answer_with_a_clean_finish_is_a_silent_failure(say, seen):
    for finding in await verdicts(Gateway(say), *TEXT):
        assert finding.verdict is Verdict.SILENT
        assert finding.detail.startswith(seen)


@pytest.mark.parametrize(
    "given",
    ['{"ticket": "x", "bo', {"boats": "two"}, {"ticket": "other", "boats": 2, "asked_before": 1}, [1]],
)
async def test_a_tool_call_with_bad_arguments_is_a_silent_failure(given):
    found = await verdicts(Gateway(lambda _: called(given)), *TOOL)
    assert {one.verdict for one in found} == {Verdict.SILENT}


async def test_words_where_a_tool_call_was_due_are_a_silent_failure():
    found = await verdicts(Gateway(right), *TOOL)
    assert {one.verdict for one in found} == {Verdict.SILENT}


@pytest.mark.parametrize(
    ("fault", "streams_only", "seen"),
    [
        (Fault.cut_before_headers(abrupt=False), False, "the connection was closed"),
        (Fault.cut_mid_stream(120, abrupt=False), False, "the connection was closed"),
        (Fault.cut_mid_stream(120), False, ""),
        (Fault.broken_chunk(120), False, "no HTTP"),
        (Fault.malformed_json(120), False, "no JSON"),
        (Fault.mangled_piece(120), True, "no JSON"),
        (Fault.no_last_event(), True, "no [DONE]"),
        (Fault.no_end_proof(), True, "no finish_reason and no [DONE]"),
        (Fault.error_event_mid_stream(120), True, "an error: The server had an error"),
        (Fault.truncated(), False, "finish_reason length"),
        (Fault.rate_limited(1), False, "HTTP 429: Rate limit reached"),
    ],
)
async def test_an_answer_that_visibly_does_not_finish_fails_loudly(fault, streams_only, seen):
    for finding in await verdicts(
        Gateway(right, fault), *[case for case in TEXT if case.stream or not streams_only]
    ):
        assert finding.verdict is Verdict.LOUD
        assert seen in finding.detail


async def test_an_error_under_status_200_is_loud_both_ways():
    found = await verdicts(Gateway(right, Fault.status_200_error_body()), *cases_named("error-200"))
    assert [one.verdict for one in found] == [Verdict.LOUD, Verdict.LOUD]
    assert "The model failed" in found[0].detail
    assert found[1].detail.startswith("no stream of events")


async def test_an_answer_that_never_ends_is_told_apart_from_one_that_failed():
    found = await verdicts(Gateway(right, Fault.half_open()), *TEXT, within=0.2)
    assert {one.verdict for one in found} == {Verdict.HUNG}


async def test_a_usage_of_zero_is_a_lie_and_a_missing_one_can_be_seen():
    counted = cases_named("usage-missing")
    zero = Gateway(lambda request_id: Answer(right(request_id), input_tokens=0, output_tokens=0))
    assert {one.verdict for one in await verdicts(zero, *counted)} == {Verdict.SILENT}
    none = Gateway(right, Fault.no_usage())
    assert {one.verdict for one in await verdicts(none, *counted)} == {Verdict.LOUD}
    assert {one.verdict for one in await verdicts(Gateway(right), *counted)} == {Verdict.SURVIVED}


async def test_a_fault_that_was_never_met_is_not_survived():
    gateway = Gateway(lambda request_id: note(request_id) + BY_THE_SECOND.format(0))
    assert {one.verdict for one in await verdicts(gateway, *TEXT)} == {Verdict.UNREACHED}


async def test_one_bad_answer_of_twenty_decides():
    told = iter(range(100))
    gateway = Gateway(lambda request_id: right(request_id)[: 50 if next(told) == 7 else None])
    (finding,) = await verdicts(gateway, cases_named("storm-429")[0])
    assert finding.verdict is Verdict.SILENT
    assert len(gateway.calls) == 21


async def test_a_gateway_that_never_asks_the_faulty_model_is_not_judged(monkeypatch):
    monkeypatch.setattr(suite, "AT_FIRST", 0.0)

    class Passing(Gateway):
        def say(self, call: ReceivedCall) -> Answer | str:
            return note(marked(call.prompt)[1]) + BY_THE_SECOND.format(0)

    with pytest.raises(NotReadyError, match="unreached, the faulty model was not asked"):
        await verdicts(Passing(right), *TEXT)


async def test_nobody_at_the_address_is_no_verdict_either(monkeypatch):
    monkeypatch.setattr(suite, "AT_FIRST", 0.0)
    async with Gateway(right) as gateway:
        gateway.inject(Fault.refuse())
        with pytest.raises(NotReadyError, match="cannot be reached"):
            await anext(run(Target(gateway.url, "auto"), TEXT))


# ── The upstream ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def ask(upstream: FaultyUpstream, model: str, case: Case, request_id: str, *more: dict) -> str:
    body = case.body(model, request_id)
    body["messages"] += more
    got = await post(f"{upstream.url}/v1/chat/completions", json.dumps(body).encode(), {}, 5.0)
    assert got.status == 200, got
    return json.loads(got.body)["choices"][0]["message"]["content"]


async def test_the_good_model_tells_how_often_the_faulty_one_was_asked_for_the_same_request():
    case = cases_named("wrong-model")[0]
    async with FaultyUpstream() as upstream:
        assert await ask(upstream, GOOD, case, "1") == note("1") + BY_THE_SECOND.format(0)
        for _ in range(2):
            assert await ask(upstream, FAULTY, case, "1") == BY_THE_IMPOSTOR
        await ask(upstream, FAULTY, case, "2")
        assert await ask(upstream, GOOD, case, "1") == note("1") + BY_THE_SECOND.format(2)


async def test_the_good_model_goes_on_where_an_answer_that_broke_off_had_ended():
    begun = note("1")[:200]
    async with FaultyUpstream() as upstream:
        rest = await ask(upstream, GOOD, CALM[0], "1", {"role": "assistant", "content": begun})
    assert begun + rest == note("1") + BY_THE_SECOND.format(0)


async def test_a_prompt_without_a_marker_is_answered_by_both_models_as_by_any_double():
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    async with FaultyUpstream() as upstream:
        for model in (FAULTY, GOOD):
            got = await post(
                f"{upstream.url}/v1/chat/completions", json.dumps(body | {"model": model}).encode(), {}, 5.0
            )
            assert b"made up by a test double" in got.body


def test_every_case_is_known_by_its_marker_and_its_way_of_asking():
    assert len({(case.name, case.stream) for case in CASES}) == len(CASES)
    for case in CASES:
        assert marked(case.prompt("0a1b")) == (case.name, "0a1b")


def test_the_page_tells_of_every_case_what_is_shown():
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    rows = {
        line.split("`")[1]: line
        for line in page.splitlines()
        if line.startswith("| `") and line.count("|") == 4
    }
    assert set(rows) == {case.name for case in CASES}
    for case in CASES:
        assert case.shows in rows[case.name]
