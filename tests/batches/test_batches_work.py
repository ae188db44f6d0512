"""A batch goes through its items: each once, in order in the end, and it goes on where it ended."""

import asyncio

import pytest
from batch_runners import Speaker, go, read_lines, write_lines

from headgate.batches import Budget, Item, Notice, Stop, open_results, run_batch
from headgate.batches.work import AHEAD
from headgate.core.errors import EngineError, HeadgateError, UsageError


async def test_each_item_has_one_line_in_the_order_of_the_inputs(tmp_path):
    write_lines(tmp_path / "in.jsonl", [f"text {n}" for n in range(200)])
    late = {"text 0": 0.05, "text 7": 0.02}

    async def answer(text):
        await asyncio.sleep(late.get(text, 0))
        return {}

    speaker = Speaker(lambda text, pay: answer(text))
    summary, lines, _ = await go(tmp_path, speaker, "in.jsonl", at_once=5)
    assert [line["output"] for line in lines] == [f"TEXT {n}" for n in range(200)]
    assert [line["item"] for line in lines] == list(range(1, 201))
    assert lines[41]["source"] == f"{tmp_path}/in.jsonl:42"
    assert speaker.most_under_way == 5
    assert (summary.items, summary.answered, summary.kept, summary.stopped) == (200, 200, 0, False)
    assert summary.tally.statuses == {"ok": 200}


async def test_a_batch_that_is_run_again_asks_nobody(tmp_path):
    write_lines(tmp_path / "in.jsonl", ["one", "two", "two", {"text": "three", "id": 7}])
    first = Speaker()
    _, lines, _ = await go(tmp_path, first, "in.jsonl")
    assert first.asked == {"one": 1, "two": 2, "three": 1}
    assert len(set(first.keys)) == 4
    assert [line["id"] for line in lines] == ["", "", "", "7"]
    second = Speaker()
    summary, again, _ = await go(tmp_path, second, "in.jsonl")
    assert not second.asked
    assert again == lines
    assert summary.kept == 4


async def test_a_changed_item_is_asked_again_and_named(tmp_path):
    write_lines(tmp_path / "in.jsonl", ["one", "two", "three"])
    await go(tmp_path, Speaker(), "in.jsonl")
    write_lines(tmp_path / "in.jsonl", ["one", "two, corrected", "three"])
    said = []
    speaker = Speaker()
    summary, lines, _ = await go(tmp_path, speaker, "in.jsonl", tell=said.append)
    assert speaker.asked == {"two, corrected": 1}
    assert [line["output"] for line in lines] == ["ONE", "TWO, CORRECTED", "THREE"]
    assert (summary.changed, summary.kept, summary.gone) == (1, 2, 1)
    (notice,) = [event.text for event in said if isinstance(event, Notice)]
    assert notice == f"{tmp_path}/in.jsonl:2 has changed since it was answered; it is asked again"
    assert [line["output"] for line in read_lines(tmp_path / "results.jsonl.gone")] == ["TWO"]


@pytest.mark.parametrize("at_once", [1, 4])
async def test_a_line_put_at_the_top_costs_nothing_but_itself(tmp_path, at_once):
    texts = ["a", "b", "b", "c", "d"]
    write_lines(tmp_path / "in.jsonl", texts)
    _, before, _ = await go(tmp_path, Speaker(), "in.jsonl")
    write_lines(tmp_path / "in.jsonl", ["new", *texts])
    speaker = Speaker()
    summary, lines, _ = await go(tmp_path, speaker, "in.jsonl", at_once=at_once)
    assert speaker.asked == {"new": 1}
    assert (summary.moved, summary.kept, summary.answered, summary.gone) == (4, 5, 1, 0), (
        "one b stands where one was"
    )
    assert [line["output"] for line in lines] == ["NEW", "A", "B", "B", "C", "D"]
    assert [line["source"].rpartition(":")[2] for line in lines] == list("123456")
    assert sorted(line["requests"] for line in lines[1:]) == sorted(line["requests"] for line in before)
    assert not (tmp_path / "results.jsonl.gone").exists()


