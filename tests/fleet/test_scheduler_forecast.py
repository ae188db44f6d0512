"""What a newcomer is told that he will wait, beside what then happens."""

import pytest
from played_engine import PlayedEngine, contexts, lane, loaded


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


def test_the_hog_is_told_that_others_come_while_he_waits():
    engine = loaded("a", service=2.0)
    engine.scheduler.lanes["a"].expect(2.0, engine.now)  # as many as four slots can take
    for number in range(8):
        engine.ask("a", caller=f"person {number}")
    for _ in range(15):
        engine.ask("a", caller="hog")
    expected = engine.scheduler.expected_wait("a", "hog", engine.now)
    last = engine.ask("a", caller="hog")
    for number in range(120):
        engine.until(engine.now + 0.5)
        engine.ask("a", caller=f"person {number % 8}")
    engine.run()
    assert 0.5 * engine.waited(last) <= expected <= engine.waited(last)
    assert expected > 3 * 10.0  # in which all who wait now would be served


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


def test_a_newcomer_is_told_how_long_he_waits_for_company():
    engine = loaded("busy", "idle", others=["third"], service=60.0)
    for name, rate in (("busy", 1.5), ("idle", 0.3), ("third", 0.3)):
        engine.scheduler.lanes[name].expect(rate, engine.now)
    engine.ask("busy")
    expected, waited = foretold(engine, "third")
    assert waited > 20.0
    assert expected == pytest.approx(waited, abs=1.0)  # nobody has seen yet how long unloading takes
