"""Every check that there is: what it looks at, and what makes it fail or warn. docs/doctor.md has the same table."""

from msgspec import Struct


class Kind(Struct, frozen=True, kw_only=True):
    """One check, in the words of its documentation."""

    looks_at: str
    fails: str = ""
    """When; "" is never."""
    warns: str = ""


KINDS = {
    "config": Kind(looks_at="headgate.toml", fails="it cannot be read, or there is none of your own"),
    "secrets": Kind(
        looks_at="who may read headgate.toml, where it holds headers",
        warns="other users of this machine may",
    ),
    "hardware": Kind(
        looks_at="GPUs, drivers, memory, processor",
        fails="a card that is there cannot be used: it fell off its bus, driver and library differ, a permission is missing",
    ),
    "memory": Kind(
        looks_at="whether the models fit, alone and together, by the memory plan",
        fails="a model fits nowhere",
        warns="a model does not fit the GPU whole, or the models push each other out",
    ),
    "disk": Kind(
        looks_at="room for the ledger and for each engine's models",
        fails="less than 200 MB for the ledger, a folder that cannot be written, or models that are missing and have no room",
        warns="less than 1 GB for models",
    ),
    "clock": Kind(
        looks_at="this machine's clock beside those of engines elsewhere; the time zone",
        warns="they differ by more than a minute, or no time zone is set",
    ),
    "ledger": Kind(
        looks_at="whether it can be read, its version, its integrity",
        fails="it is damaged, another program's, or of a newer Headgate",
        warns="it is of an older Headgate",
    ),
    "port": Kind(
        looks_at="where the gate listens",
        fails="another program has the port, or callers need a key and there is none",
        warns="other machines reach the gate, and keys are optional",
    ),
    "engine": Kind(
        looks_at="whether it answers as what it is said to be",
        fails="it does not, or something else answers there",
        warns="it does not, and no model of the config is on it",
    ),
    "key": Kind(
        looks_at="keys of engines elsewhere, by their list of models, which costs nothing",
        fails="there is none, or it is not accepted",
    ),
    "version": Kind(
        looks_at="Ollama from 0.12.11, LM Studio from 0.4",
        fails="an older Ollama, which cuts prompts in silence",
        warns="an older LM Studio, which cannot load models on demand",
    ),
    "settings": Kind(
        looks_at="each setting as wanted and as found, as in `headgate engines status`",
        fails="parallel, loaded models, cache or port are not as wanted",
        warns="a setting for callers beside the gate is not as wanted",
    ),
    "exposed": Kind(
        looks_at="at which addresses engines of this machine listen",
        warns="other machines reach one, which has no login",
    ),
    "cloud": Kind(
        looks_at="models of local engines that run on somebody else's machines",
        warns="there is one: what it is asked leaves this machine",
    ),
    "loaded": Kind(
        looks_at="what is in memory that the config does not name",
        fails="the engine does not say what is in its memory",
        warns="something is: another program or another gate uses the engine",
    ),
    "gpu": Kind(
        looks_at="where the loaded models are",
        fails="none of a model is on the GPU, and there is one",
        warns="a part of a model is not",
    ),
    "model": Kind(
        looks_at="whether its engine has it",
        fails="it does not, or its file is broken",
        warns="the engine does not say what it has",
    ),
    "context": Kind(
        looks_at="whether the configured context is real; with `--deep`, by a prompt that nearly fills it",
        fails="with `--deep`: the prompt is cut or refused",
        warns="none is configured on Ollama, more than the model was trained for, or the engine does not count prompts",
    ),
    "load": Kind(
        looks_at="with `--deep`: whether it can be loaded with its context, and answers",
        fails="it cannot, or does not",
    ),
    "cards": Kind(
        looks_at="what was measured of the models",
        warns="a model has changed since it was measured",
    ),
    "prices": Kind(looks_at="the price of each model", fails="one is unknown"),
    "reports": Kind(
        looks_at="who is sent reports and alerts; nothing is sent",
        fails="a target stands for nothing, or something could not be sent and waits",
    ),
    "audits": Kind(
        looks_at="which share of requests is looked at again, how many wait, and whether what is kept for it can be sealed and opened",
        fails="the key is not there or is none, or what was sealed cannot be opened any more",
    ),
    "judge": Kind(
        looks_at="where audits are on: the model that compares answers, as far as it was tried on pairs of known truth",
        warns="it does not tell good answers from bad ones well enough to be trusted",
    ),
    "energy": Kind(
        looks_at="whether anything tells what this machine draws for models at home, and what a kilowatt-hour costs",
        warns="a price for energy is set and nothing tells how much is drawn, or a sensor that the config wants cannot be read",
    ),
    "baseline": Kind(looks_at="the price of what savings are measured against", fails="it is unknown"),
}