async def test_a_result_is_not_lost_when_the_batch_ends_while_things_move(tmp_path):
    write_lines(tmp_path / "in.jsonl", ["a", "b", "c"])
    await go(tmp_path, Speaker(), "in.jsonl")
    write_lines(tmp_path / "in.jsonl", ["new", "newer", "a", "b", "c"])
    stop = Stop()

    def answer(text, pay):
        stop.ask()
        return {}

    summary, _, _ = await go(tmp_path, Speaker(answer), "in.jsonl", stop=stop, at_once=1)
    assert (summary.stopped, summary.answered) == (True, 1)
    speaker = Speaker()
    _, lines, _ = await go(tmp_path, speaker, "in.jsonl")
    assert speaker.asked == {"newer": 1}
    assert [line["output"] for line in lines] == ["NEW", "NEWER", "A", "B", "C"]


async def test_results_whose_items_are_gone_are_kept_beside(tmp_path):
    write_lines(tmp_path / "in.jsonl", ["a", "b", "c"])
    await go(tmp_path, Speaker(), "in.jsonl")
    write_lines(tmp_path / "in.jsonl", ["c", "a"])
    speaker = Speaker()
    summary, lines, _ = await go(tmp_path, speaker, "in.jsonl")
    assert not speaker.asked
    assert [line["output"] for line in lines] == ["C", "A"]
    assert summary.gone == 1
    assert [line["output"] for line in read_lines(tmp_path / "results.jsonl.gone")] == ["B"]


async def test_what_failed_is_asked_again_under_a_new_name_and_nothing_else(tmp_path):
    write_lines(tmp_path / "in.jsonl", ["good", "bad", "worse"])
    first = Speaker(
        lambda text, pay: {} if text == "good" else {"status": "failed", "output": None, "cost": 0.25}
    )
    _, before, _ = await go(tmp_path, first, "in.jsonl")
    assert [line["status"] for line in before] == ["ok", "failed", "failed"]
    second = Speaker(lambda text, pay: {"cost": 0.5} if text == "bad" else {"status": "failed", "cost": None})
    summary, lines, _ = await go(tmp_path, second, "in.jsonl", retry={"failed"})
    assert second.asked == {"bad": 1, "worse": 1}
    assert not set(second.keys) & set(first.keys)
    assert lines[0] == before[0]
    assert [line["status"] for line in lines] == ["ok", "ok", "failed"]
    assert [line["cost"] for line in lines] == [0.0, 0.75, None]
    assert lines[1]["requests"] == [*before[1]["requests"], next(key for key in second.keys if ":2:" in key)]
    assert [line["tries"] for line in lines] == [1, 2, 2]
    assert (summary.kept, summary.tally.unknown, summary.tally.cost) == (1, 1, 0.75)


async def test_a_retry_leaves_items_alone_that_were_never_asked(tmp_path):
    write_lines(tmp_path / "in.jsonl", ["a", "b"])
    stop = Stop()

    def answer(text, pay):
        stop.ask()
        return {"status": "failed"}

    await go(tmp_path, Speaker(answer), "in.jsonl", stop=stop, at_once=1)
    speaker = Speaker()
    summary, lines, _ = await go(tmp_path, speaker, "in.jsonl", retry={"failed"})
    assert speaker.asked == {"a": 1}
    assert (summary.skipped, summary.complete, len(lines)) == (1, False, 2)
    speaker = Speaker()
    summary, lines, _ = await go(tmp_path, speaker, "in.jsonl")
    assert speaker.asked == {"b": 1}
    assert summary.complete
    assert [line["output"] for line in lines] == ["A", "B"]


async def test_one_bad_item_never_stops_the_rest(tmp_path):
    write_lines(tmp_path / "in.jsonl", ["a", "wrong", "broken", "b"])
    troubles = {"wrong": UsageError("the input has no client", "…"), "broken": RuntimeError("a bug")}
    speaker = Speaker(lambda text, pay: troubles.get(text, {}))
    summary, lines, _ = await go(tmp_path, speaker, "in.jsonl")
    assert [line["status"] for line in lines] == ["ok", "failed", "failed", "ok"]
    assert [line["reason"] for line in lines[1:3]] == ["the input has no client", "RuntimeError: a bug"]
    assert [line["cost"] for line in lines[1:3]] == [0.0, None], "nobody knows what a bug cost"
    assert summary.complete


