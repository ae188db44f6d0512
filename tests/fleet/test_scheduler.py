"""Slots, turns and memory, decided without a clock: `played_engine` carries out what is decided and minds the invariants."""

import pytest
from played_engine import PlayedEngine, lane

from headgate.fleet.lanes import Pool
from headgate.fleet.scheduler import LONGEST_QUEUE, RETRY, Load, Resident, Scheduler, Start, Unload
from headgate.fleet.turns import AGED, Ticket


def loaded(*names, **given):
    """An engine in whose memory these models are already."""
    engine = PlayedEngine(*[lane(name) for name in (*names, *given.pop("others", ()))], **given)
    for name in names:
        engine.ask(name, caller="nobody")
        engine.run()
    engine.loads.clear()
    return engine


# ── Slots ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_free_slot_of_a_loaded_model_is_taken_at_once():
    engine = loaded("small")
    assert engine.waited(engine.ask("small")) == 0.0


def test_no_lane_is_sent_more_requests_than_it_has_slots():
    engine = loaded("small")
    asked = [engine.ask("small") for _ in range(6)]
    assert [number in engine.started for number in asked] == [True] * 4 + [False] * 2
    engine.run()
    assert [engine.waited(number) for number in asked] == [0, 0, 0, 0, 2, 2]


def test_no_engine_is_sent_more_requests_than_it_has_slots_for_all_its_models():
    engine = loaded("small", "code", slots=5)
    asked = [engine.ask(name) for name in ("small", "code") * 3]
    assert sum(number in engine.started for number in asked) == 5
    engine.run()
    assert set(asked) <= set(engine.started)


def test_models_of_a_paid_engine_are_always_ready():
    engine = PlayedEngine(lane("big", pool=None))
    assert engine.waited(engine.ask("big")) == 0.0
    assert engine.loads == []


def test_a_queue_is_bounded():
    engine = loaded("small")
    asked = [engine.ask("small") for _ in range(4 + LONGEST_QUEUE + 1)]
    assert list(engine.refused) == asked[-1:]
    refused = engine.refused[asked[-1]]
    assert not refused.down
    assert refused.why == "1,000 requests wait for home"


# ── Turns ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_five_hundred_requests_of_one_caller_do_not_starve_nineteen_others():
    engine = loaded("small")
    for _ in range(500):
        engine.ask("small", caller="hog")
    engine.until(engine.now + 1)
    others = [engine.ask("small", caller=f"person {number}") for number in range(19)]
    engine.run()
    rounds_of_four = 19 / 4 + 1
    assert max(engine.waited(number) for number in others) <= rounds_of_four * engine.service


def test_callers_with_many_requests_are_served_in_turns():
    engine = loaded("small", service=1.0)
    ann = [engine.ask("small", caller="ann") for _ in range(40)]
    bob = [engine.ask("small", caller="bob") for _ in range(40)]
    engine.until(engine.now + 8.5)
    served = [sum(number in engine.started for number in asked) for asked in (ann, bob)]
    assert abs(served[0] - served[1]) <= 4  # ann had all slots first


def test_whoever_is_served_in_another_lane_does_not_level_the_turns_in_this_one():
    engine = loaded("small", "code", slots=8, service=1.0)
    for _ in range(100):
        engine.ask("code", caller="alone")
        engine.ask("small", caller="hog")
    engine.until(engine.now + 5.5)
    newcomers = [engine.ask("small", caller=f"person {number}") for number in range(3)]
    engine.until(engine.now + 10)
    assert max(engine.waited(number) for number in newcomers) <= 2.0


def test_nobody_saves_up_turns_by_being_away():
    engine = loaded("small", service=1.0)
    for caller in ("ann", "bob") * 100:
        engine.ask("small", caller=caller)
    engine.until(engine.now + 10.5)
    for _ in range(40):
        engine.ask("small", caller="kim")
    ann = [number for number, ticket in engine.tickets.items() if ticket.caller == "ann"]
    before = sum(number in engine.started for number in ann)
    engine.until(engine.now + 6)
    assert sum(number in engine.started for number in ann) - before >= 7  # a third of 24, give or take one


def test_when_nobody_has_waited_for_a_moment_all_begin_anew():
    engine = loaded("small", service=1.0)
    for caller in ("ann", "bob") * 50:
        engine.ask("small", caller=caller)
    engine.run()
    for _ in range(40):
        engine.ask("small", caller="kim")
    ann = engine.ask("small", caller="ann")
    engine.run()
    assert engine.waited(ann) <= 2.0


