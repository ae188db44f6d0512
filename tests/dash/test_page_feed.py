"""The feed of requests as they pass: what a watcher misses is counted, what he has heard he does not hear again."""

import asyncio
import time

from page_ledger import week_of_requests

from headgate.dash.live import QUEUE, Feed, Watcher
from headgate.dash.requests import row_of


class Listener:
    """A caller who reads what is written to him."""

    def __init__(self):
        self.heard = b""

    def stream(self, status, lines):
        assert status == 200

    async def write(self, data):
        self.heard += data


def test_what_a_slow_watcher_cannot_take_is_dropped_and_counted():
    outcome = week_of_requests(1, time.time())[0]
    feed, slow = Feed({}), Watcher()
    feed.watchers.add(slow)
    for _ in range(QUEUE + 5):
        feed.note(outcome)
    assert len(slow.waiting) == QUEUE
    assert slow.dropped == 5


async def test_a_request_that_passes_while_the_ledger_is_read_is_told_once():
    before, meanwhile, after = week_of_requests(3, time.time())
    feed, listener = Feed({}), Listener()

    async def missed():
        feed.note(meanwhile)
        return [row_of(before, {}), row_of(meanwhile, {})]

    watching = asyncio.create_task(feed.watch(listener, missed))
    async with asyncio.timeout(5):
        while meanwhile.id.encode() not in listener.heard:
            await asyncio.sleep(0)
        feed.note(after)
        while after.id.encode() not in listener.heard:
            await asyncio.sleep(0)
    watching.cancel()
    await asyncio.wait([watching])
    ids = [line for line in listener.heard.decode().splitlines() if line.startswith("id: ")]
    assert ids == [f"id: {outcome.id}" for outcome in (before, meanwhile, after)]
    assert not feed.watchers


async def test_nobody_is_told_twice_of_how_many_were_dropped():
    feed, listener = Feed({}), Listener()
    watching = asyncio.create_task(feed.watch(listener))
    outcomes = week_of_requests(QUEUE + 7, time.time())
    async with asyncio.timeout(5):
        while not feed.watchers:
            await asyncio.sleep(0)
        for outcome in outcomes:
            feed.note(outcome)
        while b"dropped" not in listener.heard:
            await asyncio.sleep(0)
        feed.note(outcomes[0])
        while (
            listener.heard.count(outcomes[0].id.encode()) < 3
        ):  # twice in an event, as its id and in its data
            await asyncio.sleep(0)
    watching.cancel()
    await asyncio.wait([watching])
    assert listener.heard.count(b'data: {"dropped":7}') == 1
