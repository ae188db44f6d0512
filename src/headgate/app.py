"""The composition root: a `Config` becomes a running gate.

    async with open_gate(config) as gate:     ledger, engines and fleet are up; gate.ask(request) works
        await gate.serve()                    … and it listens on its port

Everything is built here and nowhere else, in the order in which it depends on each other, and closed in reverse. Nothing
is global, so several gates may live in one process.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from time import perf_counter, time
from typing import Any

import msgspec
from msgspec.structs import replace

from headgate import __version__
from headgate.batches.front.desk import Desk
from headgate.batches.front.inside import InsideCall
from headgate.batches.front.messages import MessagesFront
from headgate.batches.front.service import FrontService
from headgate.config.compile import Config
from headgate.config.places import data_home
from headgate.config.prices import OpenList, list_here
from headgate.core.batching import BatchAnswer
from headgate.core.runs import Embedder
from headgate.core.trials import Trials, fresh_trials
from headgate.core.types import GiveUp, Outcome, Reply, Request
from headgate.core.words import Status
from headgate.dash.auditing import AuditService
from headgate.dash.live import Feed
from headgate.dash.pairs import PairService
from headgate.dash.routing import RoutingService
from headgate.dash.service import PageService
from headgate.engines.connect import dialect_of
from headgate.engines.tokenizer import Tokenizer
from headgate.engines.vector_cache import VectorCache
from headgate.fleet import hardware
from headgate.fleet.fleet import Fleet
from headgate.fleet.sizes import Before, Memory
from headgate.gateway.affinity import Affinity
from headgate.gateway.alerts import Alerts
from headgate.gateway.batched import settle
from headgate.gateway.conversations import Conversations
from headgate.gateway.entrance import Entrance
from headgate.gateway.feedback import FeedbackService
from headgate.gateway.http import Server
from headgate.gateway.images import Images
from headgate.gateway.intake import Intake
from headgate.gateway.journey import HUNG_UP, Journey
from headgate.gateway.keys import Keys
from headgate.gateway.learned import Following
from headgate.gateway.listening import address_of, refuse
from headgate.gateway.outcomes import outcome_of, status_of
from headgate.gateway.prices import keep_prices
from headgate.gateway.recounts import Recounts
from headgate.gateway.road import Road
from headgate.gateway.sampling import keep_learning
from headgate.gateway.serve import Face
from headgate.gateway.services import Service, Worker
from headgate.gateway.vectors import Vectors
from headgate.gateway.versions import VersionWatcher
from headgate.knowledge.search import Shelf
from headgate.lab.watching import keep_tuned
from headgate.ledger.audit_strata import known_strata
from headgate.ledger.cards import newest_cards
from headgate.ledger.keys import new_key
from headgate.ledger.power import keep_power
from headgate.ledger.retention import Keep
from headgate.ledger.trials import newest_trials
from headgate.ledger.writer import LedgerWriter
from headgate.posts.poster import Poster
from headgate.posts.starting import poster_of
from headgate.starting import (
    alternatives_beside,
    auditor_of,
    baseline_model,
    build_engine,
    loaded_at_once,
    open_budgets,
    power_of,
    recounted,
    requests_at_once,
    sampling_of,
    start_embedded,
    traffic,
    with_cards,
    with_rates,
)
from headgate.workers.agents_service import AgentsService
from headgate.workers.asking import thrifty
from headgate.workers.cited import CitedAnswers, base_agents
from headgate.workers.embedder import GateEmbedder, embedding_model
from headgate.workers.kb_service import KbService
from headgate.workers.long import LongInputs
from headgate.workers.loop import ToolLoop
from headgate.workers.runs import Runs
from headgate.workers.tools import Tools, load_all_tools

IMAGE_LIMIT = 20 * 1024 * 1024
"""Bytes of an image that is fetched for a caller."""

GRACE = 10
"""Seconds that requests under way get to end when the gate closes."""


class OpenGate:
    """A gate whose ledger, engines and fleet are up."""

    def __init__(
        self,
        config: Config,
        road: Road,
        writer: LedgerWriter,
        notes: tuple[str, ...],
        *,
        trials: Trials,
        tools: Mapping[str, Tools],
        keys: Keys,
        alerts: Alerts,
        local_key: str,
        poster: Poster,
    ) -> None:
        self.poster = poster
        self.config = config
        self.road = road
        self.writer = writer
        self.notes = notes
        """What the start found that a person should know: a crash before, an engine that did not start."""
        self.entrance = Entrance(keys, required=config.keys_required, alone=config.alone)
        self.alerts = alerts
        """Who is to be told that a budget runs out says so here: `alerts.hear`."""
        self.local_key = local_key
        """For commands of this user on this machine, which find it in the run file."""
        self.server: Server | None = None
        self.asked_to_stop = asyncio.Event()
        self.cited = CitedAnswers(self, Shelf())
        self.loop = ToolLoop(road, self.ask, self.settle, tools)
        self.workers: list[Worker] = [self.cited, self.loop, LongInputs(road, self.ask)]
        """Who answers for agents that take more than one request."""
        self.runs = Runs(road.policy, self.ask, self.workers, self.take_batched)
        self.batches = Desk(
            config.ledger.path.with_name("batches"), self.answer_inside, requests_at_once(config)
        )
        self.fronts = (
            FrontService(self.batches, config.file_limit, config.body_limit),
            MessagesFront(self.batches, config.file_limit),
        )
        self.auditor = auditor_of(config, road)
        self.feed = Feed(road.policy.models)
        intake = Intake(
            config.policy,
            road.tokenizer,
            Conversations(writer, kept=config.ledger.keep_bodies),
            Images(IMAGE_LIMIT) if config.fetch_images else None,
            config.body_limit,
            workers=self.workers,
            brought=base_agents,
        )
        services: list[Service] = [
            AgentsService(self.runs, trials, config.body_limit),
            KbService(self.cited, config.body_limit),
            FeedbackService(writer, config.body_limit),
            *self.fronts,
            PageService(config, self.feed, keys),
            RoutingService(config, road, intake),
            AuditService(config, self.auditor),
            PairService(config),
        ]
        self.http = Face(
            road,
            self.record,
            intake,
            entrance=self.entrance,
            keep_alive=config.streaming.keep_alive,
            health=self.health,
            services=services,
        )
        alerts.hear(self.http.metrics.alert)
        alerts.hear(lambda alert: poster.tell(f"Headgate: {alert.title}", alert.notice))

    def health(self) -> dict[str, Any]:
        """The ledger's part of /healthz, and the money's."""
        return {
            "ledger": {
                "path": str(self.writer.path),
                "written": self.writer.written,
                "waiting": self.writer.waiting,
                "rows_lost": self.writer.lost,
                "problem": self.writer.problem,
            },
            "paid_today": self.road.budgets.paid_today,
            "budgets": msgspec.to_builtins(self.road.budgets.standings()),
            "keys": "required" if self.entrance.required else "optional",
            "posts": {"waiting": dict(self.poster.troubles)},
        }

    @property
    def embedder(self) -> Embedder | None:
        """The gate's embedding model, for knowledge bases; None when the config has none."""
        model = embedding_model(self.road.policy)
        return None if model is None else GateEmbedder(self.ask, model, time)

    async def ask(
        self,
        request: Request,
        caller: str = "",
        checks: tuple[str, ...] | None = None,
        *,
        spend: float | None = None,
    ) -> tuple[Reply | GiveUp, Outcome]:
        """One request through the gate without HTTP; it is written down like any other.

        Args:
            request: ready to be routed: a subagent's prompt is on it.
            caller: whose request it is, as far as waiting has to be fair.
            checks: look at the answer in place of those of its route.
            spend: dollars that it may cost, if less than the config allows.
        """
        road = self.road if spend is None else thrifty(self.road, spend)
        signals = await road.measure(request, 0)
        journey = Journey(road, request, signals, received=time(), begun=perf_counter(), caller=caller)
        if checks is not None:
            journey.decision = replace(journey.decision, checks=checks)
        try:
            result = await journey.run()
        except asyncio.CancelledError:
            self.note(outcome_of(journey, "cancelled", HUNG_UP))
            raise
        outcome = (
            outcome_of(journey, "failed", result.reason)
            if isinstance(result, GiveUp)
            else outcome_of(journey, status_of(journey))
        )
        self.note(outcome)
        return result, outcome

    async def take_batched(
        self, request: Request, answer: BatchAnswer, job: str, submitted: float, caller: str
    ) -> tuple[Reply | GiveUp, Outcome]:
        """What a provider's batch has answered to a request; it is written down like any other.

        Args:
            request: what was asked; `only` is the model that was.
            answer: what came back.
            job: the provider's name for the batch.
            submitted: Unix time at which it was handed over.
            caller: whose request it is.
        """
        engine = self.config.engines[self.road.policy.models[request.only].engine]
        result, outcome = await settle(
            self.road,
            dialect_of(engine),
            request,
            answer,
            job=job,
            submitted=submitted,
            caller=caller,
        )
        self.note(outcome)
        return result, outcome

    async def answer_inside(self, call: InsideCall) -> None:
        """Answer a call that comes from no connection, as if it had come from one."""
        await self.http.answer(call, self.entrance.inside(call.key))

    async def settle(self, request: Request, status: Status, error: str = "") -> Outcome:
        """Write down a request for which no model was asked."""
        signals = await self.road.tokenizer.measure(request, self.road.policy, 0)
        journey = Journey(self.road, request, signals, received=time(), begun=perf_counter())
        journey.decision = replace(journey.decision, candidates=())
        outcome = outcome_of(journey, status, error)
        self.note(outcome)
        return outcome

    def record(self, outcome: Outcome) -> None:
        """Write a request down, and tell of it those who watch the page."""
        self.writer.put(outcome)
        self.feed.note(outcome)

    def note(self, outcome: Outcome) -> None:
        """Write a request down, and count it."""
        self.record(outcome)
        self.http.metrics.note(outcome)

    def describe(self) -> None:
        """Let the rows from now on stand under these prices."""
        road = self.road
        config = replace(self.config, baseline_price=road.recounts.price, alternatives=road.alternatives)
        self.writer.describe(
            [*road.policy.models.values(), baseline_model(config), *alternatives_beside(config)]
        )

    async def serve(self, listening: socket.socket, opened: Callable[[str], None] | None = None) -> None:
        """Answer HTTP requests until a signal says stop.

        Args:
            listening: a bound socket (`bind`).
            opened: called with the gate's address once it answers.
        """
        uploads = {path: upload for front in self.fronts for path, upload in front.uploads.items()}
        self.server = server = Server(
            self.http, body_limit=self.config.body_limit, refuse=refuse, uploads=uploads
        )
        await server.open(listening)
        self.batches.go_on()
        self.auditor.start()
        try:
            if opened is not None:
                opened(address_of(listening))
            await self.asked_to_stop.wait()
        finally:
            await server.close(GRACE)

    def stop(self) -> None:
        """Let `serve` end once the requests under way have; asked twice, at once."""
        if self.asked_to_stop.is_set() and self.server is not None:
            self.server.cancel()
        self.asked_to_stop.set()