def test_people_go_before_a_batch():
    engine = loaded("small")
    batch = [engine.ask("small", caller="night", batch=True) for _ in range(20)]
    person = engine.ask("small")
    engine.run()
    assert engine.order.index(person) < engine.order.index(batch[4])


def test_somebodys_batch_does_not_count_against_what_he_asks_meanwhile():
    engine = loaded("small")
    for _ in range(40):
        engine.ask("small", caller="ann", batch=True)
    engine.until(engine.now + 5)
    bob = [engine.ask("small", caller="bob") for _ in range(8)]
    ann = engine.ask("small", caller="ann")
    engine.run()
    assert engine.waited(ann) <= engine.waited(bob[4])


def test_a_batch_that_has_waited_long_is_served_among_people():
    engine = loaded("small", service=10.0)
    people = ("ann", "bob", "eve", "kim", "joe")
    for caller in people * 100:
        engine.ask("small", caller=caller)
    batch = engine.ask("small", caller="night", batch=True)
    engine.run()
    assert AGED <= engine.waited(batch) <= AGED + 3 * engine.service


def test_of_callers_who_had_as_much_the_one_pressed_for_time_goes_first():
    engine = loaded("small")
    for _ in range(4):
        engine.ask("small", caller="first")
    patient = engine.ask("small", caller="patient", within=60)
    pressed = engine.ask("small", caller="pressed", within=5)
    engine.run()
    assert engine.order.index(pressed) < engine.order.index(patient)


def test_whoever_hangs_up_gives_up_his_place():
    engine = loaded("small")
    asked = [engine.ask("small") for _ in range(6)]
    engine.withdraw(asked[4])
    engine.run()
    assert asked[4] not in engine.started
    assert engine.waited(asked[5]) == 2.0


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
    assert 5.0 < engine.waited(asked) <= 15.0


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


def contexts(**given):
    short = lane("short", weights="m", context=8000)
    long = lane("long", weights="m", context=32000, memory=16)
    return PlayedEngine(short, long, **given)


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


# ── Loads that fail, and engines with a will of their own ────────────────────────────────────────────────────────────


def test_a_load_that_fails_refuses_whoever_waits_and_says_why():
    engine = PlayedEngine(lane("small"))
    engine.failing["small"] = "out of memory"
    asked = [engine.ask("small") for _ in range(3)]
    engine.run()
    assert [engine.refused[number].why for number in asked] == ["out of memory"] * 3
    assert engine.refused[asked[0]].down


def test_a_model_whose_load_failed_is_left_alone_for_twice_as_long_each_time():
    engine = PlayedEngine(lane("small"))
    for pause in (RETRY, 2 * RETRY, 4 * RETRY):
        engine.failing["small"] = "broken"
        asked = engine.ask("small")
        engine.run()
        assert asked in engine.refused
        engine.until(engine.now + pause - 0.1)
        early = engine.ask("small")
        assert engine.refused[early].why == "broken"
        engine.until(engine.now + 0.1)
    assert len(engine.loads) == 3


def test_a_shorter_lane_whose_load_failed_waits_out_its_pause_when_the_longer_one_goes():
    engine = PlayedEngine(
        lane("short", weights="m", context=8000, memory=6),
        lane("long", weights="m", context=32000, memory=10, load_seconds=0.5),
        lane("b", memory=6, load_seconds=0.5),
        memory=12,
        service=3.0,
    )
    engine.failing["short"] = "broken"
    engine.ask("short")
    engine.until(4.0)  # its pause ends at 14
    engine.ask("long")
    engine.until(5.0)
    for _ in range(4):
        engine.ask("long", caller="ann")
    person = engine.ask("b", caller="bob")
    batch = engine.ask("short", caller="night", batch=True)
    engine.until(13.9)
    assert engine.loads == ["short", "long", "b"]
    engine.run()
    assert {person, batch} <= set(engine.started)


def test_a_load_that_succeeds_forgets_earlier_failures():
    engine = PlayedEngine(lane("small"))
    engine.failing["small"] = "busy"
    engine.ask("small")
    engine.run()
    engine.until(engine.now + RETRY)
    asked = engine.ask("small")
    engine.run()
    assert asked in engine.started
    assert engine.scheduler.lanes["small"].failures == 0


def test_after_a_failed_load_the_model_that_made_room_comes_back():
    engine = loaded("a", others="b", memory=10)
    engine.failing["b"] = "broken file"
    engine.ask("b")
    engine.until(engine.now + 1)
    asked = engine.ask("a")
    engine.run()
    assert asked in engine.started


