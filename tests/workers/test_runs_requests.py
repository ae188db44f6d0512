"""What a run asks of the gate: the wishes of whoever gives the input reach the request, and workers are asked first."""

import pytest

from headgate.config.load import parse_config
from headgate.core.runs import Step
from headgate.core.types import Decision, GiveUp, Outcome, Signals
from headgate.gateway.services import Worked
from headgate.workers.runs import Runs

PAGE = """
[engines.home]
kind = "llamacpp"

[models.nano]
engine = "home"
id = "headgate-nano"

[[routes]]
name = "all"
try = ["nano"]

[agents.sort]
system = "Sort it."
labels = ["a", "b"]
"""


OUTCOME = Outcome(
    id="r1",
    received=0.0,
    asked="agent:kb:docs",
    stream=False,
    signals=Signals(task=None, task_confidence=0.0, task_by="none", tokens=9, tokens_exact=False),
    decision=Decision(
        route="all",
        why="",
        candidates=(),
        checks=(),
        pass_at=0.6,
        mode="hold",
        within=60.0,
        attempts_at_most=4,
    ),
    attempts=(),
    status="failed",
    model=None,
    fallback=None,
    seconds=0.1,
    cost=0.0,
    baseline="gpt-4o",
    baseline_cost=None,
)


class Stop(Exception):  # noqa: N818  # it ends a test's request
    """Raised in place of asking a model."""


@pytest.fixture
def policy():
    return parse_config(PAGE, None).policy


async def asked_with(policy, **wishes):
    """The request that a run makes, and its caller."""
    seen = []

    async def ask(request, caller):
        seen.append((request, caller))
        raise Stop

    with pytest.raises(Stop):
        await Runs(policy, ask).run("sort", "Help", **wishes)
    return seen[0]


async def test_every_wish_reaches_the_request(policy):
    request, caller = await asked_with(
        policy, batch=True, pay=False, caller="ann", model="nano", within=7.0, local_only=True
    )
    assert (request.batch, request.pay, request.only, caller) == (True, False, "nano", "ann")
    assert (request.within, request.local_only, request.agent) == (7.0, True, "sort")
    request, _ = await asked_with(policy)
    assert (request.batch, request.pay, request.only, request.within) == (False, True, "", None)
    assert not request.local_only


async def test_unknown_models_agents_and_inputs_are_runs_that_failed(policy):
    runs = Runs(policy, None)
    for agent, given, model, says in (
        ("sort", "Help", "nanno", 'there is no model "nanno"'),
        ("sorrt", "Help", None, 'there is no agent "sorrt"'),
        ("draft", "Help", None, "the input has no client"),
    ):
        run = await runs.run(agent, given, model=model)
        assert (run.status, run.agent, run.output) == ("failed", agent, None)
        assert says in run.reason


class Librarian:
    """A worker with agents of its own."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.asked = []

    def takes(self, request):
        return request.asked.startswith("agent:kb:") or "long" in request.messages[-1].text

    async def work(self, request, *, caller):
        self.asked.append((request, caller))
        step = Step(kind="search", what="refunds")
        return Worked(GiveUp("nothing found"), self.outcome, steps=(step,))


async def test_workers_are_asked_before_any_model_and_get_the_request_untouched(policy):
    worker = Librarian(OUTCOME)
    runs = Runs(policy, None, [worker])
    run = await runs.run("kb:docs", {"question": "How long do refunds take?"}, caller="ann")
    assert (run.agent, run.status, run.reason) == ("kb:docs", "failed", "nothing found")
    assert (run.steps[0].what, run.requests) == ("refunds", ("r1",))
    run = await runs.run("sort", "a long one")
    assert run.agent == "sort"
    (first, caller), (second, _) = worker.asked
    assert (first.messages[0].text, caller) == ("How long do refunds take?", "ann")
    assert [message.role for message in second.messages] == ["user"]
    assert second.agent == ""
