"""A double of LM Studio (0.4): the OpenAI-style API under `/v1`, and the parts of `/api/v0` and `/api/v1` about models.

The real program is closed, so this follows its documents and its users' bug reports. What trips routers is kept: an unknown
path answers 200, `json_object` is refused, a wrong model name may be answered by another model, loading one model on demand
unloads the other, even one that is answering. `/api/v1/chat` and `/v1/responses` are not played.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar

import msgspec

from headgate.testing import lmstudio_shapes as shapes
from headgate.testing.answers import Answering, ServedModel, count_prompt, limited, output_tokens, paced
from headgate.testing.calls import ReceivedCall
from headgate.testing.chat_completions import ChatStyle, Exchange, completion, embeddings, stream
from headgate.testing.clock import Clock, Timing
from headgate.testing.double import Double
from headgate.testing.downloads import Planned, PullTrouble
from headgate.testing.faults import Fault, FaultKind, script
from headgate.testing.lmstudio_downloads import Downloads
from headgate.testing.lmstudio_instances import UNLOADED, Instance, Instances, Refused, Settings
from headgate.testing.lmstudio_rules import chat_problem
from headgate.testing.lmstudio_shapes import error, error_event, text_error
from headgate.testing.replies import Later, Plain, Reply, Stream, encode, takes_time

CHAT, EMBED, V0_CHAT = "/v1/chat/completions", "/v1/embeddings", "/api/v0/chat/completions"
V0_MODELS, V1_MODELS, JOBS = "/api/v0/models", "/api/v1/models", "/api/v1/models/download/status/"
CLI_LS, CLI_PS, CLI_LOAD = "/double/ls", "/double/ps", "/double/load"
"""What the `lms` double asks; the real one speaks to the program in another way."""

STYLE = ChatStyle(fingerprint="", role_everywhere=True)
_NO_MODEL = "No models loaded. Please load a model in the developer page or use the `lms load` command."
_CRASHED = "The model has crashed without additional information. (Exit code: null)"


class LMStudioDouble(Double):
    """LM Studio as a stand-in.

    `jit` loads a model when it is asked for; `auto_evict` then unloads the one that was loaded so before; `substitute` lets the only
    loaded model answer for an unknown one. `token` switches authentication on. `library` is what can be downloaded, `disk` the free
    bytes there are for it. `loads` and `unloads` list the instances in order.

    `ttl` are the idle seconds after which a model that was loaded on demand goes. `parallel` is how many requests an instance takes at a
    time (None: any number, said to be the real one's 4), `default_context` the window of a load that names none (None: all that the
    model has). `memory` are bytes (None: without end), which the `guardrails` watch. With `ignores_load_settings`, what
    a load asks for is not heard, as users report it.
    """

    name: ClassVar[str] = "lmstudio"
    work_paths: ClassVar[frozenset[str]] = frozenset({CHAT, EMBED, V0_CHAT})
    refusals: ClassVar[frozenset[FaultKind]] = frozenset(
        {
            FaultKind.AUTH_FAILED,
            FaultKind.CONTEXT_OVERFLOW,
            FaultKind.INVALID_REQUEST,
            FaultKind.OVERLOADED,
            FaultKind.SERVER_ERROR,
            FaultKind.STATUS_200_ERROR_BODY,
        }
    )

    def __init__(
        self,
        models: Mapping[str, ServedModel] | Iterable[str] | None = None,
        answer: Answering | None = None,
        *,
        jit: bool = True,
        auto_evict: bool = True,
        substitute: bool = False,
        token: str | None = None,
        library: Mapping[str, ServedModel] | None = None,
        disk: int | None = None,
        ttl: float = 3600.0,
        parallel: int | None = None,
        default_context: int | None = None,
        memory: int | None = None,
        guardrails: bool = True,
        ignores_load_settings: bool = False,
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
        self.jit = jit
        self.substitute = substitute
        self.token = token
        self.library = dict(library or {})
        self.downloads = Downloads(self.clock, self.timing, disk, self.models.__setitem__)
        self.memory = Instances(
            self.models,
            self.clock,
            self.timing,
            auto_evict=auto_evict,
            ttl=ttl,
            parallel=parallel,
            default_context=default_context,
            memory=memory,
            guardrails=guardrails,
            ignores_settings=ignores_load_settings,
        )
        for name, model in self.models.items():
            if model.loaded:
                self.memory.put(name)
        self._count = 0

    @property
    def loads(self) -> list[str]:
        """Every load so far, by the instance's id; the first of a model has the model's key."""
        return self.memory.loads

    @property
    def unloads(self) -> list[str]:
        """The instances that went so far."""
        return self.memory.unloads

    def running(self) -> list[Instance]:
        """What is in memory now, with sizes and users."""
        return self.memory.all()

    def break_download(
        self, key: str, trouble: PullTrouble, *, after: float = 0.5, times: int | None = 1
    ) -> None:
        """Let the next downloads of a model end in trouble, after so much of it (0-1); None: all of them."""
        self.downloads.trouble[key] = Planned(trouble, after, times)

    @classmethod
    def default_models(cls) -> dict[str, ServedModel]:
        """The model of the starter configuration, loaded, and an embedding model."""
        phi = ServedModel(
            context=131_072,
            family="phi3",
            tools=False,
            loaded=True,
            parameters="3.8B",
            size=2_393_231_072,
            kv_heads=32,
            embedding=3072,
            feed_forward=8192,
            vocabulary=32_064,
        )
        nomic = ServedModel(
            kind="embedding", context=2048, dimensions=768, family="nomic-bert", size=84_106_624, layers=12
        )
        return {"phi-3-mini-128k-instruct": phi, "text-embedding-nomic-embed-text-v1.5": nomic}

    def reply(self, call: ReceivedCall, fault: Fault | None) -> Reply | Later:
        """Route the call; what no rule and no fault refuses is answered."""
        self._count += 1
        self.downloads.settle()
        given = call.headers.get("authorization", "").removeprefix("Bearer ") or call.headers.get("x-api-key")
        if (self.token is not None and given != self.token) or (
            fault and fault.kind is FaultKind.AUTH_FAILED
        ):
            return error(
                401,
                "Malformed or missing LM Studio API token",
                "authentication_error",
                code="invalid_api_key",
            )
        if fault and fault.kind in self.refusals:
            return self._refusal(call, fault)
        if call.method == "GET":
            return self._look(call)
        match call.method, call.path:
            case "POST", "/api/v1/models/load" | "/double/load":
                return self._load_by_hand(call)
            case "POST", "/api/v1/models/unload":
                return self._unload_by_hand(call)
            case "POST", "/api/v1/models/download":
                return self._download(call)
            case "POST", "/v1/chat/completions" | "/api/v0/chat/completions":
                return self._chat(call, fault)
            case "POST", "/v1/embeddings":
                return self._embed(call, fault)
        return shapes.unexpected(call)

    # work

    def _chat(self, call: ReceivedCall, fault: Fault | None) -> Reply | Later:
        problem = chat_problem(call)
        if problem:
            return text_error(problem)
        return self._served(call, "chat", fault, lambda instance: self._said(call, instance, fault))

    def _said(self, call: ReceivedCall, instance: Instance, fault: Fault | None) -> Reply:
        body = call.fields
        window, prompt = instance.context, count_prompt(call)
        if prompt > window:
            return text_error(shapes.kept_first(prompt, window))
        most, stop = body.get("max_tokens"), body.get("stop")
        stops = [stop] if isinstance(stop, str) else stop
        answer = limited(self.answer_to(call, fault), most, stops)
        shown = fault.text if fault and fault.kind is FaultKind.WRONG_MODEL else instance.id
        extra = (
            shapes.v0_extra(instance.model, answer.finish, output_tokens(answer))
            if call.path == V0_CHAT
            else {"stats": {}}
        )
        answer = paced(answer, prompt, self.timing, streamed=self.streams(call))
        exchange = Exchange(f"chatcmpl-{self._count:021d}", shown, call, answer, extra=extra)
        if body.get("stream") is True:
            return stream(STYLE, exchange, failure=error_event(_CRASHED))
        return completion(STYLE, exchange)

    def _embed(self, call: ReceivedCall, fault: Fault | None) -> Reply | Later:
        if "input" not in call.fields:
            return text_error("'input' field is required")
        return self._served(
            call,
            "embedding",
            fault,
            lambda instance: embeddings(call, instance.id, instance.model.dimensions),
        )

    def _served(
        self, call: ReceivedCall, kind: str, fault: Fault | None, say: Callable[[Instance], Reply]
    ) -> Reply | Later:
        """What the right model says: at once if it need not wait and takes no time, as is usual."""
        found = self._serving(call.model, kind)
        if isinstance(found, Plain):
            return found
        if isinstance(found, str):
            settings = Settings(ttl=call.fields.get("ttl"), on_demand=True)
            try:
                instance = self.memory.load_now(found, settings)
            except Refused as refused:
                return text_error(str(refused))
            if instance is None or not instance.slots.take():
                return self._when_ready(lambda: self.memory.load(found, settings), say)
        elif found.slots.take():
            instance = found
        else:
            return self._when_ready(found, say)
        try:
            reply = say(instance)
        except Exception:
            self.memory.left(instance)
            raise
        if fault is None and not takes_time(reply):
            self.memory.left(instance)
            return reply
        return self._while_played(instance, reply)

    @asynccontextmanager
    async def _when_ready(
        self, found: Instance | Callable[[], Awaitable[Instance]], say: Callable[[Instance], Reply]
    ) -> AsyncIterator[Reply]:
        try:
            instance = found if isinstance(found, Instance) else await found()
            if not instance.slots.take():
                await instance.slots.wait()
        except Refused as refused:
            yield text_error(str(refused))
            return
        try:
            reply = say(instance)
        except Exception:
            self.memory.left(instance)
            raise
        async with self._while_played(instance, reply) as held:
            yield held

    @asynccontextmanager
    async def _while_played(self, instance: Instance, reply: Reply) -> AsyncIterator[Reply]:
        """Hold the model; if it is unloaded meanwhile, the reply breaks."""
        streamed = isinstance(reply, Stream)
        last: Reply = Stream((), (), (error_event(UNLOADED),), b"") if streamed else text_error(UNLOADED)
        instead = asyncio.get_running_loop().create_future()

        def leave() -> None:
            instead.set_result(script(last, None, self.label))

        instance.leaving.append(leave)
        try:
            yield msgspec.structs.replace(reply, instead=instead)
        finally:
            if leave in instance.leaving:
                instance.leaving.remove(leave)
            self.memory.left(instance)

    def _serving(self, asked: str, kind: str) -> Instance | str | Plain:
        """The instance that will answer, or the key of a model that is to be loaded for it, or the refusal."""
        here = self.memory.of(asked)
        model = here[0].model if here else self.models.get(asked) if self.jit else None
        if model is not None:
            if model.kind != kind:
                return text_error(
                    f"Model '{asked}' is not {'an llm' if kind == 'chat' else 'an embedding model'}"
                )
            return min(here, key=lambda instance: instance.slots.users) if here else asked
        able = [instance for instance in self.memory.all() if instance.model.kind == kind]
        if len(able) == 1 and (self.substitute or not asked):
            return able[0]
        if not self.memory.all() and not self.jit:
            return error(404, _NO_MODEL, "invalid_request_error", "model", "model_not_found")
        return shapes.not_found(asked, self.models)

    # models

    def _look(self, call: ReceivedCall) -> Plain:
        path = call.path
        if path == "/v1/models":
            here = [instance.id for instance in self.memory.all()]
            names = dict.fromkeys([*self.models, *here] if self.jit else here)
            data = [{"id": name, "object": "model", "owned_by": "organization_owner"} for name in names]
            return Plain(encode({"data": data, "object": "list"}))
        if path == V0_MODELS:
            listed = [shapes.v0_entry(key, model, self._of(key)) for key, model in self.models.items()]
            return Plain(encode({"object": "list", "data": listed}))
        key = path.removeprefix(f"{V0_MODELS}/")
        if key in self.models:
            return Plain(encode(shapes.v0_entry(key, self.models[key], self._of(key))))
        if path == V1_MODELS:
            listed = [shapes.v1_entry(key, model, self._of(key)) for key, model in self.models.items()]
            return Plain(encode({"models": listed}))
        if path.startswith(JOBS):
            job = self.downloads.jobs.get(path.removeprefix(JOBS))
            if job is None:
                return error(404, f'Job "{path.removeprefix(JOBS)}" not found', "job_not_found", "job_id")
            return Plain(encode(self.downloads.told(job)))
        if path == CLI_LS:
            return Plain(encode([shapes.cli_model(key, model) for key, model in self.models.items()]))
        if path == CLI_PS:
            return Plain(encode([shapes.cli_entry(instance) for instance in self.memory.all()]))
        return shapes.unexpected(call)

    def _of(self, key: str) -> list[Instance]:
        return [instance for instance in self.memory.all() if instance.key == key]

    def _load_by_hand(self, call: ReceivedCall) -> Plain | Later:
        key, body = call.model, call.fields
        if not key:
            return error(400, '"model" is required', "invalid_request", "model", "missing_required_parameter")
        if key not in self.models:
            return error(404, f'Model "{key}" not found', "model_not_found", "model")
        settings = Settings(body.get("context_length"), body.get("parallel"))
        if call.path == CLI_LOAD:
            settings = msgspec.structs.replace(settings, ttl=body.get("ttl"), name=body.get("identifier"))
        try:
            instance = self.memory.load_now(key, settings)
        except Refused as refused:
            return error(500, str(refused), "internal_error")
        return self._loaded_later(call, settings) if instance is None else self._loaded(call, instance)

    @asynccontextmanager
    async def _loaded_later(self, call: ReceivedCall, settings: Settings) -> AsyncIterator[Reply]:
        try:
            yield self._loaded(call, await self.memory.load(call.model, settings))
        except Refused as refused:
            yield error(500, str(refused), "internal_error")

    def _loaded(self, call: ReceivedCall, instance: Instance) -> Plain:
        kind = "embedding" if instance.model.kind == "embedding" else "llm"
        took = instance.loaded_in or 0.25
        body = {"type": kind, "instance_id": instance.id, "load_time_seconds": took, "status": "loaded"}
        if call.fields.get("echo_load_config") is True:
            body["load_config"] = shapes.config(instance)
        return Plain(encode(body))

    def _unload_by_hand(self, call: ReceivedCall) -> Plain:
        name = str(call.fields.get("instance_id"))
        if not self.memory.unload(name):
            return error(404, f'Instance "{name}" not found', "model_not_found", "instance_id")
        return Plain(encode({"instance_id": name}))

    def _download(self, call: ReceivedCall) -> Plain:
        quantization = call.fields.get("quantization")
        names = [f"{call.model}@{str(quantization).lower()}", call.model] if quantization else [call.model]
        if any(name in self.models for name in names):
            return Plain(encode({"status": "already_downloaded"}))
        key = next((name for name in names if name in self.library), None)
        if key is None:
            return error(404, f'Model "{call.model}" not found', "model_not_found", "model")
        return Plain(encode(shapes.started(self.downloads.start(key, self.library[key]))))

    # errors

    def _refusal(self, call: ReceivedCall, fault: Fault) -> Reply:
        match fault.kind:
            case FaultKind.CONTEXT_OVERFLOW:
                here = self.memory.of(call.model)
                window = here[0].context if here else 4096
                return shapes.overflow(
                    fault.text, window + count_prompt(call), window, streamed=self.streams(call)
                )
            case FaultKind.INVALID_REQUEST:
                return text_error(f"'{fault.text}' is not supported")
            case FaultKind.STATUS_200_ERROR_BODY:
                return shapes.unexpected(call)
            case FaultKind.OVERLOADED:
                return error(503, "The server is busy", "internal_error")
        return error(500, _CRASHED, "internal_error")
