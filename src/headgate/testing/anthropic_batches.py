"""Anthropic's Message Batches, as its double plays them: `/v1/messages/batches`.

Each request of a batch is answered as the live door would answer it. Results are given once the whole batch has ended.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec

from headgate.testing.anthropic_rules import Problem, invalid
from headgate.testing.batch_play import BatchPlay
from headgate.testing.calls import ReceivedCall
from headgate.testing.replies import Plain, encode

BATCHES = "/v1/messages/batches"
MOST = 100_000
DAY = 86_400

Answer = Callable[[ReceivedCall], Plain]


@dataclass(slots=True)
class Job:
    """A batch."""

    id: str
    requests: list[dict[str, Any]]
    headers: dict[str, str]
    """Of the call that made it: they count for each request."""
    created: float
    status: str = "in_progress"
    looked: int = 0
    results: list[tuple[str, bytes]] = field(default_factory=list)
    """What became of each, and its line."""
    ended: float | None = None
    cancelled: float | None = None

    def shown(self, url: str) -> dict[str, Any]:
        """The batch object."""
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts |= Counter(kind for kind, _ in self.results)
        counts["processing"] = len(self.requests) - len(self.results)
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": counts,
            "created_at": stamp(self.created),
            "expires_at": stamp(self.created + DAY),
            "ended_at": None if self.ended is None else stamp(self.ended),
            "cancel_initiated_at": None if self.cancelled is None else stamp(self.cancelled),
            "archived_at": None,
            "results_url": f"{url}{BATCHES}/{self.id}/results" if self.status == "ended" else None,
        }


class AnthropicBatches:
    """The batches of one double.

    Args:
        play: how they go.
        answer: what the live door says to a request.
        url: where the double listens.
    """

    def __init__(self, play: BatchPlay, answer: Answer, url: Callable[[], str]) -> None:
        self.play = play
        self.jobs: dict[str, Job] = {}
        self._answer = answer
        self._url = url

    def reply(self, call: ReceivedCall) -> Plain | Problem:
        """The answer to a call that is about batches."""
        parts = call.path.removeprefix(BATCHES).strip("/").split("/")
        match call.method, parts:
            case "POST", [""]:
                return self._create(call)
            case "GET", [""]:
                return self._list(call)
            case method, [name, *rest] if name in self.jobs:
                return self._job(method, self.jobs[name], rest)
        return Problem(404, "not_found_error", "Not Found")

    def _create(self, call: ReceivedCall) -> Plain | Problem:
        asked = call.fields.get("requests")
        if not isinstance(asked, list) or not asked:
            return invalid("requests: List should have at least 1 item after validation")
        if len(asked) > MOST:
            return invalid("requests: List should have at most 100000 items after validation")
        ids = [one.get("custom_id") for one in asked]
        if not all(isinstance(one, str) and 1 <= len(one) <= 64 for one in ids):
            return invalid("requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'")
        if len(set(ids)) < len(ids):
            return invalid("requests: Duplicate custom_id")
        if self.play.invalid:
            return invalid(self.play.invalid)
        job = Job(f"msgbatch_{len(self.jobs) + 1:08d}", asked, call.headers, time.time())
        self.jobs[job.id] = job
        return Plain(encode(job.shown(self._url())))

    def _list(self, call: ReceivedCall) -> Plain:
        query = parse_qs(call.query)
        jobs = list(reversed(self.jobs.values()))
        ids = [job.id for job in jobs]
        after = query.get("after_id", [""])[0]
        rest = jobs[ids.index(after) + 1 :] if after in ids else jobs
        some = rest[: int(query.get("limit", ["20"])[0])]
        return Plain(
            encode(
                {
                    "data": [job.shown(self._url()) for job in some],
                    "has_more": len(rest) > len(some),
                    "first_id": some[0].id if some else None,
                    "last_id": some[-1].id if some else None,
                }
            )
        )

    def _job(self, method: str, job: Job, rest: list[str]) -> Plain | Problem:
        if method == "POST" and rest == ["cancel"]:
            if job.status == "in_progress":
                job.status, job.cancelled = "canceling", time.time()
        elif rest == ["results"]:
            if job.status != "ended":
                return Problem(404, "not_found_error", "The batch has not ended yet")
            lines = self.play.ordered([line for _, line in job.results])
            return Plain(lines, content_type="application/x-jsonl")
        elif method == "GET":
            self._advance(job)
        return Plain(encode(job.shown(self._url())))

    def _advance(self, job: Job) -> None:
        """What a look finds."""
        if job.status == "canceling":
            self._end(job, self.play.done_when_cancelled)
        elif job.status == "in_progress" and not self.play.held:
            job.looked += 1
            if job.looked > self.play.looks:
                self._end(job, len(job.requests))

    def _end(self, job: Job, most: int) -> None:
        for number, one in enumerate(job.requests):
            kind: str = self.play.fate(one["custom_id"]) if number < most else "canceled"
            result: dict[str, Any] = {"type": kind}
            if kind == "succeeded":
                body = encode(one["params"])
                said = self._answer(
                    ReceivedCall(
                        "POST",
                        "/v1/messages",
                        "",
                        job.headers,
                        body,
                        one["params"],
                        broken=False,
                        at=time.time(),
                    )
                )
                if said.status == 200:
                    message = msgspec.json.decode(said.body)
                    message["usage"]["service_tier"] = "batch"
                    result["message"] = message
                else:
                    result = {"type": "errored", "error": msgspec.Raw(said.body)}
            elif kind == "errored":
                result["error"] = {
                    "type": "error",
                    "error": {"type": "api_error", "message": "Internal server error"},
                    "request_id": None,
                }
            line = encode({"custom_id": one["custom_id"], "result": result})
            job.results.append((result["type"], line))
        job.status, job.ended = "ended", time.time()


def stamp(moment: float) -> str:
    """A moment as Anthropic writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
