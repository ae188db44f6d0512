"""The simulation of the scheduler: its clock, its card, its stand-in for Ollama, and what the scheduler promises in it.

Everything is drawn by fixed seeds and no time passes, so the figures are the same on every machine.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

ROOT = Path(__file__).parents[1]

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT / "benchmarks")  # programs, not a package
    import scheduler
    from beside import agency, days_shown
    from beside import days as played
    from beside.agency import DAYS, LEVELS, Batch, Crowd, Level, draw
    from beside.equals import EqualQueue, equals
    from beside.queues import KEEP_ALIVE, HeadgateQueue, OllamaQueue, OneQueue
    from beside.virtual_gpu import Costs, Gpu, Job, World, costs_of, read_cards

MODELS = scheduler.models_of(scheduler.CARDS)
MEMORY = scheduler.room_for_two(MODELS)
LEVEL = {level.name: level for level in LEVELS}
SEEDS = range(3)


def days(schedule, level):
    return played.summary([played.play(schedule, level, MODELS, MEMORY, seed) for seed in SEEDS])


# ── The targets ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_at_night_is_done_much_sooner_and_with_far_fewer_loads_than_in_the_order_of_arrival():
    level = LEVEL["a night, a batch at once"]
    ours, theirs = days(played.OURS, level), days(played.ORDERLY, level)
    assert theirs.loads >= 3 * ours.loads
    assert ours.per_minute >= 1.5 * theirs.per_minute


def test_at_rush_hour_half_as_much_again_is_answered_with_a_third_of_the_loads_of_the_order_of_arrival():
    ours, theirs = (days(name, LEVEL["rush hour"]) for name in (played.OURS, played.ORDERLY))
    assert theirs.loads >= 3 * ours.loads
    assert ours.per_minute >= 1.5 * theirs.per_minute
    assert ours.wait_p95 <= 0.8 * theirs.wait_p95


def test_at_rush_hour_five_hundred_items_of_one_caller_starve_nobody():
    rush = LEVEL["rush hour"]
    day = played.play(played.OURS, replace(rush, batch=500), MODELS, MEMORY, 0)
    orderly = played.play(played.ORDERLY, rush, MODELS, MEMORY, 0)
    assert played.at(day.waits, 95) <= played.at(orderly.waits, 95)
    assert max(day.waits) <= 2 * max(orderly.waits)


@pytest.mark.parametrize("level", [level for level in LEVELS if level.asks], ids=lambda level: level.name)
@pytest.mark.parametrize("schedule", [played.ALONE, played.ORDERLY])
def test_people_do_not_wait_longer_at_any_level_of_traffic(level, schedule):
    ours, theirs = days(played.OURS, level), days(schedule, level)
    assert ours.wait_p95 <= 1.05 * theirs.wait_p95
    assert ours.wait_p99 <= 1.25 * theirs.wait_p99
    assert ours.took <= 1.02 * theirs.took


@pytest.mark.parametrize("name", ["quiet", "a working day"])
@pytest.mark.parametrize("schedule", [played.ALONE, played.ORDERLY])
def test_with_equal_models_far_fewer_loads_are_needed_and_people_wait_less(name, schedule):
    ours, theirs = days(played.EQUAL, LEVEL[name]), days(schedule, LEVEL[name])
    assert theirs.loads >= 3 * ours.loads
    assert ours.wait_p95 <= 0.8 * theirs.wait_p95
    assert ours.took <= theirs.took


@pytest.mark.parametrize("level", [level for level in LEVELS if level.asks], ids=lambda level: level.name)
@pytest.mark.parametrize("schedule", [played.ALONE, played.ORDERLY])
def test_with_equal_models_people_do_not_wait_longer_at_any_level_of_traffic(level, schedule):
    ours, theirs = days(played.EQUAL, level), days(schedule, level)
    assert ours.wait_p95 <= 0.95 * theirs.wait_p95
    assert ours.took <= theirs.took


def test_with_equal_models_and_slow_loads_nobody_with_a_pile_of_mails_waits_for_the_busy_model():
    slow = [played.replace_load(model, 3 * model.load) for model in MODELS]
    ours, theirs = (
        played.summary([played.play(schedule, LEVEL["rush hour"], slow, MEMORY, seed) for seed in SEEDS])
        for schedule in (played.EQUAL, played.ALONE)
    )
    assert ours.wait_p95 < 0.8 * theirs.wait_p95


def test_in_a_peak_hour_with_batches_more_is_done_while_people_wait_less(monkeypatch):
    monkeypatch.setattr(agency, "BATCH_SIZES", (10, 50))
    hour = replace(DAYS[2], hours=(agency.BUSY,))
    ours, theirs = (
        played.summary([played.play(schedule, hour, MODELS, MEMORY, 0)])
        for schedule in (played.EQUAL, played.ORDERLY)
    )
    assert ours.per_minute > 1.1 * theirs.per_minute
    assert ours.wait_p95 < 0.5 * theirs.wait_p95
    assert theirs.loads >= 3 * ours.loads


def test_somebody_who_knows_what_comes_unloads_what_is_wanted_last():
    assert played.fewest_loads("abcacb") == 4
    assert played.fewest_loads("ababab") == 2
    assert played.fewest_loads("") == 0


def test_a_day_has_the_hours_of_the_office_and_batches_of_one_kind_handed_in_in_its_course():
    people, batches = draw(DAYS[2], dict(zip(played.ROLES, "abc", strict=True)), 0)
    for person in people:
        thought = sum(think for think, _ in person.asks)
        assert 6 * 3600 < thought + agency.ANSWER * len(person.asks) <= 8 * 3600 + 3000
    assert len(batches) == 2 * agency.PEOPLE
    assert all(0 <= batch.at <= 8 * 3600 for batch in batches)
    assert all(100 <= len(batch.jobs) <= 900 for batch in batches)
    assert all(len({each.kind for each in batch.jobs}) == 1 for batch in batches)
    assert {batch.jobs[0].model for batch in batches} == set("abc")


def test_a_batch_is_handed_in_when_it_is_time_and_has_so_many_items_on_the_way():
    world, sent = World(), []
    crowd = Crowd(world, [], [Batch(50.0, 2, [job() for _ in range(5)])])
    crowd.send = sent.append
    for each in crowd._batches[0].jobs:
        each.batch = True
    crowd.begin()
    world.run()
    assert [each.arrived for each in sent] == [50.0, 50.0]
    crowd.answered(sent[0])
    assert len(sent) == 3


def test_what_people_are_told_is_near_what_they_wait():
    pairs = [
        pair
        for name in ("a busy day", "rush hour", "a busy day, and a batch at once")
        for seed in SEEDS
        for pair in played.play(played.OURS, LEVEL[name], MODELS, MEMORY, seed).foretold
    ]
    near = [abs(told - waited) <= max(3.0, waited / 2) for told, waited in pairs]
    assert len(pairs) > 1000
    assert sum(near) >= 0.75 * len(pairs)
    told, waited = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    assert 0.75 * waited <= told <= 1.25 * waited


def test_the_same_seed_gives_the_same_day():
    level = Level(name="short", asks=5, think=10, piles=0.1, batch=20, batch_at_a_time=4)
    first, second = (played.play(played.OURS, level, MODELS, MEMORY, 7) for _ in range(2))
    assert first == second
    assert first != played.play(played.OURS, level, MODELS, MEMORY, 8)


# ── The card ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SMALL = Costs(name="small", load=4.0, read=1000.0, write=100.0, crowding=0.5, slots=2, memory=10)
OTHER = Costs(name="other", load=2.0, read=1000.0, write=100.0, crowding=1.0, slots=4, memory=10)


def job(model="small", prompt=1000, answer=100, task="qa"):
    return Job(caller="ann", kind="test", task=task, model=model, prompt=prompt, answer=answer)


def answered_at(*jobs):
    """When each of some requests that begin together is answered."""
    world = World()
    gpu = Gpu(world, [SMALL, OTHER])
    for each in jobs:
        gpu.start(each, lambda _: None)
    world.run()
    return [each.ended for each in jobs]


def test_one_request_takes_the_time_to_read_and_to_write():
    assert answered_at(job()) == [pytest.approx(1.0 + 1.0)]


def test_requests_of_one_model_read_in_turns_and_write_together():
    assert answered_at(job(), job()) == [pytest.approx(2.0 + 1.5)] * 2


def test_two_models_share_the_card():
    assert answered_at(job(), job("other")) == [pytest.approx(4.0)] * 2


def test_costs_come_from_a_card():
    first = read_cards(scheduler.CARDS)[0]
    costs = costs_of(first)
    together = costs.slots * costs.write / (1 + (costs.slots - 1) * costs.crowding)
    assert together == pytest.approx(first.speed_parallel)
    assert costs.load == first.load_seconds


def test_the_cards_that_ship_say_that_they_were_not_measured():
    assert all("not measured" in card.machine for card in read_cards(scheduler.CARDS))


# ── The others ───────────────────────────────────────────────────────────────────────────────────────────────────────


def served(make, *arrivals, memory=10):
    """Requests in the order in which they were begun, by a queue, from (when, which)."""
    world = World()
    gpu = Gpu(world, [SMALL, OTHER])
    done = []
    queue = make(world, gpu, [SMALL, OTHER], memory, done.append)
    for moment, each in arrivals:

        def arrive(each=each):
            each.arrived = world.now
            queue.arrive(each)

        world.at(moment, arrive)
    world.run()
    assert len(done) == len(arrivals)
    return sorted(done, key=lambda each: each.started), gpu


def test_ollama_lets_requests_join_a_loaded_model_while_another_waits_for_its_memory():
    long = [job(answer=1000) for _ in range(3)]
    waits = job("other")
    order, gpu = served(OllamaQueue, (0, long[0]), (5, waits), (6, long[1]), (16, long[2]))
    assert order == [*long, waits]
    assert gpu.loads == 2


def test_ollama_loads_one_after_the_other_in_the_order_of_arrival():
    first, second = job(), job("other")
    order, _ = served(OllamaQueue, (0, first), (0, second), memory=20)
    assert order == [first, second]
    assert [each.started for each in order] == [4.0, 6.0]


def test_ollama_unloads_the_idle_model_whose_path_comes_first_and_not_what_was_idle_longest():
    third = Costs(name="third", load=1.0, read=1000.0, write=100.0, crowding=1.0, slots=1, memory=10)
    for paths, left in (([SMALL, OTHER, third], "other"), ([OTHER, third, SMALL], "small")):
        world = World()
        gpu = Gpu(world, paths)
        queue = OllamaQueue(world, gpu, paths, 20, lambda _: None)
        for moment, name in enumerate(("small", "other", "small", "third")):
            world.at(moment * 20.0, lambda name=name, queue=queue: queue.arrive(job(name)))
        here: list[str] = []
        world.at(70.0, lambda here=here, queue=queue: here.extend(queue.runners))
        world.run()
        assert here == [left, "third"]


def test_ollama_unloads_what_is_idle_for_five_minutes():
    _, gpu = served(OllamaQueue, (0, job()), (KEEP_ALIVE + 20, job()))
    assert gpu.loads == 2


def test_in_one_queue_nobody_overtakes_one_who_waits_for_a_model_to_leave():
    long, waits, late = job(answer=1000), job("other"), job()
    order, gpu = served(OneQueue, (0, long), (5, waits), (6, late))
    assert order == [long, waits, late]
    assert gpu.loads == 3
    alone, _ = served(OllamaQueue, (0, job(answer=1000)), (5, job("other")), (6, job()))
    assert [each.model for each in alone] == ["small", "small", "other"]


def test_in_one_queue_requests_for_a_loaded_model_are_served_while_another_is_loaded():
    first, second, third = job(), job("other"), job()
    order, _ = served(OneQueue, (0, first), (20, second), (20.5, third), memory=20)
    assert [each.started for each in order] == [4.0, 20.5, 22.0]


def test_the_scheduler_of_the_gate_decides_in_the_simulation():
    order, gpu = served(HeadgateQueue, (0, job()), (20, job("other")))
    assert [each.started for each in order] == [4.0, 20.0 + 1.0 + 2.0]
    assert gpu.loads == 2


# ── Equal models ─────────────────────────────────────────────────────────────────────────────────────────────────────


def serve_equally(*arrivals, small=0.80, other=0.75, memory=10):
    """The models that answered requests, in the order in which these came, and the loads."""
    world = World()
    models = [replace(SMALL, scores={"qa": small}), replace(OTHER, scores={"qa": other})]
    gpu = Gpu(world, models)
    queue = EqualQueue(world, gpu, models, memory, lambda _: None)
    for moment, each in arrivals:
        world.at(moment, lambda each=each: queue.arrive(each))
    world.run()
    return [each.model for _, each in arrivals], gpu.loads


def test_equal_work_goes_to_the_model_that_is_loaded():
    assert serve_equally((0, job("other")), (20, job("small"))) == (["other", "other"], 1)


def test_work_goes_to_the_model_meant_for_it_where_the_loaded_one_is_not_as_good():
    arrivals = ((0, job("other")), (20, job("small")))
    assert serve_equally(*arrivals, other=0.7) == (["other", "small"], 2)


def test_work_at_which_nobody_was_examined_stays_with_the_model_meant_for_it():
    arrivals = ((0, job("other")), (20, job("small", task="code")))
    assert serve_equally(*arrivals) == (["other", "small"], 2)


@pytest.mark.parametrize(("answer", "begun"), [(2000, 60.0), (100, 63.0)], ids=["foretold", "waited in vain"])
def test_equal_work_goes_on_to_the_next_model_when_the_wait_is_too_long(answer, begun):
    both = [(0, job(answer=answer, task="code")), (0, job("other", task="code"))]
    busy = [(50, job(answer=2000)), (50, job(answer=2000))]
    last = job()
    names, loads = serve_equally(*both, *busy, (60, last), memory=20)
    assert names == ["small", "other", "small", "small", "other"]
    assert loads == 2
    assert last.started == begun


def test_by_the_cards_that_ship_only_mail_has_two_models():
    small, general, code = MODELS[2].name, MODELS[0].name, MODELS[1].name
    assert equals(MODELS, small, "classification") == [general]
    for task in ("summarization", "qa", "writing"):
        assert equals(MODELS, general, task) == []
    assert equals(MODELS, code, "code") == []


# ── The program ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_table_is_shown_and_says_whose_cards_it_had(monkeypatch, tmp_path, capsys):
    cards = tmp_path / "cards.json"
    cards.write_text(json.dumps({"cards": json.loads(scheduler.CARDS.read_text())}))
    office = [replace(day, hours=(60.0,)) for day in DAYS]
    monkeypatch.setattr(agency, "BATCH_SIZES", (2, 4))
    for module in (played, days_shown):
        monkeypatch.setattr(module, "DAYS", office[:2])
        monkeypatch.setattr(module, "LEVELS", (Level(name="short", asks=3, think=5, batch=10),))
        monkeypatch.setattr(module, "SLOW_LEVELS", ())
    monkeypatch.setattr(sys, "argv", ["scheduler.py", "--cards", str(cards), "--days", "2"])
    scheduler.main()
    shown = capsys.readouterr().out
    assert "the cards are those of `cards.json`" in shown
    for schedule in played.SCHEDULES:
        assert f"| {schedule} |" in shown
    assert "| short | order of arrival |" in shown


@pytest.mark.parametrize("text", ["[]", "{}", "nonsense", '[{"engine": 3}]'])
def test_cards_that_cannot_be_used_are_one_line_of_what_and_one_of_what_to_do(tmp_path, text):
    cards = tmp_path / "cards.json"
    cards.write_text(text)
    program = ROOT / "benchmarks/scheduler.py"
    run = subprocess.run(
        [sys.executable, program, "--cards", cards], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    said = run.stderr.splitlines()
    assert said[0].startswith(f"error: {cards} cannot be used: ")
    assert said[1].startswith("hint: headgate models bench")
    assert len(said) == 2


def test_the_page_has_room_for_the_tables():
    page = scheduler.PAGE.read_text(encoding="utf-8")
    between = page.partition(scheduler.BEGIN)[2].partition(scheduler.END)[0]
    for level in (*DAYS, *LEVELS):
        assert f"**{level.name[0].upper()}{level.name[1:]}**" in between
