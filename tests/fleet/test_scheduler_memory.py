"""Which model is in memory, and when it makes room for another."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played_engine import PlayedEngine, contexts, lane, loaded

from headgate.fleet.lanes import Lane
from headgate.fleet.residency import gathered_at, pressing, turn
from headgate.fleet.turns import Ticket

# ── Memory ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_is_loaded_for_whoever_asks_for_it():
    engine = PlayedEngine(lane("small"))
    asked = engine.ask("small")
    engine.run()
    assert engine.waited(asked) == 4.0
    assert engine.loads == ["small"]


def test_one_model_at_a_time_is_loaded_into_one_memory():
    engine = PlayedEngine(lane("a"), lane("b"), lane("c"), memory=30)
    asked = [engine.ask(name) for name in "abc"]
    engine.run()  # the played engine minds that loads do not overlap
    assert [engine.waited(number) for number in asked] == [4, 8, 12]
    assert engine.unloads == []


def test_two_memories_are_loaded_side_by_side():
    engine = PlayedEngine(lane("a"), lane("b", engine="other", pool="its card"))
    asked = [engine.ask(name) for name in "ab"]
    engine.run()
    assert [engine.waited(number) for number in asked] == [4, 4]


def test_an_idle_model_goes_at_once_for_a_person():
    engine = loaded("a", "b", others="c")
    asked = engine.ask("c")
    engine.run()
    assert engine.waited(asked) == 5.0  # a second to unload, four to load
    assert len(engine.unloads) == 1


def test_requests_of_a_batch_gather_before_an_idle_model_goes():
    engine = loaded("a", "b", others="c")
    asked = engine.ask("c", batch=True)
    engine.run()
    assert 5.0 < engine.waited(asked) <= 20.0


def test_a_model_that_answers_is_never_unloaded_and_the_next_one_waits_for_it():
    engine = loaded("a", others="b", memory=10, service=30.0)
    engine.ask("a", caller="ann")
    asked = engine.ask("b", caller="bob")
    engine.until(engine.now + 29)
    assert engine.unloads == []
    engine.run()
    assert engine.waited(asked) == 35.0


def test_a_model_that_has_to_go_takes_no_more_requests():
    engine = loaded("a", others="b", memory=10, service=30.0)
    engine.ask("a", caller="ann")
    engine.until(engine.now + 10)
    first = engine.ask("b", caller="bob")
    late = engine.ask("a", caller="eve")
    engine.run()
    assert engine.started[first] < engine.started[late]


def test_the_model_that_is_asked_for_most_stays():
    engine = loaded("often", "seldom", others=["new"])
    for _ in range(10):
        engine.ask("often")
        engine.run()
    engine.ask("seldom")  # used last, as engines count
    engine.run()
    engine.ask("new")
    engine.run()
    assert engine.unloads == ["seldom"]


def test_only_as_many_models_go_as_must():
    engine = PlayedEngine(
        lane("little", memory=4), lane("half", memory=10), lane("big", memory=12), memory=16
    )
    for name in ("little", "half"):
        engine.ask(name)
        engine.run()
    engine.ask("big")
    engine.run()
    assert engine.unloads == ["half"]


@pytest.mark.parametrize("batch", [False, True])
def test_two_models_that_do_not_fit_together_do_not_thrash(batch):
    engine = PlayedEngine(lane("a"), lane("b"), memory=10)
    asked = []
    for number in range(120):
        asked.append(engine.ask("ab"[number % 2], caller=f"person {number % 20}", batch=batch))
        engine.until(engine.now + 0.5)
    engine.run()
    assert set(asked) <= set(engine.started)
    assert len(engine.loads) <= 6
    assert max(engine.waited(number) for number in asked) < 90


def test_a_batch_does_not_take_the_model_from_people_who_use_it():
    engine = loaded("a", others="b", memory=10, service=4.0)
    batch = engine.ask("b", caller="night", batch=True)
    for number in range(60):
        engine.ask("a", caller=f"person {number % 20}")
        engine.until(engine.now + 0.9)
    assert engine.unloads == []
    engine.run()
    assert batch in engine.started


def test_a_person_takes_the_memory_from_a_batch_that_waits_too():
    engine = loaded("a", others="b", memory=10)
    for _ in range(100):
        engine.ask("a", caller="night", batch=True)
    engine.until(engine.now + 10)
    person = engine.ask("b")
    engine.run()
    assert engine.waited(person) <= 12.0


def busy_with_people(within):
    """A model that people wait for, one person who waits for another model, and how long."""
    engine = loaded("a", others="b", memory=10, service=3.0)
    engine.until(engine.now + 100)
    for number in range(60):
        engine.ask("a", caller=f"person {number}")
    asked = engine.ask("b", caller="bob", within=within)
    engine.run()
    return engine.waited(asked)


def test_a_turn_ends_early_for_somebody_who_is_pressed_for_time():
    assert busy_with_people(within=20.0) <= 20.0 < busy_with_people(within=600.0)


def test_a_turn_does_not_end_early_for_somebody_who_would_be_late_all_the_same():
    assert busy_with_people(within=2.0) == busy_with_people(within=600.0)


def much_asked(rate=0.3, *, at_work=True):
    """Two models in memory, one of them at work, and a third; each is asked for so often per second."""
    engine = loaded("busy", "idle", others=["third"], service=60.0)
    for each in engine.scheduler.lanes.values():
        each.expect(rate, engine.now)
    if at_work:
        engine.scheduler.lanes["busy"].expect(5 * rate, engine.now)
        engine.ask("busy")
    return engine


def test_while_the_card_is_at_work_an_idle_model_goes_when_enough_want_another():
    engine = much_asked()
    asked = []
    for caller in ("ann", "bob", "eve"):
        assert engine.unloads == []
        asked.append(engine.ask("third", caller=caller))
        engine.until(engine.now + 1)
    assert engine.unloads == ["idle"]
    engine.run()
    assert engine.waited(asked[0]) == 2.0 + 5.0


def test_whoever_wants_it_alone_waits_until_others_would_wait_as_long_because_of_him():
    engine = much_asked()
    asked = engine.ask("third")
    engine.run()
    assert engine.waited(asked) == pytest.approx(0.3 * 8.0**2 + 5.0)  # 8 s: two loads


@pytest.mark.parametrize("rate", [1.0, 100.0])
def test_however_much_is_asked_nobody_waits_for_company_longer_than_a_turn(rate):
    engine = much_asked(rate)
    asked = engine.ask("third")
    engine.run()
    assert engine.waited(asked) == pytest.approx(3 * 8.0 + 5.0)


def test_whoever_is_pressed_for_time_does_not_wait_for_company():
    engine = much_asked()
    asked = engine.ask("third", within=15.0)
    engine.run()
    assert engine.waited(asked) <= 15.0


@pytest.mark.parametrize(("rate", "at_work"), [(0.3, False), (0.01, True)])
def test_nobody_waits_for_company_while_the_card_answers_nobody_or_little_is_asked(rate, at_work):
    engine = much_asked(rate, at_work=at_work)
    asked = engine.ask("third")
    engine.run()
    assert engine.waited(asked) == 5.0


def test_one_callers_five_hundred_requests_bring_a_model_and_do_not_keep_it():
    engine = much_asked()
    for _ in range(500):
        engine.ask("third", caller="hog")
    assert engine.unloads == ["idle"]
    engine.until(engine.now + 30)
    others = [engine.ask("idle", caller=f"person {number}") for number in range(19)]
    engine.until(engine.now + 300)
    first = min(engine.waited(number) for number in others if number in engine.started)
    assert first <= 3 * 9.0 + engine.service + 5.0  # a turn, what runs, and the swap


@given(
    rates=st.tuples(st.floats(0, 10), st.floats(0, 10)),
    ages=st.lists(st.floats(0, 200), min_size=1, max_size=20),
)
def test_company_never_makes_anybody_wait_longer(rates, ages):
    now = 1000.0
    victim, wanted, busy = (Lane(lane(name)) for name in ("victim", "wanted", "busy"))
    busy.running = 1
    for each, rate in zip((victim, wanted), rates, strict=True):
        each.state = "ready" if each is victim else "out"
        each.expect(rate, now)
    for number, age in enumerate(ages):
        wanted.waiting.add(
            Ticket(id=number, lane="wanted", caller=str(number), arrived=now - age, deadline=inf)
        )
    oldest = pressing(wanted, now)
    moments = [
        gathered_at(wanted, [victim], [victim, wanted, busy], oldest, now, newcomers=newcomers)
        for newcomers in range(4)
    ]
    for fewer, more in pairwise(moments):
        assert max(more, now) <= max(fewer, now) + 1e-6
    assert moments[0] <= max(now, oldest.arrived + turn(victim, wanted))


def test_when_nobody_waits_any_more_a_swap_is_given_up_and_the_others_go_on():
    engine = loaded("a", others="b", memory=10, service=30.0)
    engine.ask("a", caller="ann")
    engine.until(engine.now + 10)
    unwanted = engine.ask("b", caller="bob")
    eve = engine.ask("a", caller="eve")
    assert eve not in engine.started
    engine.withdraw(unwanted)
    assert engine.waited(eve) == 0.0
    engine.run()
    assert engine.loads == []
    assert engine.unloads == []


def test_a_model_bigger_than_the_memory_is_refused_with_both_sizes():
    engine = PlayedEngine(lane("huge", memory=40 * 2**30), memory=24 * 2**30)
    asked = engine.ask("huge")
    assert engine.refused[asked].down
    assert engine.refused[asked].why == "it takes 40.0 GiB, and card has 24.0"


def test_what_was_asked_for_lately_is_loaded_again_when_there_is_room():
    engine = loaded("a")
    for _ in range(5):
        engine.ask("a")
        engine.run()
    engine.drop("a")
    engine.look()
    assert engine.loads == ["a"]


# ── Contexts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_longer_lane_of_the_same_model_serves_requests_of_the_shorter_one():
    engine = contexts()
    engine.ask("long")
    engine.run()
    asked = engine.ask("short")
    assert engine.waited(asked) == 0.0
    assert engine.served_in[asked] == "long"
    assert engine.loads == ["long"]


def test_a_request_for_the_longer_lane_reloads_the_model():
    engine = contexts()
    engine.ask("short")
    engine.run()
    asked = engine.ask("long")
    engine.run()
    assert engine.served_in[asked] == "long"
    assert engine.loads == ["short", "long"]
    assert engine.unloads == ["short"]


def test_when_both_are_waited_for_only_the_longer_one_is_loaded():
    engine = PlayedEngine(
        lane("b", memory=20),
        lane("short", weights="m", context=8000),
        lane("long", weights="m", context=32000, memory=16),
    )
    engine.ask("b", caller="eve")
    engine.run()
    engine.ask("b", caller="eve")
    short, long = engine.ask("short"), engine.ask("long")
    engine.run()
    assert engine.loads == ["b", "long"]
    assert engine.served_in[short] == engine.served_in[long] == "long"


def test_who_waits_for_a_shorter_lane_counts_as_waiting_for_the_longer_one_that_serves_it():
    engine = PlayedEngine(
        lane("short", weights="m", context=8000),
        lane("long", weights="m", context=32000),
        lane("b"),
        memory=10,
    )
    engine.ask("long")
    engine.run()
    for number in range(30):
        engine.ask("short", caller=f"person {number}")
    engine.until(engine.now + 1)
    other = engine.ask("b", caller="bob")
    engine.run()
    assert engine.loads == ["long", "b"]
    assert engine.waited(other) < 30


def test_two_names_of_one_model_are_one_model_in_memory():
    engine = PlayedEngine(lane("a", weights="m"), lane("b", weights="m"))
    engine.here.add("a")
    engine.look()
    asked = [engine.ask(name) for name in "ab"]
    assert [engine.waited(number) for number in asked] == [0.0, 0.0]
    assert sorted(each.state for each in engine.scheduler.lanes.values()) == ["out", "ready"]
