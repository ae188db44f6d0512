"""A route that tries its models in the order, and as many of them, as is expected to cost least."""

import pytest

from headgate.core.policy import Policy, Route, decide
from headgate.core.types import FleetView, Message, Model, Price, Request, Signals
from headgate.testing import Fault

ASK = (
    "Sort this e-mail into exactly one of: billing, technical or escalation.\n\nI was charged twice in March."
)


def by_cost(page):
    return page.replace('name = "labels"\n', 'name = "labels"\norder = "expected cost"\n')


async def test_a_model_that_never_passes_is_left_out_once_that_has_been_seen_often_enough(open_bench):
    async with open_bench(local="I like trains.", paid="billing") as bench:
        for _ in range(50):
            assert (await bench.ask(ASK)).headers["x-headgate-attempts"] == "2"
        await bench.written(50)
    async with open_bench(local="I like trains.", paid="billing", change=by_cost) as bench:
        said = await bench.ask(ASK)
        assert said.headers["x-headgate-attempts"] == "1"
        assert said.headers["x-headgate-reason"] == "predicted to fail"
        (outcome,) = await bench.written()
        assert outcome.decision.order == "expected cost"
        assert outcome.decision.skipped == {"llama": "unlikely"}
        assert "expected to cost least" in outcome.decision.why

        bench.claude.inject(Fault.server_error(), times=9)
        said = await bench.ask(ASK)
        assert (said.status, said.headers["x-headgate-model"]) == (200, "llama"), "better than no answer"


async def test_with_too_few_answers_the_route_stays_as_it_is(open_bench):
    async with open_bench(local="I like trains.", paid="billing") as bench:
        for _ in range(49):
            await bench.ask(ASK)
        await bench.written(49)
    async with open_bench(local="I like trains.", paid="billing", change=by_cost) as bench:
        assert (await bench.ask(ASK)).headers["x-headgate-attempts"] == "2"


# ── Decided ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def model(name, dollars=None, **more):
    price = None if dollars is None else Price(input=dollars, output=dollars)
    return Model(
        name=name,
        engine=name,
        engine_kind="openai_compatible" if dollars is not None else "ollama",
        id=name,
        local=dollars is None,
        price=price,
        **more,
    )


MODELS = {one.name: one for one in (model("phi"), model("llama"), model("haiku", 1.0), model("claude", 10.0))}


def decided(chain, *, passing=None, chances=None, skipped=()):
    models = {
        name: Model(
            **{f: getattr(m, f) for f in m.__struct_fields__} | {"passing": (passing or {}).get(name, {})}
        )
        for name, m in MODELS.items()
    }
    route = Route(name="all", chain=tuple(chain), order="expected cost")
    signals = Signals(
        task="qa", task_confidence=1.0, task_by="rules", tokens=1000, tokens_exact=True, chances=chances or {}
    )
    request = Request(id="r", asked="auto", messages=(Message(role="user", content="?"),))
    view = FleetView(down=dict.fromkeys(skipped, "it is down"))
    return decide(Policy(routes=(route,), models=models), view, request, signals)


def test_of_free_models_the_likeliest_goes_first():
    found = decided(["phi", "llama", "claude"], passing={"phi": {"qa": 0.5}, "llama": {"qa": 0.9}})
    assert found.chain == ("llama", "phi", "claude")
    assert found.order == "expected cost"


def test_what_the_learned_router_says_of_a_request_goes_before_what_was_counted():
    counted = {"phi": {"qa": 0.5}, "llama": {"qa": 0.9}}
    found = decided(["phi", "llama", "claude"], passing=counted, chances={"phi": 0.95, "llama": 0.1})
    assert found.chain[0] == "phi"


def test_a_cheaper_paid_model_stays_only_if_it_spares_more_than_it_costs():
    assert decided(["haiku", "claude"], chances={"haiku": 0.5}).chain == ("haiku", "claude")
    poor = decided(["haiku", "claude"], chances={"haiku": 0.05})
    assert poor.chain == ("claude",)
    assert poor.skipped == {"haiku": "unlikely"}


@pytest.mark.parametrize("chances", [{}, {"llama": 0.9}])
def test_where_a_chance_is_unknown_the_order_is_the_routes(chances):
    found = decided(["phi", "llama", "claude"], chances=chances)
    assert (found.chain, found.order) == (("phi", "llama", "claude"), "route")


def test_models_that_cannot_serve_have_no_part_in_it_and_keep_their_reason():
    found = decided(["phi", "llama", "claude"], chances={"phi": 0.5, "llama": 0.9}, skipped=["llama"])
    assert found.chain == ("phi", "claude")
    assert found.skipped == {"llama": "down"}
