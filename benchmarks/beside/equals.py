"""Headgate's scheduler where routes name a second model that does the work as well: what the gate makes of it before it asks for a slot.

Each kind of work has a route. Its chain is the model that is meant for it, then those whose exam shows them to be as good at it.
As in the gate, `core.ordering.prefer_loaded` puts a loaded one first where the first would have to be loaded; and where the expected
wait is longer than the route's `queue_for`, or no slot came in that time, the next of the chain is asked (`when_busy = "next"`).
With nobody left of whom no longer wait is expected, it waits. It does not know what a wrong answer costs: who is as good by the exam is taken to be.
"""

from collections.abc import Callable, Iterable, Sequence

from beside.queues import ENGINE, HeadgateQueue
from beside.virtual_gpu import Costs, Gpu, Job, World
from headgate.core.ordering import AS_GOOD, prefer_loaded
from headgate.core.policy import Route
from headgate.core.types import Candidate, Model
from headgate.core.words import Task
from headgate.fleet.admission import WANTED
from headgate.fleet.turns import Ticket

QUEUE_FOR = Route(name="", chain=()).queue_for
"""What a route has that does not say."""


class EqualQueue(HeadgateQueue):
    """Headgate's scheduler, and its choice between models that are equally good at the work."""

    def __init__(
        self, world: World, gpu: Gpu, models: Sequence[Costs], memory: int, answered: Callable[[Job], None]
    ) -> None:
        super().__init__(world, gpu, models, memory, answered)
        self.models = {
            model.name: Model(
                name=model.name,
                engine=ENGINE,
                engine_kind="ollama",
                id=model.name,
                local=True,
                scores=model.scores,
            )
            for model in models
        }
        self.wanted: dict[int, str] = {}
        """Requests of nobody for models that somebody could not wait for, by ticket."""

    def arrive(self, job: Job) -> None:
        """Choose a model, and start it or let it wait there."""
        candidates = [Candidate(model=name) for name in self.chain(job)]
        prefer_loaded(candidates, self.models, self.scheduler.cold(), job.task)
        self._try([candidate.model for candidate in candidates], job)

    def chain(self, job: Job) -> list[str]:
        """The model that was asked for, and those that are as good at the task."""
        return [job.model, *equals(self.models.values(), job.model, job.task)]

    def _try(self, chain: Sequence[str], job: Job) -> None:
        """Start it on the first of these that is free soon enough, or wait for the last."""
        name, *others = chain
        lane = self.scheduler.enter(name)
        if lane is not None:
            self._start(job, lane)
            return
        expected = self._expected(name, job)
        if not any(self._expected(other, job) <= expected for other in others):
            self._wait(name, job)
            return
        lanes, cold = self.scheduler.lanes, self.scheduler.cold()
        patience = QUEUE_FOR + (lanes[name].load_seconds if name in cold else 0.0)
        if expected > patience:
            self._want(name)
            self._try(others, job)
            return
        ticket = self._wait(name, job)
        self.world.after(patience, lambda: self._give_up(ticket, others))

    def _expected(self, name: str, job: Job) -> float:
        return self.scheduler.expected_wait(name, job.caller, self.world.now, batch=job.batch)

    def _give_up(self, ticket: Ticket, others: Sequence[str]) -> None:
        """It has waited as long as the route lets it."""
        if ticket.id not in self.waiting:
            return
        self._do(self.scheduler.withdraw(ticket, self.world.now))
        job = self.waiting.pop(ticket.id, None)
        if job is not None:  # what was withdrawn may have made room for this very one
            self._try(others, job)

    def _want(self, name: str) -> None:
        """Have it loaded when there is room, so that the next one finds it."""
        if name not in self.scheduler.cold() or name in self.wanted.values():
            return
        self.asked += 1
        now = self.world.now
        self.wanted[self.asked] = name
        self._do(
            self.scheduler.ask(
                Ticket(id=self.asked, lane=name, batch=True, arrived=now, deadline=now + WANTED), now
            )
        )

    def _begin(self, ticket: int, lane: str) -> None:
        if self.wanted.pop(ticket, None) is None:
            super()._begin(ticket, lane)
        else:
            self._do(self.scheduler.leave(lane, None, self.world.now))

    def _refused(self, ticket: int, why: str) -> None:
        if self.wanted.pop(ticket, None) is None:
            super()._refused(ticket, why)


def equals(models: Iterable[Model | Costs], name: str, task: Task) -> list[str]:
    """The other models that did at least as well as this one in the exam at that task."""
    scores = {model.name: model.scores[task] for model in models if task in model.scores}
    if name not in scores:
        return []
    return [other for other, score in scores.items() if other != name and score >= scores[name] - AS_GOOD]
