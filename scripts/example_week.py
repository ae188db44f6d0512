#!/usr/bin/env python3
"""The example week of docs/report.md as a file of lines: docs/examples/week-2025-42.jsonl.gz.

    python scripts/example_week.py --write

15,238 requests from Tuesday, October 14 to Monday, October 20, 2025: who answered how many of them and how fast on average,
what they cost, why 4,105 of them were paid for, and which of those were found unnecessary. Everything between these figures is
made up by a seeded generator; the sums are exact. Without --write it says whether the file is the one that it would make.
"""

import argparse
import gzip
import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "docs" / "examples" / "week-2025-42.jsonl.gz"
TUESDAY = datetime(2025, 10, 14, tzinfo=UTC)
SHARES = (0.19, 0.21, 0.20, 0.19, 0.15, 0.02, 0.04)
"""Of the requests, by day; the sixth is Sunday."""

HOME = {
    # model, engine, requests, mean milliseconds, tasks with their shares
    "llama3.1": ("ollama", 6_412, 320, {"summarization": 0.62, "qa": 0.24, "chat": 0.14}),
    "phi-3-mini": ("lmstudio", 2_187, 180, {"classification": 0.7, "sentiment": 0.3}),
    "qwen2.5-coder": ("ollama", 2_534, 410, {"code": 1.0}),
}
PAID, PAID_MEAN = "claude-sonnet-5-5", 935
COST, BASELINE = 286_400_000_000, 0.08
"""Of all paid requests, in nano-dollars; of each request on the baseline, in dollars."""
TOO_LONG, REJECTED, UNSUPPORTED = 2_841, 936, 328
ROUTES = {
    "summarization": "short summaries",
    "classification": "labels",
    "sentiment": "labels",
    "code": "code",
    "reasoning": "long reasoning",
}


def around(mean: int, number: int, chance: random.Random) -> list[int]:
    """Durations in milliseconds whose mean is exact: in pairs, as far below it as above."""
    found = []
    while len(found) + 1 < number:
        apart = round(min(0.95, chance.betavariate(1.3, 2.2)) * mean)
        found += (mean - apart, mean + apart)
    found += [mean] * (number - len(found))
    chance.shuffle(found)
    return found


def shared(total: int, number: int, chance: random.Random) -> list[int]:
    """A sum in parts, each of them whole, none of them nothing."""
    weights = [chance.lognormvariate(0, 0.5) for _ in range(number)]
    parts = [int(total * weight / sum(weights)) for weight in weights]
    parts[0] += total - sum(parts)
    return parts


def call(
    model: str, engine: str, milliseconds: int, tokens: int, chance: random.Random, **more: object
) -> dict[str, Any]:
    """One call."""
    output = chance.randint(5, 400)
    return {
        "model": model,
        "engine": engine,
        "latency": milliseconds / 1000,
        "first_token": round(milliseconds * chance.uniform(0.15, 0.4)) / 1000,
        "usage": {"input": tokens, "output": output},
        **more,
    }


def answered_at_home(chance: random.Random) -> Iterator[dict[str, Any]]:
    """What a model at home answered at once."""
    for model, (engine, number, mean, tasks) in HOME.items():
        for milliseconds in around(mean, number, chance):
            task = chance.choices(list(tasks), list(tasks.values()))[0]
            attempt = call(model, engine, milliseconds, chance.randint(40, 1_900), chance, verdict="passed")
            yield {"task": task, "attempts": [attempt]}


def answered_by_the_paid_model(chance: random.Random) -> Iterator[dict[str, Any]]:
    """The fallbacks, each with its reason and what an audit found."""
    number = TOO_LONG + REJECTED + UNSUPPORTED
    reasons = ["token count"] * TOO_LONG + ["quality check failed"] * REJECTED
    reasons += ["unsupported output format"] * UNSUPPORTED
    costs = shared(COST, number, chance)
    rejecting = list(HOME)
    for reason, milliseconds, cost in zip(reasons, around(PAID_MEAN, number, chance), costs, strict=True):
        tokens = chance.randint(4_001, 30_000) if reason == "token count" else chance.randint(200, 3_900)
        paid = call(PAID, "anthropic", milliseconds, tokens, chance, verdict="passed", cost=cost / 1e9)
        line: dict[str, Any] = {"task": "reasoning", "attempts": [paid], "fallback": {"reason": reason}}
        if reason == "token count":
            line["fallback"]["limit"] = 4_000
        elif reason == "quality check failed":
            model = chance.choices(rejecting, [HOME[name][1] for name in rejecting])[0]
            engine, _, mean, tasks = HOME[model]
            line["task"] = chance.choices(list(tasks), list(tasks.values()))[0]
            took = round(min(mean, milliseconds - 1) * chance.uniform(0.1, 0.5))
            first = call(model, engine, took, tokens, chance, verdict="rejected")
            # what the caller waited for is the mean's business: the paid call takes the rest
            paid |= {"started": took / 1000, "latency": (milliseconds - took) / 1000}
            paid["first_token"] = round(paid["latency"] * 300) / 1000
            line["attempts"] = [first, paid]
        else:
            line["task"] = "extraction"
        unnecessary = reason == "unsupported output format"
        line["audit"] = {
            "verdict": "unnecessary" if unnecessary else "necessary",
            "judge": "the user's review",
        }
        yield line


def times(number: int, chance: random.Random) -> Iterator[datetime]:
    """Moments of the week, in order: in office hours, most of them on workdays."""
    counts = [int(number * share) for share in SHARES]
    counts[1] += number - sum(counts)
    for day, count in enumerate(counts):
        seconds = sorted(chance.triangular(8 * 3600, 18 * 3600, 11 * 3600) for _ in range(count))
        yield from (TUESDAY + timedelta(days=day, milliseconds=int(second * 1000)) for second in seconds)


def lines() -> Iterator[dict[str, Any]]:
    """The week."""
    chance = random.Random(42)
    made = [*answered_at_home(chance), *answered_by_the_paid_model(chance)]
    chance.shuffle(made)
    for number, (line, moment) in enumerate(zip(made, times(len(made), chance), strict=True)):
        told = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "id": f"week42-{number:05}",
            "task": line.pop("task"),
            "signals": {"tokens": line["attempts"][0]["usage"]["input"]},
        }
        told["route"] = ROUTES.get(told["task"], "everything else")
        yield told | line | {"baseline": "gpt-4o", "baseline_cost": BASELINE, "prices_as_of": "2025-10-13"}


def packed() -> tuple[bytes, str]:
    """The file's content, the same on every machine."""
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines())
    return gzip.compress(text.encode(), 9, mtime=0), text


def main() -> None:
    """Write the file, or say whether it is the one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the file")
    content, text = packed()
    if parser.parse_args().write:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_bytes(content)
    elif gzip.decompress(FILE.read_bytes()).decode() != text:
        sys.exit(f"{FILE} is not what this script makes; run it with --write")


if __name__ == "__main__":
    main()
