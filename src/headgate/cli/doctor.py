"""`headgate doctor`: check everything; every failed line ends with the command that repairs it."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from headgate.cli.common import put, put_json, with_config, with_json

if TYPE_CHECKING:
    from headgate.cli.survey import Seen
    from headgate.config.compile import Config
    from headgate.core.types import Model

LEAST_DISK = 200 * 1024 * 1024
"""Bytes that should be free where the ledger grows."""

BROKEN_FILE = "download the file again, or name another one"


class Finding(Struct, frozen=True):
    """One check: what was found, what is required, and the command that repairs it."""

    name: str
    ok: bool
    found: str
    required: str
    fix: str = ""


@click.command("doctor")
@with_config
@with_json
def command(config_file: str | None, *, as_json: bool) -> None:
    """Check config, ledger, port, engines, models, keys and prices. Nothing is spent. Exit 0 only if all is well."""
    findings = examine(config_file)
    well = all(finding.ok for finding in findings)
    if as_json:
        put_json({"ok": well, "checks": findings})
    else:
        for finding in findings:
            put(draw(finding))
        put(f"\n{summary(len(findings), sum(not finding.ok for finding in findings))}")
    if not well:
        raise click.exceptions.Exit(1)


def summary(checks: int, wrong: int) -> str:
    """The last line."""
    from headgate.reports.shown import count

    if not wrong:
        return f"all {checks} checks pass"
    return f"{count(wrong, 'check')} of {checks} {'fails' if wrong == 1 else 'fail'}"


def draw(finding: Finding) -> str:
    """One line, two when something is to be done."""
    line = f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.found}"
    if finding.ok:
        return line
    return f"{line}; required: {finding.required}" + (f"\n      fix: {finding.fix}" if finding.fix else "")


def passed(name: str, found: str) -> Finding:
    """A check that found nothing wrong."""
    return Finding(name, True, found, "")


def failed(name: str, found: str, required: str, fix: str = "") -> Finding:
    """A check that found something wrong."""
    return Finding(name, False, found, required, fix)


def examine(config_file: str | None) -> list[Finding]:
    """All checks, in the order in which things depend on each other."""
    from headgate.config.load import load_config
    from headgate.core.errors import ConfigError

    try:
        config = load_config(config_file)
    except ConfigError as error:
        return [failed("config", error.message, "a page that can be read", error.hint)]  # a value
    from headgate.cli.survey import survey

    source = str(config.source) if config.source else "none, so the starter page serves"
    findings = [
        Finding("config", config.source is not None, source, "a headgate.toml of your own", "headgate init")
    ]
    findings += [check_disk(config.ledger.path), check_ledger(config.ledger.path), check_port(config)]
    seen = asyncio.run(survey(config))
    for one in seen.values():
        findings.append(check_engine(one))
    findings += check_models(config, seen)
    findings += check_prices(config)
    return findings


def check_disk(path: Path) -> Finding:
    """Room for the ledger, in a folder that we may write."""
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        return failed("disk", f"{folder} cannot be written", "a folder of yours", "set [ledger] path")
    free = shutil.disk_usage(folder).free
    return Finding(
        "disk",
        free >= LEAST_DISK,
        f"{free / 1e9:,.1f} GB free under {folder}",
        f"{LEAST_DISK / 1e6:,.0f} MB",
        "make room, or set [ledger] path",
    )


def check_ledger(path: Path) -> Finding:
    """A ledger that can be read, of our version."""
    from headgate.core.errors import LedgerError
    from headgate.ledger.queries import LedgerReader
    from headgate.reports.shown import count

    if not path.exists():
        return passed("ledger", f"none yet; it will be {path}")
    try:
        with LedgerReader(path) as reader:
            return passed("ledger", f"{count(reader.last_number(), 'request')} in {path}")
    except LedgerError as error:
        return failed("ledger", error.message, "a readable ledger", error.hint)


def check_port(config: "Config") -> Finding:
    """The gate's port: ours already, or free."""
    from headgate.app import bind
    from headgate.cli.runfile import find_gate
    from headgate.core.errors import UsageError

    run = find_gate()
    if run is not None:
        return passed("port", f"the gate is open at {run.url}")
    try:
        bind(config.host, config.port).close()
    except UsageError as error:
        return failed("port", error.message, "a free port", "headgate up --listen 127.0.0.1:0")
    return passed("port", f"{config.host}:{config.port} is free")


