"""A double of Ollama: the native API (NDJSON, on by default) and its OpenAI-style layer under `/v1`.

What a router must know about the real one is kept: names with and without tag, load-time options that reload the model
(`loads` lists them), prompts cut in silence unless `truncate` is false, metrics that vanish when they are zero, errors
that sit as strings inside errors. Its scheduler is played too, as far as the figures given to it say: without any, every model fits,
nobody waits and nothing takes time. Push is not played.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from time import time
from typing import Any, ClassVar

from headgate.testing import ollama_rules as rules
from headgate.testing import ollama_shapes as shapes
from headgate.testing.answers import (
    Answering,
    ServedModel,
    count_prompt,
    count_tokens,
    limited,
    paced,
    vector,
)
from headgate.testing.calls import ReceivedCall
from headgate.testing.chat_completions import ChatStyle, Exchange, completion, embeddings, stream
from headgate.testing.clock import Clock, Timing
from headgate.testing.double import Double
from headgate.testing.downloads import Planned, PullTrouble
from headgate.testing.faults import Fault, FaultKind
from headgate.testing.ollama_library import BLOBS, Library
from headgate.testing.ollama_rules import Problem
from headgate.testing.ollama_scheduler import (
    BUSY,
    LOAD_TIME_OPTIONS,
    Asked,
    Refused,
    Runner,
    Scheduler,
    Turn,
)
from headgate.testing.ollama_shapes import go_json, tagged
from headgate.testing.replies import Later, Plain, Reply, takes_time

JSON, TEXT = "application/json; charset=utf-8", "text/plain; charset=utf-8"
CHAT, GENERATE, EMBED, OLD_EMBED = "/api/chat", "/api/generate", "/api/embed", "/api/embeddings"
V1_CHAT, V1_EMBED, V1_MODELS = "/v1/chat/completions", "/v1/embeddings", "/v1/models"

STYLE = ChatStyle(
    fingerprint="fp_ollama",
    fingerprint_first=True,
    null_logprobs=False,
    whole_tool_calls=True,
    trailing=b"\n",
)
_METHODS = {
    **dict.fromkeys(("/", "/api/version", "/api/tags", "/api/ps", V1_MODELS), "GET"),
    **dict.fromkeys((CHAT, GENERATE, EMBED, OLD_EMBED, V1_CHAT, V1_EMBED), "POST"),
    **dict.fromkeys(("/api/show", "/api/pull", "/api/copy", "/api/create"), "POST"),
    "/api/delete": "DELETE",
}

_REFUSED = {
    FaultKind.QUEUE_FULL: BUSY,
    FaultKind.OVERLOADED: BUSY,
    FaultKind.STATUS_200_ERROR_BODY: Problem(200, shapes.DIED),
    FaultKind.SERVER_ERROR: Problem(
        500,
        "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, "
        "check ollama server logs for details",
    ),
}


class OllamaDouble(Double):
    """Ollama as a stand-in.

    `num_ctx` is the context window of a model when the request names none. `library` is what `/api/pull` can fetch, `disk` the free
    bytes there are for it. `loads` lists every load as (model, num_ctx): a router that keeps its windows constant sees each pair once;
    `unloads` lists the models that went. `signed_in` says whether models with a `remote_host` answer.

    The scheduler's figures are the real one's settings: `parallel` (OLLAMA_NUM_PARALLEL; None: any number of requests at a time),
    `max_loaded` (OLLAMA_MAX_LOADED_MODELS; None: any number), `max_queue`, `keep_alive` in seconds (below 0: for ever), `kv_cache`
    (OLLAMA_KV_CACHE_TYPE); `vram` and `ram` are bytes, None is without end.
    """

    name: ClassVar[str] = "ollama"
    work_paths: ClassVar[frozenset[str]] = frozenset({CHAT, GENERATE, EMBED, OLD_EMBED, V1_CHAT, V1_EMBED})
    refusals: ClassVar[frozenset[FaultKind]] = frozenset(
        {
            *_REFUSED,
            FaultKind.AUTH_FAILED,
            FaultKind.CONTEXT_OVERFLOW,
            FaultKind.INVALID_REQUEST,
            FaultKind.SILENT_TRUNCATION,
        }
    )

    def __init__(
        self,
        models: Mapping[str, ServedModel] | Iterable[str] | None = None,
        answer: Answering | None = None,
        *,
        num_ctx: int = 4096,
        library: Mapping[str, ServedModel] | None = None,
        disk: int | None = None,
        vram: int | None = None,
        ram: int | None = None,
        parallel: int | None = None,
        max_loaded: int | None = None,
        max_queue: int = 512,
        keep_alive: float = 300.0,
        kv_cache: str = "f16",
        signed_in: bool = True,
        version: str = "0.33.0",
        host: str = "127.0.0.1",
        port: int = 0,
        label: str | None = None,
        remember: int = 10_000,
        clock: Clock | None = None,
        timing: Timing | None = None,
    ) -> None:
        super().__init__(
            models, answer, host=host, port=port, label=label, remember=remember, clock=clock, timing=timing
        )
        self.models = {tagged(name): model for name, model in self.models.items()}
        self.num_ctx = num_ctx
        self.library = {tagged(name): model for name, model in (library or {}).items()}
        self.signed_in = signed_in
        self.version = version
        self.disk = Library(self.models, self.library, self.clock, self.timing, disk)
        self.scheduler = Scheduler(
            self.clock,
            self.timing,
            parallel=parallel,
            max_loaded=max_loaded,
            max_queue=max_queue,
            vram=vram,
            ram=ram,
            keep_alive=rules.seconds(keep_alive) or 0.0,
            kv_type=kv_cache,
        )
        for name, model in self.models.items():
            if model.loaded:
                self.scheduler.put(self._asked(name, model, {}))
        self._count = 0

    @property
    def loads(self) -> list[tuple[str, int]]:
        """Every load so far, as (model, num_ctx)."""
        return self.scheduler.loads

    @property
    def unloads(self) -> list[str]:
        """The models that went out of memory so far."""
        return self.scheduler.unloads

    def running(self) -> list[Runner]:
        """What is in memory now, with sizes and users."""
        return [runner for runner in self.scheduler.runners() if runner.name in self.models]

    def break_pull(
        self, name: str, trouble: PullTrouble, *, after: float = 0.5, times: int | None = 1
    ) -> None:
        """Let the next pulls of a model end in trouble, after so much of it (0-1); None: all of them."""
        self.disk.trouble[tagged(name)] = Planned(trouble, after, times)

    @classmethod
    def default_models(cls) -> dict[str, ServedModel]:
        """The models of the starter configuration."""
        qwen = ServedModel(context=32_768, family="qwen2", parameters="7.6B", layers=28, heads=28, kv_heads=4)
        nomic = ServedModel(kind="embedding", context=2048, dimensions=768, family="nomic-bert", layers=12)
        return {
            "llama3.1:8b": ServedModel(context=131_072),
            "qwen2.5-coder:7b": replace(qwen, embedding=3584, feed_forward=18_944, vocabulary=152_064),
            "nomic-embed-text:latest": replace(
                nomic,
                heads=12,
                kv_heads=12,
                feed_forward=3072,
                vocabulary=30_522,
                parameters="137M",
                quantization="F16",
                size=274_302_450,
            ),
        }

    def streams(self, call: ReceivedCall) -> bool:
        """The native API streams unless told not to; so do its downloads."""
        return call.fields.get("stream", call.path in {CHAT, GENERATE, "/api/pull"}) is not False

    def reply(self, call: ReceivedCall, fault: Fault | None) -> Reply | Later:
        """Route the call; what no rule and no fault refuses is answered."""
        self._count += 1
        if not rules.host_allowed(call.headers.get("host", "")):
            return Plain(b"", 403, TEXT)
        if fault and fault.kind in self.refusals and fault.kind is not FaultKind.SILENT_TRUNCATION:
            return shapes.refused(call, self._refusal(call, fault))
        if call.path.startswith(BLOBS):
            return self.disk.blob(call)
        method = _METHODS.get(call.path)
        if method is None:
            return Plain(b"404 page not found", 404, TEXT)
        if call.method != method and (method, call.method) != ("GET", "HEAD"):
            return Plain(b"405 method not allowed", 405, TEXT)
        if method == "GET":
            return self._look(call)
        problem = rules.body_problem(call)
        if problem:
            return shapes.refused(call, problem)
        match call.path:
            case "/api/show":
                return self.disk.show(call)
            case "/api/pull":
                return self.disk.pull(tagged(call.model), streamed=self.streams(call))
            case "/api/create":
                return self.disk.create(call)
            case "/api/copy":
                return self.disk.copy(call)
            case "/api/delete":
                return self.disk.delete(call)
            case "/api/embed" | "/api/embeddings" | "/v1/embeddings":
                return self._embed(call, fault)
        return self._generate(call, fault)

    # work

    def _generate(self, call: ReceivedCall, fault: Fault | None) -> Reply | Later:
        body = call.fields
        if not call.model and call.path == CHAT:
            return shapes.refused(call, Problem(400, "model is required"))
        name = tagged(call.model)
        model = self.models.get(name)
        if model is None:
            return shapes.refused(call, rules.missing(call.model))
        if call.path == V1_CHAT and not body.get("messages"):
            return shapes.refused(call, Problem(400, "[] is too short - 'messages'"))
        native = call if call.path != V1_CHAT else shapes.as_native(call)
        empty = call.path != V1_CHAT and not body.get("messages") and not body.get("prompt")
        if empty and rules.seconds(body.get("keep_alive")) == 0:
            self.scheduler.expire(name)  # whatever kind of model it is: this comes before all checks
            return shapes.only_loaded(call, "unload")
        problem = rules.generation_problem(native, model)
        if problem:
            return shapes.refused(call, problem)
        asked = self._asked(name, model, native.fields)
        if model.remote_host:
            if not self.signed_in:
                return shapes.refused(call, rules.signed_out())
            elsewhere = Turn(self.scheduler.placed(asked), 0.0)
            return self._said(call, native, elsewhere, fault)
        if empty:
            return self._scheduled(call, asked, fault, lambda _: shapes.only_loaded(call, "load"))
        return self._scheduled(call, asked, fault, lambda turn: self._said(call, native, turn, fault))

    def _said(self, call: ReceivedCall, native: ReceivedCall, turn: Turn, fault: Fault | None) -> Reply:
        """What the model says, now that it can."""
        body, window, timing = call.fields, turn.runner.window, self.timing
        options = native.fields.get("options") or {}
        prompt = count_prompt(call)
        silent = fault is not None and fault.kind is FaultKind.SILENT_TRUNCATION
        whole = body.get("truncate") is False or not turn.runner.model.cuts_prompts
        if prompt > window and whole and not silent:
            return shapes.refused(call, rules.overflow(prompt, window))
        cut = prompt > window or silent
        if cut:
            call, prompt = shapes.cut_prompt(call, window), window
        answer = self.answer_to(call, fault)
        if body.get("think") is False:
            answer = replace(answer, reasoning=None)
        answer = limited(answer, options.get("num_predict"), options.get("stop"))
        shown = fault.text if fault and fault.kind is FaultKind.WRONG_MODEL else call.model
        if answer.input_tokens is not None and not cut:
            prompt = answer.input_tokens
        metrics = shapes.metrics(answer, prompt, turn, timing)
        answer = paced(answer, prompt, timing, streamed=self.streams(call))
        if call.path == V1_CHAT:
            exchange = Exchange(f"chatcmpl-{self._count % 999}", shown, call, answer, prompt)
            if body.get("stream") is True:
                return stream(STYLE, exchange, failure=shapes.v1_failure(exchange.id))
            return completion(STYLE, exchange)
        where = shapes.remote(tagged(call.model), turn.runner.model)
        say = shapes.streamed if self.streams(call) else shapes.whole
        return say(call, {"model": shown} | where, answer, metrics, self._count)

    def _embed(self, call: ReceivedCall, fault: Fault | None) -> Reply | Later:
        body = call.fields
        model = self.models.get(tagged(call.model))
        if model is None:
            return shapes.refused(call, rules.missing(call.model))
        if model.kind != "embedding":
            text = "This server does not support embeddings. Start it with `--embeddings`"
            return shapes.refused(call, Problem(501, text))
        given: Any = body.get("prompt", "") if call.path == OLD_EMBED else body.get("input")
        texts: list[str] = given if isinstance(given, list) else [given]
        if not all(isinstance(text, str) for text in texts):
            return shapes.refused(call, Problem(400, "invalid input type"))
        asked = self._asked(tagged(call.model), model, body)
        if body.get("truncate") is False and any(count_tokens(text) > asked.window for text in texts):
            return shapes.refused(call, Problem(400, "the input length exceeds the context length"))
        return self._scheduled(call, asked, fault, lambda turn: self._embedded(call, texts, turn))

    def _embedded(self, call: ReceivedCall, texts: list[str], turn: Turn) -> Reply:
        size = call.fields.get("dimensions") or turn.runner.model.dimensions
        if call.path == V1_EMBED:
            return embeddings(call, call.model, size)
        vectors = [vector(text, size) for text in texts]
        if call.path == OLD_EMBED:
            return Plain(go_json({"embedding": vectors[0]}), content_type=JSON)
        tokens = sum(map(count_tokens, texts))
        made = {"model": call.model, "embeddings": vectors}
        metrics = shapes.metrics(None, tokens, turn, self.timing) if texts else {}
        delay = tokens * self.timing.prompt_token
        return Plain(go_json(made | metrics), content_type=JSON, delay=delay)

    # the scheduler

    def _asked(self, name: str, model: ServedModel, body: Mapping[str, Any]) -> Asked:
        options = body.get("options") or {}
        window = min(int(options.get("num_ctx") or self.num_ctx), model.context)
        fixed = (
            {option: options[option] for option in LOAD_TIME_OPTIONS if option in options} if options else {}
        )
        kept = rules.seconds(body.get("keep_alive"))
        return Asked(name, model, self.disk.digest(name), window, fixed, kept)

    def _scheduled(
        self, call: ReceivedCall, asked: Asked, fault: Fault | None, say: Callable[[Turn], Reply]
    ) -> Reply | Later:
        """What is said when the request has its turn: at once if it need not wait and takes no time, as is usual."""
        try:
            turn = self.scheduler.start_now(asked)
        except Refused as refused:
            return shapes.refused(call, refused.problem)
        if turn is None:
            return self._when_ready(call, asked, say)
        try:
            reply = say(turn)
        except Exception:
            self.scheduler.finish(turn)
            raise
        if fault is None and not takes_time(reply):
            self.scheduler.finish(turn)
            return reply
        return self._while_played(turn, reply)

    @asynccontextmanager
    async def _when_ready(
        self, call: ReceivedCall, asked: Asked, say: Callable[[Turn], Reply]
    ) -> AsyncIterator[Reply]:
        try:
            turn = await self.scheduler.start(asked)
        except Refused as refused:
            yield shapes.refused(call, refused.problem)
            return
        try:
            yield say(turn)
        finally:
            self.scheduler.finish(turn)

    @asynccontextmanager
    async def _while_played(self, turn: Turn, reply: Reply) -> AsyncIterator[Reply]:
        try:
            yield reply
        finally:
            self.scheduler.finish(turn)

    # everything else

    def _look(self, call: ReceivedCall) -> Plain:
        match call.path:
            case "/":
                return Plain(b"Ollama is running", content_type=TEXT)
            case "/api/version":
                return Plain(go_json({"version": self.version}), content_type=JSON)
            case "/api/tags":
                return self.disk.tags()
            case "/api/ps":
                running = [
                    shapes.running_entry(runner, self.disk.digest(runner.name)) for runner in self.running()
                ]
                return Plain(go_json({"models": running}), content_type=JSON)
        data = [
            {"id": n, "object": "model", "created": int(time()), "owned_by": "library"} for n in self.models
        ]
        return Plain(go_json({"object": "list", "data": data or None}) + b"\n")

    # errors

    def _refusal(self, call: ReceivedCall, fault: Fault) -> Problem:
        match fault.kind:
            case FaultKind.CONTEXT_OVERFLOW:
                options = call.fields.get("options") or {}
                window = int(options.get("num_ctx") or self.num_ctx)
                return rules.overflow(window + count_prompt(call), window)
            case FaultKind.INVALID_REQUEST:
                return Problem(400, f'"{call.model}" does not support {fault.text}')
            case FaultKind.AUTH_FAILED:
                return rules.signed_out()
        return _REFUSED[fault.kind]