def test_a_model_that_its_engine_unloaded_is_loaded_again_when_it_is_asked_for():
    engine = loaded("a")
    engine.drop("a")
    engine.scheduler.seen(
        "home", [], engine.now + 3600
    )  # no traffic for so long that it is not worth warming
    asked = engine.ask("a")
    assert asked not in engine.started
    engine.run()
    assert engine.waited(asked) == 4.0


def test_a_model_that_somebody_else_has_loaded_needs_no_load():
    engine = PlayedEngine(lane("a"))
    engine.here.add("a")
    engine.look()
    assert engine.waited(engine.ask("a")) == 0.0
    assert engine.loads == []


def test_a_model_that_somebody_else_has_loaded_with_another_context_is_the_lane_that_it_can_serve():
    engine = contexts()
    engine.here.add("short")
    engine.look()
    assert engine.scheduler.lanes["short"].state == "ready"
    assert engine.scheduler.lanes["long"].state == "out"


def test_what_others_have_loaded_counts_as_taken():
    engine = loaded("a", others="b", memory=20)
    engine.foreign = 10
    engine.look()
    engine.ask("b")
    engine.run()
    assert engine.unloads == ["a"]


def test_where_only_others_models_are_in_the_way_the_engine_is_asked_all_the_same():
    engine = PlayedEngine(lane("a"), memory=20)
    engine.foreign = 15
    engine.look()
    asked = engine.ask("a")
    engine.run()
    assert asked in engine.started
    assert engine.foreign == 0


def test_a_model_that_answers_is_there_whatever_its_engine_says():
    engine = loaded("a")
    engine.ask("a")
    engine.scheduler.seen("home", [], engine.now)
    assert engine.scheduler.lanes["a"].state == "ready"


def test_a_model_that_turns_out_to_take_more_than_there_is_can_be_loaded_again():
    scheduler = PlayedEngine(lane("a"), memory=20).scheduler
    ticket = Ticket(id=1, lane="a", arrived=0.0, deadline=60.0)
    scheduler.ask(ticket, 0.0)
    scheduler.loaded("a", 4.0, 25, 4.0)
    scheduler.leave("a", 1.0, 5.0)
    scheduler.seen("home", [], 4000.0)
    assert scheduler.ask(Ticket(id=2, lane="a", arrived=4000.0, deadline=4060.0), 4000.0) == (Load("a"),)


def test_when_somebody_else_loads_into_the_room_that_was_made_room_is_made_again():
    engine = loaded("a", others="bc", memory=10)
    scheduler, now = engine.scheduler, engine.now
    assert scheduler.ask(Ticket(id=900, lane="b", arrived=now, deadline=now + 60), now) == (Unload("a"),)
    scheduler.seen("home", [Resident("c", None, 10)], now + 1)
    assert scheduler.unloaded("a", now + 1) == (Unload("c"),)
    assert scheduler.unloaded("c", now + 2) == (Load("b"),)


def test_a_model_that_unloads_by_itself_while_it_is_drained_makes_room():
    engine = loaded("a", others="b", memory=10, service=30.0)
    engine.ask("a")
    engine.until(engine.now + 10)
    asked = engine.ask("b", caller="bob")
    engine.until(engine.now + 20)
    engine.look()
    engine.run()
    assert asked in engine.started


# ── How long it will take ────────────────────────────────────────────────────────────────────────────────────────────


def foretold(engine, name, caller="new", *, batch=False):
    """What a newcomer is told, and what then happens."""
    expected = engine.scheduler.expected_wait(name, caller, engine.now, batch=batch)
    asked = engine.ask(name, caller=caller, batch=batch)
    engine.run()
    return expected, engine.waited(asked)


def test_a_free_slot_means_no_wait():
    engine = loaded("a")
    assert engine.scheduler.expected_wait("a", "new", engine.now) == 0.0


def test_an_unknown_pace_foretells_nothing():
    engine = PlayedEngine(lane("big", pool=None, slots=1))
    engine.ask("big")
    assert engine.scheduler.expected_wait("big", "new", engine.now) == 0.0


def test_a_newcomer_waits_for_the_load():
    assert foretold(PlayedEngine(lane("a")), "a") == (4.0, 4.0)


def test_a_newcomer_waits_for_the_rest_of_a_load_under_way():
    engine = PlayedEngine(lane("a"))
    engine.ask("a")
    engine.until(3.0)
    assert foretold(engine, "a") == (1.0, 1.0)


