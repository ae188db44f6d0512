"""Checks that load models and ask them: what no list can tell.

Silent truncation is found by the engine's own count of a prompt that nearly fills the window. How many tokens its tokenizer
makes of our words is measured first, by two short prompts, so the long one fits any model's window and its count is expected.
"""

from time import perf_counter
from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, failed, passed, warned
from headgate.core.engine import LoadedModel, ManagedEngine
from headgate.core.types import Failure, Message, Reply, Request

if TYPE_CHECKING:
    from headgate.cli.checkup.world import World
    from headgate.core.types import Model

QUESTION = "Answer with the word yes and nothing else."
WORDS = ("apple", "river", "stone", "green", "house", "paper", "light", "water", "table", "cloud")
"""Common words of one token each in every tokenizer that we know."""
SHORT = 400
"""Words of the longer of the two prompts that the tokens of a word are measured by."""
FILLED = 0.9
"""The share of the window that the long prompt takes."""
ANSWER = 64
"""Tokens for the answer."""
LOST = 0.9
"""Below this share of the expected count, a part of the prompt was not read."""
EMBEDDED = "if memory is short, write a smaller context; if not, download the file again, or name another one"
"""What to do about an embedded model that is not loaded."""
ONE_ANSWER = 120.0
"""Seconds for a short answer."""


async def check_load(world: "World", model: "Model") -> list[Finding]:
    """It can be loaded with its context, and answers."""
    engine, settings = world.engines[model.engine], world.config.engines[model.engine]
    await world.loaded(model.engine)  # what is there before, so that it stays
    await world.start_embedded()
    begun = perf_counter()
    loaded: LoadedModel | Failure | None = None
    if isinstance(engine, ManagedEngine):
        loaded = await engine.load(model.id, model.context, parallel=None, within=settings.load_within)
    took = perf_counter() - begun
    if isinstance(loaded, Failure):
        return [judge_load(model, loaded, None, took)]
    if loaded is not None:
        world.proven.setdefault(model.engine, []).append(loaded)
    request = Request(
        id="doctor",
        asked="doctor",
        kind=model.kind,
        messages=(Message("user", QUESTION),),
        max_tokens=ANSWER if model.kind == "chat" else None,
        local_only=True,
    )
    ask = engine.chat if model.kind == "chat" else engine.embed
    return [judge_load(model, loaded, await ask(request, model, ONE_ANSWER), took)]


def judge_load(
    model: "Model", loaded: LoadedModel | Failure | None, answer: Reply | Failure | None, took: float
) -> Finding:
    """Whether it came to an answer."""
    from headgate.cli.models_words import size, span, tokens

    required = "a model that loads and answers"
    for step, result in (("is not loaded", loaded), ("does not answer", answer)):
        if isinstance(result, Failure):
            usual = f"headgate engines test {model.engine}  # its own log says more"
            fix = result.hint or (EMBEDDED if model.engine_kind == "llamacpp" else usual)
            found = f"{model.id} {step}: {result.detail} ({result.reason})"
            return failed("load", found, required, fix, about=model.name)
    facts = "it answers"
    if isinstance(loaded, LoadedModel):
        memory = f", {size(loaded.memory)} of memory" if loaded.memory is not None else ""
        facts = f"loaded with {tokens(loaded.context)} tokens in {span(took)}{memory}; it answers"
    return passed("load", facts, about=model.name)


async def check_real_context(world: "World", model: "Model") -> list[Finding]:
    """A prompt that nearly fills its window is read whole."""
    from secrets import token_hex

    engine = world.engines[model.engine]
    window = model.context or window_of(world, model)
    if window is None:
        found = f"neither the config nor {model.engine} says how many tokens {model.id} takes"
        fix = f"write context = 8192 under [models.{model.lane_of or model.name}]"
        return [warned("context", found, "a known context", fix, about=model.name)]
    marker = token_hex(4)
    short = min(SHORT, window // 4)
    counts = []
    for number, words in enumerate((short // 2, short)):
        reply = await engine.chat(probe(f"{marker}-{number}", words), model, ONE_ANSWER)
        if isinstance(reply, Failure) or not reply.usage.exact:
            return [judge_context(model, window, 0, 0.0, reply)]
        counts.append(reply.usage.prompt)
    each = (counts[1] - counts[0]) / (short - short // 2)
    if each <= 0:
        return [judge_context(model, window, 0, 0.0, reply)]
    around = counts[1] - short * each  # what the model's template puts around a prompt, and the question
    words = int((window * FILLED - ANSWER - around) / each)
    within = world.config.engines[model.engine].load_within
    reply = await engine.chat(probe(f"{marker}-2", words), model, within)
    return [judge_context(model, window, words, around + words * each, reply)]


def window_of(world: "World", model: "Model") -> int | None:
    """The tokens that it was loaded with, where the config does not say."""
    from headgate.cli.survey import find_listed
    from headgate.core.engine import ListedModel

    for one in world.proven.get(model.engine, ()):
        if find_listed(model.id, (ListedModel(id=one.id),)):
            return one.context
    return None


def probe(marker: str, words: int) -> Request:
    """A prompt of so many words behind a marker that no cache knows, so that all of it is read."""
    filler = " ".join(WORDS[number % len(WORDS)] for number in range(words))
    text = f"{marker} {filler}\n\nWhich word is the very first one above? Answer with it and nothing else."
    return Request(
        id="doctor",
        asked="doctor",
        messages=(Message("user", text),),
        max_tokens=ANSWER,
        temperature=0.0,
        local_only=True,
    )


def judge_context(
    model: "Model", window: int, words: int, expected: float, reply: Reply | Failure
) -> Finding:
    """Whether the engine read all of it.

    Args:
        model: that was asked.
        window: tokens that it should have.
        words: of the prompt.
        expected: tokens of the prompt, by this engine's own count of a short one.
        reply: the answer; of the short prompt, where that was not counted.
    """
    table = f"[models.{model.lane_of or model.name}]"
    required = f"{window:,} tokens that are real"
    fix = {
        "ollama": f"headgate models load {model.name}  # headgate models ps shows the context that it has",
        "lmstudio": f"headgate models load {model.name}  # gives it the context",
    }.get(model.engine_kind, f"give the server that context, or write the one that it has under {table}")
    if isinstance(reply, Failure):
        return failed(
            "context", f"{reply.detail} ({reply.reason})", required, reply.hint or fix, about=model.name
        )
    counted = reply.usage.prompt
    if not words:
        found = f"{model.engine} does not count the tokens of a prompt, so a cut one would not show"
        return warned("context", found, "an engine that counts", fix, about=model.name)
    if counted < LOST * expected:
        found = f"of a prompt of {expected:,.0f} tokens only {counted:,} were read, and nothing was said"
        return failed("context", found, required, fix, about=model.name)
    return passed("context", f"a prompt of {counted:,} of {window:,} tokens was read whole", about=model.name)


async def put_back(world: "World", name: str) -> list[Finding]:
    """Unload what was loaded only to be checked, unless a gate is open, which looks after its engines."""
    engine, before = world.engines[name], await world.loaded(name)
    loaded = {one.id for one in world.proven.get(name, ())}
    if not isinstance(engine, ManagedEngine) or not isinstance(before, tuple) or await world.gate_is_open():
        return []
    findings = []
    for one in sorted(loaded - {there.id for there in before}):
        failure = await engine.unload(one)
        if failure is not None:
            found = f"{one} was loaded to be checked, and stays in memory: {failure.detail}"
            fix = f"headgate models unload {one} --engine {name}"
            findings.append(warned("loaded", found, "the memory as it was before", fix, about=name))
    return findings
