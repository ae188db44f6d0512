"""Runs with keys are kept for a while, and never more of them than there is room for."""

import pytest

from headgate.core.runs import Run
from headgate.workers.kept import KeptRuns


class Work:
    """Counts how often it is done."""

    def __init__(self, output="done", status="ok"):
        self.run = Run(agent="a", status=status, output=output)
        self.times = 0

    async def __call__(self):
        self.times += 1
        return self.run


async def test_a_run_is_forgotten_after_its_time():
    now = [0.0]
    kept, work = KeptRuns(keep_for=10, clock=lambda: now[0]), Work()
    for at, times in ((0, 1), (9.9, 1), (10.1, 2), (19, 2)):
        now[0] = at
        assert await kept.once("key", work) is work.run
        assert work.times == times


async def test_the_oldest_runs_go_when_there_is_no_room():
    kept = KeptRuns(most_bytes=2500, clock=lambda: 0.0)
    works = {key: Work("x" * 500) for key in "abcd"}
    for key, work in works.items():
        await kept.once(key, work)
    for key in "dcba":
        await kept.once(key, works[key])
    assert {key: work.times for key, work in works.items()} == {"a": 2, "b": 1, "c": 1, "d": 1}


async def test_a_run_larger_than_all_room_is_done_and_not_kept():
    kept, work = KeptRuns(most_bytes=100, clock=lambda: 0.0), Work("x" * 500)
    for times in (1, 2):
        assert await kept.once("key", work) is work.run
        assert work.times == times


async def test_work_that_fails_inside_is_tried_again():
    kept = KeptRuns()

    async def broken():
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        await kept.once("key", broken)
    assert (await kept.once("key", Work())).output == "done"