async def test_a_gate_that_is_gone_ends_the_batch_and_no_item_is_called_failed(tmp_path):
    write_lines(tmp_path / "in.jsonl", [f"{n}" for n in range(100)])
    gone = EngineError("the gate at http://127.0.0.1:4141 does not answer", "headgate up opens it")
    speaker = Speaker(lambda text, pay: gone if int(text) >= 10 else {})
    with pytest.raises(EngineError, match="does not answer"):
        await go(tmp_path, speaker, "in.jsonl", at_once=3)
    lines = read_lines(tmp_path / "results.jsonl")
    assert [line["item"] for line in lines] == list(range(1, 11))
    assert sum(speaker.asked.values()) <= 10 + 3
    speaker = Speaker()
    _, lines, _ = await go(tmp_path, speaker, "in.jsonl")
    assert len(speaker.asked) == 90
    assert {line["status"] for line in lines} == {"ok"}


async def test_asked_to_stop_it_answers_what_is_under_way_and_no_more(tmp_path):
    write_lines(tmp_path / "in.jsonl", [f"{n}" for n in range(100)])
    stop = Stop()
    speaker = Speaker(seconds=0.05)
    batch = asyncio.create_task(go(tmp_path, speaker, "in.jsonl", stop=stop, at_once=3))
    await speaker.began.wait()
    stop.ask()
    summary, lines, _ = await batch
    assert summary.stopped
    assert len(lines) == sum(speaker.asked.values()) <= 3


async def test_asked_twice_it_stops_at_once(tmp_path):
    write_lines(tmp_path / "in.jsonl", [f"{n}" for n in range(100)])
    stop = Stop()
    speaker = Speaker(seconds=3600)
    batch = asyncio.create_task(go(tmp_path, speaker, "in.jsonl", stop=stop, at_once=3))
    await speaker.began.wait()
    stop.ask()
    stop.ask()
    summary, lines, _ = await batch
    assert (summary.stopped, lines) == (True, [])
    assert speaker.under_way == 0
    again = Speaker()
    await go(tmp_path, again, "in.jsonl")
    assert set(speaker.keys) < set(again.keys), (
        "asked again by the same name, a gate repeats what it answered"
    )


async def test_the_budget_is_kept_and_survives_a_restart(tmp_path):
    write_lines(tmp_path / "in.jsonl", [f"{n}" for n in range(20)])

    def answer(text, pay):
        if not pay:
            return {"status": "failed", "output": None, "reason": "nobody at home could"}
        return {"cost": 0.30, "status": "escalated"}

    async def batch(speaker, limit, **how):
        with_budget = {"expected": lambda _: 0.30, "at_once": 3} | how
        from headgate.batches import open_items, open_results, run_batch

        out = tmp_path / "results.jsonl"
        items = open_items([str(tmp_path / "in.jsonl")], tmp_path)
        with open_results(out, agent="loud") as (results, _):
            budget = Budget(limit, results.tally.cost)
            summary = await run_batch(speaker, "loud", items, results, budget=budget, **with_budget)
        return summary, read_lines(out)

    summary, lines = await batch(Speaker(answer), 1.00)
    assert summary.over_budget
    assert sum(line["cost"] for line in lines) == pytest.approx(0.90)
    assert [line["status"] for line in lines] == ["escalated"] * 3 + ["incomplete"] * 17
    assert lines[5]["reason"] == "the budget of $1.00 is used up; nobody at home could"
    summary, lines = await batch(Speaker(answer), 1.00, retry={"incomplete"})
    assert sum(line["cost"] for line in lines) == pytest.approx(0.90)
    summary, lines = await batch(Speaker(answer), 2.50, retry={"incomplete"})
    assert sum(line["cost"] for line in lines) == pytest.approx(2.40)
    assert summary.tally.statuses == {"escalated": 8, "incomplete": 12}


