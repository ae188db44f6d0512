"""Runners for tests: they answer from a function, count who was asked what, and can be made to wait."""

import asyncio
from collections import Counter
from pathlib import Path

from headgate.batches import Items, open_items, open_results, run_batch
from headgate.core.runs import Run


def write_lines(path: Path, values) -> Path:
    import json

    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def read_lines(path: Path) -> list[dict]:
    import json

    return [json.loads(line) for line in path.read_text().splitlines()]


class Speaker:
    """Answers an input by its text in capitals, and remembers what it was asked."""

    def __init__(self, answer=None, seconds: float = 0.0) -> None:
        self.asked: Counter[str] = Counter()
        self.keys: list[str] = []
        self.paid: list[bool] = []
        self.under_way = self.most_under_way = 0
        self.began = asyncio.Event()
        self._answer = answer or (lambda text, pay: {})
        self._seconds = seconds

    async def run(self, agent, given, *, batch=False, pay=True, key="", caller="", model=None):
        assert batch
        assert caller
        text = given if isinstance(given, str) else given["text"]
        self.asked[text] += 1
        self.keys.append(key)
        self.paid.append(pay)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self.began.set()
        try:
            await asyncio.sleep(self._seconds)
            said = self._answer(text, pay)
            if asyncio.iscoroutine(said):
                said = await said
        finally:
            self.under_way -= 1
        if isinstance(said, Exception):
            raise said
        facts = {"status": "ok", "output": text.upper(), "model": "home", "requests": (key,)}
        return Run(agent=agent, **(facts | said))


async def go(folder: Path, speaker: Speaker, inputs, out: str = "results.jsonl", **how):
    """A batch over files of a folder; its summary, and its results as they stand in the file."""
    names = [str(folder / name) for name in ([inputs] if isinstance(inputs, str) else inputs)]
    items: Items = open_items(names, folder)
    opening = {name: how.pop(name) for name in ("agent", "version") if name in how}
    with open_results(folder / out, **({"agent": "loud"} | opening), inputs=names) as (results, notes):
        summary = await run_batch(speaker, "loud", items, results, **how)
    return summary, read_lines(folder / out), notes
