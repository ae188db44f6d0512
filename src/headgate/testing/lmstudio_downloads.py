"""LM Studio's downloads: jobs that go on by themselves and are looked at from time to time.

How far a job is follows from the clock alone. A new job for the same model goes on where an older one stopped. What a caller sees of a
job is worked out here; paths and errors are not.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import msgspec

from headgate.testing.answers import ServedModel
from headgate.testing.clock import GIB, Clock, Timing
from headgate.testing.downloads import Planned, PullTrouble, Store
from headgate.testing.ollama_shapes import stamp

Status = Literal["downloading", "paused", "completed", "failed"]


class Job(msgspec.Struct, eq=False):
    """One download. `ends` is the byte at which it stops, and `then` what it is from there on."""

    id: str
    key: str
    model: ServedModel
    started: float
    since: float
    start: int
    ends: int
    then: Status
    status: Status = "downloading"
    done: int = 0
    finished: float | None = None


class Downloads:
    """All jobs so far. `keep` is called with every model that is whole."""

    def __init__(
        self, clock: Clock, timing: Timing, free: int | None, keep: Callable[[str, ServedModel], None]
    ) -> None:
        self.clock, self.timing, self.keep = clock, timing, keep
        self.store = Store(free)
        self.trouble: dict[str, Planned] = {}
        self.jobs: dict[str, Job] = {}
        self._numbers = itertools.count(1)

    def start(self, key: str, model: ServedModel) -> Job:
        """Begin a download, or go on with one that is not over yet."""
        self.settle()
        running = [
            job for job in self.jobs.values() if job.key == key and job.status in ("downloading", "paused")
        ]
        if running:
            if running[0].status == "paused":
                self.resume(key)
            return running[0]
        now = self.clock.time()
        start = self.store.has(key)
        ends, then = self._fate(key, model, start)
        job = Job(f"job_{next(self._numbers):08x}", key, model, now, now, start, ends, then, done=start)
        self.jobs[job.id] = job
        return job

    def settle(self) -> None:
        """Bring every job to where it is by now."""
        now = self.clock.time()
        for job in self.jobs.values():
            if job.status != "downloading":
                continue
            each = self.timing.download_gib / GIB
            came = int((now - job.since) / each) if each else job.ends - job.start
            job.done = min(job.start + came, job.ends)
            self.store.write(job.key, job.done)
            if job.done < job.ends or job.then == "downloading":
                continue
            job.status, job.finished = job.then, now
            if job.then == "completed":
                self.store.finish([job.key])
                self.keep(job.key, job.model)

    def pause(self, key: str) -> None:
        """Let a download rest, as a person does at the window."""
        self.settle()
        for job in self._of(key, "downloading"):
            job.status = "paused"

    def resume(self, key: str) -> None:
        """Go on with a download that was paused."""
        for job in self._of(key, "paused"):
            job.status, job.start, job.since = "downloading", job.done, self.clock.time()

    def _of(self, key: str, status: Status) -> list[Job]:
        return [job for job in self.jobs.values() if job.key == key and job.status == status]

    def _fate(self, key: str, model: ServedModel, start: int) -> tuple[int, Status]:
        """How far a download will come, and how it ends there."""
        room = model.size if self.store.free is None else min(model.size, start + self.store.free)
        planned = self.trouble.get(key)
        if planned is None:
            return room, "completed" if room == model.size else "failed"
        if planned.times is not None:
            self.trouble.pop(key)
            if planned.times > 1:
                self.trouble[key] = replace(planned, times=planned.times - 1)
        stop = max(int(model.size * planned.after), start)
        match planned.trouble:
            case PullTrouble.STALL:
                return min(stop, room), "downloading"
            case PullTrouble.DIGEST:
                return room, "failed"
            case PullTrouble.UNAUTHORIZED:
                return start, "failed"
        return min(stop, room), "failed"

    def told(self, job: Job) -> dict[str, Any]:
        """What `/download/status` says of it."""
        said: dict[str, Any] = {"job_id": job.id, "status": job.status, "total_size_bytes": job.model.size}
        said |= {"downloaded_bytes": job.done, "started_at": stamp(job.started)}
        if job.status == "downloading" and self.timing.download_gib:
            speed = GIB / self.timing.download_gib
            left = (job.model.size - job.done) / speed
            said |= {"bytes_per_second": int(speed), "estimated_completion": stamp(self.clock.time() + left)}
        return said | ({"completed_at": stamp(job.finished or 0.0)} if job.status == "completed" else {})