@asynccontextmanager
async def open_gate(config: Config, open_list: OpenList = list_here) -> AsyncGenerator[OpenGate]:
    """Open the ledger, start the engines, look at the fleet; close them all at the end.

    Args:
        config: what the page says.
        open_list: opens the list of prices, whenever they may have changed.

    Raises:
        ConfigError: a tool of a subagent cannot be loaded, or what is kept for audits cannot be sealed.
        LedgerError: the ledger cannot be opened.
    """
    tools = await asyncio.to_thread(load_all_tools, config.policy.agents, config.source)
    sampling = sampling_of(config)
    models = config.policy.models.values()
    writer = LedgerWriter(
        config.ledger.path,
        flush_every=config.ledger.flush,
        version=__version__,
        keep=Keep(rows=config.ledger.keep, bodies=config.ledger.keep_bodies_for),
    )
    found = await asyncio.to_thread(writer.start)
    try:
        writer.describe([*models, baseline_model(config), *alternatives_beside(config)])
        memory = Memory(hardware=await asyncio.to_thread(hardware.look), vram=config.vram, ram=config.ram)
        engines = {
            name: build_engine(
                settings, models, eager=await asyncio.to_thread(loaded_at_once, settings, models, memory)
            )
            for name, settings in config.engines.items()
        }
        cards = await asyncio.to_thread(newest_cards, config.ledger.path)
        before = Before(cards=cards, traffic=await asyncio.to_thread(traffic, config))
        fleet = Fleet(engines, config.engines, config.policy.models, memory, before)
        cache = (
            VectorCache(data_home() / "embeddings.db", config.embedding_cache)
            if config.embedding_cache
            else None
        )
        try:
            troubles = await start_embedded(engines)
            await fleet.start()
            watching = VersionWatcher(config.ledger.path, fleet)
            changed = await watching.open()
            config, stale = with_cards(config, cards, fleet)
            config = await asyncio.to_thread(with_rates, config)
            kept = await asyncio.to_thread(newest_trials, config.ledger.path)
            trials = fresh_trials(kept, config.policy.agents, config.policy.models)
            recounts = Recounts(
                baseline_model(config).id,
                config.baseline_price,
                await asyncio.to_thread(recounted, config),
            )
            power = await asyncio.to_thread(power_of, config)
            local_key = new_key()
            keys, alerts = Keys(config.ledger.path, local_key), Alerts(config.ledger.path)
            road = Road(
                policy=config.policy,
                checks=config.checks,
                fleet=fleet,
                budgets=await asyncio.to_thread(open_budgets, config, alerts.put),
                tokenizer=Tokenizer(),
                affinity=Affinity(config.conversation_stays),
                vectors=Vectors(fleet, cache),
                recounts=recounts,
                power=power,
                price_per_kwh=config.energy.price_per_kwh,
                alternatives=config.alternatives,
                prices_as_of=datetime.now(UTC).date().isoformat(),
                peek_characters=config.streaming.peek_characters,
                keep_bodies=config.ledger.keep_bodies,
                sampling=sampling,
                temperatures={key: trial.temperature for key, trial in trials.items()},
            )
            following = Following(config.ledger.path, road)
            unusable = await following.open()
            poster, unsent = await asyncio.to_thread(poster_of, config)
            notes = (
                *found.sentences,
                *troubles,
                *stale,
                *changed,
                *unsent,
                *power.notes,
                *([unusable] if unusable else []),
            )
            gate = OpenGate(
                config,
                road,
                writer,
                notes,
                trials=trials,
                tools=tools,
                keys=keys,
                alerts=alerts,
                local_key=local_key,
                poster=poster,
            )
            await keys.open()
            alerts.open()
            poster.start()
            recounts.start()
            power.start(partial(keep_power, config.ledger.path))
            keeping = [
                asyncio.create_task(keep_prices(road, config.prices, gate.describe, open_list)),
                asyncio.create_task(keep_tuned(road, config, poster.tell)),
            ]
            if sampling is not None:
                keeping.append(
                    asyncio.create_task(keep_learning(sampling, partial(known_strata, config.ledger.path)))
                )
            try:
                yield gate
            finally:
                await gate.auditor.close()
                await keys.close()
                await alerts.close()
                await following.close()
                await watching.close()
                for task in keeping:
                    task.cancel()
                await asyncio.wait(keeping)
                await power.close()
                await recounts.close()
                await poster.close()
                await gate.batches.close()
                await gate.runs.close()
                await gate.loop.close()
        finally:
            await fleet.close()
            if cache is not None:
                await cache.close()
    finally:
        await asyncio.to_thread(writer.close)