FIXES = {
    "ollama": "start it with `ollama serve`; to install it on Linux: curl -fsSL https://ollama.com/install.sh | sh",
    "lmstudio": "start its server with `lms server start --port 1234`; LM Studio comes from https://lmstudio.ai",
    "openai_compatible": "start that server, or correct its url in the config",
}
"""How to repair an engine of this kind that does not answer; paid ones and the embedded one have no single way."""


def repair(kind: str, url: str | None) -> str:
    """How to repair an engine that does not answer; "" when that depends on its models."""
    if kind != "llamacpp":
        return FIXES.get(kind, "")
    if url is not None:
        return FIXES["openai_compatible"]
    from headgate.engines.llamacpp.readiness import check

    error = check()
    return error.hint if error else ""


def check_engine(one: "Seen") -> Finding:
    """An engine that answers; a paid one with a key that is accepted."""
    if one.health.up:
        where = f" at {one.url}" if one.url else " in a child process"
        return passed(f"engine {one.name}", f"up{where} {one.health.version}".rstrip())
    fix = repair(one.kind, one.url) or "correct its models; each has a line of its own below"
    if one.kind in ("openai", "anthropic"):
        name = "ANTHROPIC_API_KEY" if one.kind == "anthropic" else "OPENAI_API_KEY"
        fix = (
            f"export {name}=…, the variable that the config names"
            if not one.has_key
            else "check the key and the network"
        )
    return failed(
        f"engine {one.name}", one.health.detail or "it does not answer", "an engine that answers", fix
    )


def check_models(config: "Config", seen: dict[str, "Seen"]) -> list[Finding]:
    """Every model is there on its engine, if that can be told."""
    from headgate.cli.survey import is_there

    findings = []
    for model in config.policy.models.values():
        one = seen[model.engine]
        if one.kind == "llamacpp" and one.url is None:
            findings.append(check_file(model, one))
            continue
        listed = one.models
        if listed is None:
            continue
        ok = is_there(model, listed)
        fix = {"ollama": f"ollama pull {model.id}", "lmstudio": f"lms get {model.id}"}.get(
            model.engine_kind, "correct its id in the config"
        )
        found = f"{model.id} is {'there' if ok else 'not'} on {model.engine}"
        findings.append(Finding(f"model {model.name}", ok, found, "a model that its engine has", fix))
    return findings


def check_file(model: "Model", one: "Seen") -> Finding:
    """An embedded model: a GGUF file that can be read, and that the engine's child could load."""
    from headgate.core.errors import EngineError
    from headgate.engines.llamacpp.catalogue import examine as examine_file

    name, required = f"model {model.name}", "a GGUF file that llama.cpp can load"
    file = examine_file(model.id)
    if isinstance(file, EngineError):
        return failed(name, file.message, required, file.hint)
    loaded = next((listed.loaded for listed in one.models or () if listed.id == model.id), None)
    if loaded is not False and not (loaded is None and model.id in one.health.detail):
        return passed(name, f"{file.path} is there" + (f" and {one.name} has loaded it" if loaded else ""))
    why = one.health.detail.partition(f"{model.id}: ")[2].partition("; ")[0]
    return failed(
        name, f"{model.id} could not be loaded" + (f": {why}" if why else ""), required, BROKEN_FILE
    )


def check_prices(config: "Config") -> list[Finding]:
    """A known price for every paid model and for the baseline: unknown is not zero."""
    unknown = [name for name, model in config.policy.models.items() if model.price is None]
    findings = [
        Finding(
            "prices",
            not unknown,
            f"unknown for {', '.join(unknown)}" if unknown else "known for every model",
            "a price per model",
            "write price = { input = …, output = … } under the model",
        )
    ]
    base = config.baseline_price
    found = (
        f"{config.policy.baseline} at ${base.input:g}/${base.output:g} per million tokens"
        if base
        else "its price is unknown"
    )
    return [
        *findings,
        Finding("baseline", base is not None, found, "a known price", 'set [report] baseline = "gpt-4o"'),
    ]
