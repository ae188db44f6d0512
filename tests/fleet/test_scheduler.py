"""Slots and turns, decided without a clock: `played_engine` carries out what is decided and minds what must never happen."""

from played_engine import PlayedEngine, lane, loaded

from headgate.fleet.scheduler import LONGEST_QUEUE
from headgate.fleet.turns import AGED

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
