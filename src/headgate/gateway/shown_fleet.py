"""The fleet as a value, for `/admin/fleet` and the commands that show it: what is loaded, who waits, how much memory is left.

Callers are shown as numbers, because what tells them apart may be a key. It does not know HTTP.
"""

from time import monotonic, time
from typing import Any

import msgspec

from headgate.core.cards import Card, fresh_cards
from headgate.fleet.fleet import Fleet
from headgate.fleet.lanes import Lane
from headgate.fleet.sizes import GPU


def describe_fleet(fleet: Fleet) -> dict[str, Any]:
    """Everything that the scheduler goes by, at this moment. Bytes and seconds; None is unknown."""
    scheduler, now = fleet.admission.scheduler, monotonic()
    cards = fresh_cards(fleet.models.values(), fleet.before.cards, fleet.listed)
    return {
        "now": time(),
        "engines": {
            name: {
                "kind": fleet.settings[name].kind,
                "local": fleet.settings[name].local,
                "looked_at": fleet.settings[name].local,
                "version": fleet.health[name].version if name in fleet.health else "",
                "up": name not in fleet.down,
                "detail": fleet.down.get(name, ""),
                "managed": name in fleet.pools,
                "slots": scheduler.slots[name],
                "running": scheduler.running[name],
                "waiting": sum(
                    [len(lane.waiting) for lane in scheduler.lanes.values() if lane.engine == name]
                ),
                "foreign_memory": scheduler.foreign[name],
            }
            for name in fleet.engines
        },
        "memory": {
            name: {"capacity": pool.capacity, "free": scheduler.free(name), "of": machine_of(fleet, name)}
            for name, pool in scheduler.pools.items()
        },
        "lanes": [
            describe_lane(fleet, lane, cards.get((lane.engine, lane.weights)), now)
            for lane in scheduler.lanes.values()
        ],
        "moved": [msgspec.to_builtins(moved) for moved in reversed(fleet.admission.moved)],
    }


def machine_of(fleet: Fleet, pool: str) -> str:
    """What a memory is the memory of, for people; "" where nobody has looked."""
    if fleet.memory is None:
        return ""
    if pool == GPU:
        return ", ".join(gpu.name for gpu in fleet.memory.hardware.gpus)
    return "main memory"


def describe_lane(fleet: Fleet, lane: Lane, card: Card | None, now: float) -> dict[str, Any]:
    """One model with one context; what was measured of it, if anything was."""
    scheduler, model, breaker = fleet.admission.scheduler, fleet.models[lane.name], fleet.breakers[lane.name]
    return {
        "model": lane.name,
        "kind": model.kind,
        "local": model.local and (model.engine, model.id) not in fleet.remote,
        "label": model.label,
        "engine": lane.engine,
        "id": lane.weights,
        "context": lane.context,
        "state": "unmanaged" if lane.pool is None else "draining" if lane.draining else lane.state,
        "for_seconds": None if lane.pool is None else now - lane.since if lane.since else None,
        "memory": lane.memory or None,
        "pool": lane.pool,
        "slots": lane.slots,
        "running": lane.running,
        "waiting": len(lane.waiting),
        "waiting_by_caller": sorted([many for _, many in lane.waiting.callers()], reverse=True),
        "expected_wait": scheduler.expected_wait(lane.name, "", now),
        "use": lane.use(now),
        "service_seconds": lane.service,
        "load_seconds": lane.load_seconds or None,
        "why_not": lane.why_not,
        "left_alone": lane.name in fleet.troubled and breaker.is_open(now),
        "left_alone_seconds": max(0.0, max(breaker.open_until, breaker.trial_until) - now),
        "failures": breaker.failures,
        "card": None
        if card is None
        else {
            "measured": card.measured,
            "machine": card.machine,
            "speed": card.speed,
            "prompt_speed": card.prompt_speed,
            "first_token_warm": card.first_token_warm,
            "texts_speed": card.texts_speed,
        },
    }
