"""`headgate config`: check · show · path · schema."""

from typing import Any

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json


@click.group("config")
def command() -> None:
    """Check and show the config."""


@command.command("check")
@with_config
@with_json
def check(config_file: str | None, *, as_json: bool) -> None:
    """Read the config as the gate would, and say what is wrong with it."""
    config = load(config_file)
    if any(agent.tools for agent in config.policy.agents.values()):
        from headgate.workers.tools import load_all_tools

        load_all_tools(config.policy.agents, config.source)
    notes = [
        f"the price of {name} is unknown, so its cost and savings will be"
        for name, model in config.policy.models.items()
        if model.price is None
    ]
    notes += (
        [f"the price of the baseline {config.policy.baseline} is unknown, so there will be no savings figure"]
        if config.baseline_price is None
        else []
    )
    notes += [
        f"{name} has no key yet"
        for name, engine in config.engines.items()
        if engine.key is None and engine.kind in ("openai", "anthropic")
    ]
    if as_json:
        put_json({"ok": True, "file": config.source, "notes": notes, **counts(config)})
        return
    for note in notes:
        say(f"note: {note}")
    from headgate.reports.shown import count

    there = {name: number for name, number in counts(config).items() if number}
    found = ", ".join(count(number, name.removesuffix("s")) for name, number in there.items())
    put(f"{config.source or 'the starter page'} is right: {found}")


@command.command("show")
@with_config
@with_json
def show(config_file: str | None, *, as_json: bool) -> None:
    """Show the config as it is used, with defaults filled in and secrets left out."""
    config = load(config_file)
    value = plain(config)
    if as_json:
        put_json(value)
        return
    import tomlkit

    put(tomlkit.dumps(without_none(value)).rstrip())


@command.command("path")
@with_config
@with_json
def path(config_file: str | None, *, as_json: bool) -> None:
    """Say which file is read, and which would be."""
    from headgate.config.places import config_places, data_home, find_config

    found = find_config(config_file)
    if as_json:
        put_json({"file": found, "looked_for": config_places(), "data": data_home()})
    elif found is not None:
        put(str(found))
    else:
        say(f"note: none of these exists, so the starter page serves: {', '.join(map(str, config_places()))}")
        put(str(config_places()[0]))


@command.command("schema")
@with_config
@with_json
def schema(config_file: str | None, *, as_json: bool) -> None:
    """Print the JSON Schema of headgate.toml, for editors."""
    import msgspec

    from headgate.config.schema import FileTable

    del config_file, as_json  # a schema is JSON either way, and does not depend on a file
    put_json(msgspec.json.schema(FileTable))


def counts(config: Any) -> dict[str, int]:
    """How much there is."""
    return {
        "engines": len(config.engines),
        "models": len(config.policy.named),
        "routes": len(config.policy.routes),
        "agents": sum(not agent.builtin for agent in config.policy.agents.values()),
    }


def plain(config: Any) -> dict[str, Any]:
    """The config as plain values, without secrets."""
    import msgspec

    engines = {
        name: {
            **msgspec.to_builtins(engine),
            "key": "set" if engine.key else None,
            "headers": dict.fromkeys(engine.headers, "set"),
        }
        for name, engine in config.engines.items()
    }
    policy = msgspec.to_builtins(config.policy, enc_hook=lambda value: msgspec.json.decode(bytes(value)))
    return {
        "source": str(config.source) if config.source else None,
        "listen": f"{config.host}:{config.port}",
        "ledger": str(config.ledger.path),
        "keep_bodies": config.ledger.keep_bodies,
        "keys": "required" if config.keys_required else "optional",
        "budgets": msgspec.to_builtins(config.budgets),
        "engines": engines,
        **policy,
    }


def without_none(value: Any) -> Any:
    """TOML has no null: what is unknown is left out."""
    if isinstance(value, dict):
        return {str(key): without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value if item is not None]
    return value
