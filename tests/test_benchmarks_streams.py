"""The benchmark of streams: its engine, its callers, one small round. No time is asserted."""

import sys
from pathlib import Path

import pytest
import uvloop

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")  # programs, not a package
    import streams
    from beside import process, readers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.mark.parametrize(("chunks", "every_ms"), [(100_000, 0), (100, 1)])
def test_tokens_and_gaps_count_from_when_all_streams_have_begun(chunks, every_ms):
    begun = []
    with streams.paced_engine(process.cores()[1]) as port:
        course = readers.Course(3, chunks, every_ms)
        tokens, gaps = uvloop.run(readers.read_all(port, "bench", course, ready=lambda: begun.append(True)))
    assert begun == [True]
    assert 0 < tokens < 3 * chunks
    assert 0 < len(gaps) <= tokens
    assert all(gap >= 0 for gap in gaps)


def test_a_caller_counts_tokens_from_his_first_to_his_last():
    async def read() -> readers.Reader:
        with streams.paced_engine(process.cores()[1]) as port:
            reader = await readers.connect(port)
            reader.ask(readers.request("bench", 70, 1))
            await reader.ended
            reader.transport.close()
            return reader

    reader = uvloop.run(read())
    assert reader.tokens == 70
    assert reader.first is not None
    assert sum(reader.gaps) == pytest.approx(reader.last - reader.asked - reader.first)


def test_a_round_finds_every_figure_and_the_page_shows_it():
    plan = streams.Plan(rounds=1, asks=3, chunks=5, poured=200, open=5, slow=1)
    found = uvloop.run(streams.measure(plan))
    assert min(found.first_p50, found.direct_p50, found.gap_max, found.direct_gap_max) > 0
    assert 0 < found.slow_read_kb <= 1.024
    assert found.slow_sent_mb * 1e3 > found.slow_read_kb
    shown = streams.render(streams.medians([found]), plan, load=0.0)
    assert f"{found.slow_sent_mb:.1f} MB" in shown
    assert "not idle" not in shown


def test_a_percentile_is_one_of_the_values():
    assert [streams.at([3.0, 1.0, 2.0, 4.0], percent) for percent in (0, 50, 99, 100)] == [1.0, 3.0, 4.0, 4.0]
