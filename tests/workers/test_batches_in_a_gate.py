"""Batches that an open gate answers over HTTP: what happens to the gate happens to them."""

from worker_gate import worker_gate

from headgate.batches import open_items, open_results, run_batch
from headgate.client import HttpRunner

DESK = """
[agents.desk]
system = "Answer."
"""


class Faulty:
    """A worker with a bug that one input finds."""

    def takes(self, request):
        return "boom" in request.messages[-1].text

    async def work(self, request, *, caller):
        raise ValueError("a bug")


async def test_an_item_on_which_the_gate_fails_does_not_stop_the_rest(tmp_path):
    (tmp_path / "in.jsonl").write_text('"one"\n"boom"\n"three"\n')
    async with worker_gate(tmp_path, DESK) as bench:
        bench.gate.workers.insert(0, Faulty())
        with open_results(tmp_path / "out.jsonl", agent="desk") as (results, _):
            items = open_items([str(tmp_path / "in.jsonl")], tmp_path)
            async with HttpRunner(bench.url) as runner:
                summary = await run_batch(runner, "desk", items, results)
            lines = list(results)
    assert summary.complete
    assert [line.status for line in lines] == ["ok", "failed", "ok"]
    assert "the gate failed on this request" in lines[1].reason
