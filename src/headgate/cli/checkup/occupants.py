"""Checks of what is in an engine's memory: is it ours, and is it on the GPU?"""

from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, failed, listed, passed, warned
from headgate.core.types import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.cli.checkup.world import World
    from headgate.core.engine import LoadedModel
    from headgate.core.types import Model


async def check_loaded(world: "World", name: str) -> list[Finding]:
    """Nothing in memory but what the config names, as the config names it."""
    if not (await world.met(name)).health.up:
        return []
    loaded = await world.loaded(name)
    if loaded is None:
        return []
    if isinstance(loaded, Failure):
        fix = f"headgate engines status {name}"
        return [failed("loaded", loaded.detail, "an engine that says what is in its memory", fix, about=name)]
    models = [model for model in world.config.policy.models.values() if model.engine == name]
    return judge_loaded(name, loaded, models)


def judge_loaded(name: str, loaded: "Sequence[LoadedModel]", models: "Sequence[Model]") -> list[Finding]:
    """Who else uses it."""
    from headgate.cli.survey import find_listed
    from headgate.core.engine import ListedModel

    findings = []
    for one in loaded:
        ours = [model for model in models if find_listed(model.id, (ListedModel(id=one.id),))]
        windows = sorted({model.context for model in ours if model.context is not None})
        if not ours:
            found = f"{one.id} is in its memory, which the config does not name"
            fix = f"headgate models unload {one.id} --engine {name}"
        elif windows and one.context not in (None, *windows):
            found = f"{ours[0].name} is loaded with {one.context:,} tokens, which is none of its contexts"
            fix = (
                f"headgate models load {ours[0].name}  # and give the other program a context of {windows[0]}"
            )
        else:
            continue
        findings.append(
            warned("loaded", found, "no other program or gate that uses this engine", fix, about=name)
        )
    there = listed([one.id for one in loaded]) if loaded else "nothing"
    return findings or [
        passed(
            "loaded",
            f"{there} is in its memory" if len(loaded) < 2 else f"{there} are in its memory",
            about=name,
        )
    ]


async def check_gpu(world: "World", name: str) -> list[Finding]:
    """What is loaded is on the GPU, if there is one."""
    if not (await world.met(name)).health.up:
        return []
    loaded = await world.loaded(name)
    if loaded is None or isinstance(loaded, Failure):
        return []
    program = await world.program(name)
    boxed = "container" in (await world.hardware()).inside or (program and program.started_by == "container")
    fix = (
        "nvidia-smi  # if the driver works, start the container with --gpus all"
        if boxed
        else f"nvidia-smi && headgate engines stop {name} && headgate engines start {name}"
    )
    seen = {one.id: one for one in (*loaded, *world.proven.get(name, ()))}
    return [judge_gpu(name, list(seen.values()), fix, has_gpu=await world.has_gpu())]


def judge_gpu(name: str, loaded: "Sequence[LoadedModel]", fix: str, *, has_gpu: bool) -> Finding:
    """How much of each model is on a GPU."""
    if not has_gpu:
        return passed("gpu", "there is no GPU, so models run on the CPU", about=name)
    told = [(one.id, one.vram / one.memory) for one in loaded if one.vram is not None and one.memory]
    if not told:
        why = "nothing is loaded; --deep loads" if not loaded else "it does not say where its models are"
        return passed("gpu", why, about=name)
    off = [model for model, share in told if share == 0]
    partly = [f"{share:.0%} of {model}" for model, share in told if 0 < share < 1]
    if off:
        return failed("gpu", f"nothing of {listed(off)} is on the GPU", "all of it there", fix, about=name)
    if partly:
        smaller = "headgate models plan  # computes smaller contexts, or fewer at a time"
        return warned("gpu", f"only {listed(partly)} is on the GPU", "all of it there", smaller, about=name)
    return passed("gpu", f"all of {listed([model for model, _ in told])} is on the GPU", about=name)
