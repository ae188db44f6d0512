"""How long a model may take, from how long it usually takes; and that the adapters go by it."""

from adapter_doubles import a_request, ask, engine_and_double, model_for

from headgate.core.types import Reply
from headgate.engines.pace import FIRST, LEAST_FIRST, LEAST_SILENCE, SILENCE, Pace
from headgate.testing import Fault


def usual(first: float, gap: float, *, size: int = 1000, at_home: bool = False) -> Pace:
    pace = Pace(None, None, at_home=at_home)
    for _ in range(3):
        pace.note(size, first, gap)
    return pace


def test_nothing_known_is_the_patience_of_old():
    pace = Pace(None, None, at_home=True)
    assert (pace.first_token(10), pace.silence) == (FIRST, SILENCE)


def test_what_the_user_sets_is_the_limit_whatever_is_usual():
    pace = Pace(2.0, 3.0, at_home=False)
    pace.note(1000, 100.0, 50.0)
    assert (pace.first_token(1000), pace.silence) == (2.0, 3.0)


def test_a_slow_model_gets_more_and_a_quick_one_elsewhere_less():
    slow, quick = usual(30.0, 2.0), usual(0.2, 0.01)
    assert slow.first_token(1000) == 120.0
    assert slow.silence == 20.0
    assert (quick.first_token(1000), quick.silence) == (LEAST_FIRST, LEAST_SILENCE)


def test_an_engine_at_home_may_have_to_load_first():
    assert usual(0.2, 0.01, at_home=True).first_token(1000) == FIRST


def test_a_longer_prompt_may_take_longer_and_a_shorter_one_is_not_hurried():
    pace = usual(30.0, 1.0)
    assert pace.first_token(3000) == 360.0
    assert pace.first_token(10) == 120.0


def test_one_long_silence_is_remembered_at_once_and_forgotten_slowly():
    pace = usual(1.0, 1.0)
    pace.note(1000, 1.0, 4.0)
    assert pace.silence == 40.0
    pace.note(1000, 1.0, 1.0)
    assert 30.0 < pace.silence < 40.0


async def test_an_engine_that_falls_silent_is_left_when_its_silence_is_unusual(monkeypatch):
    monkeypatch.setattr("headgate.engines.pace.LEAST_SILENCE", 0.2)
    monkeypatch.setattr("headgate.engines.pace.TIMES_SILENCE", 0.0)
    async with engine_and_double("openai", "one two three four five", local=False) as (engine, double):
        _, before = await ask(engine, a_request(), model_for("openai"), stream=True)
        assert isinstance(before, Reply), "nothing is known yet, so it has half a minute"
        double.inject(Fault.stall_mid_stream(after=2))
        deltas, result = await ask(engine, a_request(), model_for("openai"), stream=True)
    assert (result.reason, result.detail) == (
        "timeout",
        "the engine fell silent for 0.2 s in the middle of its answer",
    )
    assert "".join(delta.text for delta in deltas).startswith("one")