def test_a_newcomer_waits_for_those_whose_turn_comes_before():
    engine = loaded("a")
    for _ in range(20):
        engine.ask("a", caller="hog")
    expected, waited = foretold(engine, "a")
    assert expected == pytest.approx(waited, abs=engine.service)
    assert waited <= 4.0


def test_the_hog_himself_waits_for_all_that_he_has_asked():
    engine = loaded("a")
    for _ in range(20):
        engine.ask("a", caller="hog")
    expected, waited = foretold(engine, "a", caller="hog")
    assert expected == pytest.approx(waited, abs=engine.service)
    assert waited >= 8.0


def test_a_batch_waits_for_all_people():
    engine = loaded("a")
    for number in range(24):
        engine.ask("a", caller=f"person {number % 3}")
    expected, waited = foretold(engine, "a", batch=True)
    assert expected == pytest.approx(waited, abs=engine.service)
    assert waited >= 8.0


def test_a_newcomer_waits_until_a_busy_model_has_had_its_turn_is_drained_unloaded_and_his_is_loaded():
    engine = loaded("a", others="b", memory=10, service=3.0)
    for _ in range(2):
        engine.ask("b")
        engine.run()
        engine.ask("a")
        engine.run()
    engine.until(engine.now + 100)
    for number in range(40):
        engine.ask("a", caller=f"person {number}")
    expected, waited = foretold(engine, "b")
    assert expected == pytest.approx(waited, abs=2 * engine.service)
    assert waited > 20


def test_a_newcomer_for_a_third_model_waits_for_the_swap_under_way():
    engine = loaded("a", others="bc", memory=10)
    engine.ask("b", caller="bob")
    expected, waited = foretold(engine, "c")
    assert waited > 10
    assert expected == pytest.approx(waited, abs=4)


def test_a_newcomer_for_a_shorter_lane_waits_for_the_longer_one_that_is_being_loaded():
    engine = contexts()
    engine.ask("long")
    engine.until(1.0)
    assert foretold(engine, "short") == (3.0, 3.0)


def test_nothing_is_done_but_told():
    scheduler = Scheduler([lane("a")], {"home": 1})
    assert scheduler.enter("a") is None  # its memory is unknown: there is no pool of that name
    facts = PlayedEngine(lane("a")).scheduler
    ticket = Ticket(id=7, lane="a", arrived=0.0, deadline=60.0)
    assert facts.ask(ticket, 0.0) == (Load("a"),)
    assert facts.loaded("a", 3.0, 10, 3.0) == (Start(7, "a"),)


def test_an_engine_that_comes_up_tells_what_its_models_take_and_what_is_loaded():
    scheduler = Scheduler([lane("a", pool=None, memory=0), lane("b", pool=None, memory=0)], {"home": 4})
    assert scheduler.cold() == frozenset()
    card = Pool("card", 10)
    assert scheduler.learn("home", card, [lane("a"), lane("b")], [Resident("a", None, 10)], 0.0) == ()
    assert scheduler.cold() == {"b"}
    assert scheduler.enter("a") == "a"
    scheduler.leave("a", 1.0, 1.0)
    asked = Ticket(id=1, lane="b", arrived=2.0, deadline=60.0)
    assert scheduler.ask(asked, 2.0) == (Unload("a"),)
    assert scheduler.unloaded("a", 3.0) == (Load("b"),)
    assert scheduler.cold() == {"a", "b"}


def test_lanes_whose_contexts_are_learnt_later_serve_each_other_all_the_same():
    scheduler = Scheduler(
        [lane("short", weights="m", pool=None), lane("long", weights="m", pool=None)], {"home": 4}
    )
    lanes = [lane("short", weights="m", context=8000), lane("long", weights="m", context=32000)]
    scheduler.learn("home", Pool("card", 20), lanes, [Resident("m", 32000, 10)], 0.0)
    assert scheduler.enter("short") == "long"


def test_what_is_shown_of_a_lane_is_how_much_of_its_time_was_used():
    engine = loaded("a", service=10.0)
    assert engine.scheduler.lanes["a"].use(engine.now) < 0.02
    for _ in range(200):
        engine.ask("a")
    engine.run()
    assert 0.5 < engine.scheduler.lanes["a"].use(engine.now) <= 1.0
    assert engine.scheduler.lanes["a"].use(engine.now + 3600) < 0.01