async def test_without_an_estimate_the_budget_learns_what_answers_cost(tmp_path):
    write_lines(tmp_path / "in.jsonl", [f"{n}" for n in range(20)])
    speaker = Speaker(lambda text, pay: {"cost": 0.30 if pay else 0.0})
    summary, lines, _ = await go(tmp_path, speaker, "in.jsonl", budget=Budget(1.00), at_once=1)
    assert sum(line["cost"] for line in lines) == pytest.approx(0.90)
    assert summary.tally.statuses == {"ok": 20}, "what is answered at home is answered"


async def test_when_nobody_answers_any_more_it_does_not_go_through_all_items_in_vain(tmp_path):
    write_lines(tmp_path / "in.jsonl", [f"{n}" for n in range(500)])
    silent = {"status": "failed", "output": None, "model": None, "reason": "llama: connection refused"}
    speaker = Speaker(lambda text, pay: {} if int(text) < 50 else silent)
    with pytest.raises(EngineError, match="25 items in a row got no answer: llama: connection refused"):
        await go(tmp_path, speaker, "in.jsonl", at_once=4)
    lines = read_lines(tmp_path / "results.jsonl")
    assert 75 <= len(lines) < 75 + 4
    await go(tmp_path, Speaker(), "in.jsonl")
    _, lines, _ = await go(tmp_path, Speaker(), "in.jsonl", retry={"failed"})
    assert [line["output"] for line in lines] == [f"{n}" for n in range(500)]


async def test_many_items_that_do_not_fit_the_agent_do_not_end_the_batch(tmp_path):
    write_lines(tmp_path / "in.jsonl", [f"{n}" for n in range(100)])
    unfit = {"status": "failed", "output": None, "model": None, "requests": (), "reason": "no client"}
    speaker = Speaker(lambda text, pay: unfit if int(text) < 99 else {})
    summary, _, _ = await go(tmp_path, speaker, "in.jsonl")
    assert summary.tally.statuses == {"failed": 99, "ok": 1}


async def test_a_result_goes_to_one_item_and_no_other(tmp_path):
    write_lines(tmp_path / "in.jsonl", ["a", "a"])
    await go(tmp_path, Speaker(), "in.jsonl")
    write_lines(tmp_path / "in.jsonl", ["new", "a", "a", "a"])
    speaker = Speaker()
    _, lines, _ = await go(tmp_path, speaker, "in.jsonl")
    assert speaker.asked == {"new": 1, "a": 1}
    assert len({tuple(line["requests"]) for line in lines}) == 4


async def test_the_same_fields_in_another_order_are_the_same_item(tmp_path):
    write_lines(tmp_path / "in.jsonl", [{"text": "a", "client": "b"}])
    await go(tmp_path, Speaker(), "in.jsonl")
    write_lines(tmp_path / "in.jsonl", [{"client": "b", "text": "a"}])
    speaker = Speaker()
    await go(tmp_path, speaker, "in.jsonl")
    assert not speaker.asked


async def test_an_input_that_breaks_off_loses_no_answer_that_is_under_way(tmp_path):
    class Vanishing:
        def total(self):
            return None

        def __iter__(self):
            yield from (Item(n=n, given=f"{n}") for n in range(1, AHEAD + 2))
            raise OSError(5, "Input/output error", "in.jsonl")

    with open_results(tmp_path / "results.jsonl", agent="loud") as (results, _):
        with pytest.raises(HeadgateError, match=r"in\.jsonl cannot be read any more: Input/output error"):
            await run_batch(Speaker(seconds=0.02), "loud", Vanishing(), results)
        assert [result.item for result in results] == list(range(1, AHEAD + 1))


async def test_a_bug_of_our_own_ends_the_batch_and_is_not_hidden(tmp_path):
    write_lines(tmp_path / "in.jsonl", ["a", "b", "c"])
    speaker = Speaker(lambda text, pay: {"output": object()} if text == "b" else {})
    with pytest.raises(TypeError, match="unsupported"):
        await go(tmp_path, speaker, "in.jsonl", at_once=1)
    assert [line["output"] for line in read_lines(tmp_path / "results.jsonl")][:1] == ["A"]
