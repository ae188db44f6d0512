"""Loads that fail, engines with a will of their own, and second gates."""

from played_engine import PlayedEngine, contexts, lane, loaded

from headgate.fleet.lanes import Pool
from headgate.fleet.scheduler import RETRY, Load, Resident, Scheduler, Start, Unload
from headgate.fleet.turns import Ticket


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


def test_nobody_is_told_to_wait_for_a_model_that_is_left_alone():
    engine = PlayedEngine(lane("small"))
    engine.failing["small"] = "broken"
    assert engine.scheduler.expected_wait("small", "ann", engine.now) == 4.0
    engine.ask("small")
    engine.until(4.0)
    assert engine.scheduler.expected_wait("small", "ann", engine.now) == 0.0


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


def test_whoever_waits_for_an_engine_that_ends_is_told_and_nothing_is_loaded_until_it_is_back():
    engine = loaded("a", others="b", memory=10)
    for _ in range(12):
        engine.ask("a")
    waiting = [*engine.waiting, engine.ask("b")]
    engine.vanish("home")
    assert {engine.refused[number].why for number in waiting} == {"it does not answer"}
    assert all(engine.refused[number].down for number in waiting)
    engine.until(engine.now + 1000)
    assert engine.refused[engine.ask("b")].why == "it does not answer"
    assert engine.loads == []
    engine.come_back("home")
    asked = engine.ask("b")
    engine.run()
    assert asked in engine.started


def test_failures_of_an_engine_that_was_away_do_not_count_when_it_is_back():
    engine = PlayedEngine(lane("a"))
    engine.failing["a"] = "nobody answers"
    engine.ask("a")
    engine.run()
    engine.vanish("home")
    engine.come_back("home")
    asked = engine.ask("a")
    engine.run()
    assert engine.waited(asked) == 4.0


def test_what_an_engine_said_before_a_load_was_done_does_not_undo_it():
    engine = loaded("a")
    scheduler, since = engine.scheduler, engine.scheduler.lanes["a"].since
    scheduler.seen("home", [], engine.now, asked=since - 0.1)
    assert scheduler.lanes["a"].state == "ready"
    scheduler.seen("home", [], engine.now, asked=since + 0.1)
    assert scheduler.lanes["a"].state == "out"
    scheduler.seen("home", [Resident("a")], engine.now, asked=engine.now - 0.1)
    assert scheduler.lanes["a"].state == "out"
    scheduler.seen("home", [Resident("a")], engine.now, asked=engine.now)
    assert scheduler.lanes["a"].state == "ready"


def test_a_load_that_an_engine_took_with_it_is_not_tried_again_before_it_is_back():
    engine = PlayedEngine(lane("a"))
    engine.ask("a")
    engine.vanish("home")
    engine.run()
    engine.until(engine.now + 1000)
    assert engine.ask("a") in engine.refused
    assert engine.loads == ["a"]


def test_the_memory_of_an_engine_that_has_ended_is_free_for_the_others():
    engine = PlayedEngine(lane("a"), lane("b", engine="other"), memory=15)
    engine.ask("a")
    engine.run()
    engine.foreign = 5
    engine.look()
    engine.vanish("home")
    assert engine.scheduler.free("card") == 15
    asked = engine.ask("b")
    engine.run()
    assert engine.waited(asked) == 4.0
    assert engine.unloads == []
