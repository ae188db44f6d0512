"""The fleet as a value, for `/admin/fleet` and the commands that show it: what is loaded, who waits, how much memory is left.

Callers are shown as numbers, because what tells them apart may be a key. It does not know HTTP.
"""

from time import monotonic
from typing import Any

from headgate.fleet.fleet import Fleet
from headgate.fleet.lanes import Lane


def describe_fleet(fleet: Fleet) -> dict[str, Any]:
    """Everything that the scheduler goes by, at this moment. Bytes and seconds; None is unknown."""
    scheduler, now = fleet.admission.scheduler, monotonic()
    return {
        "engines": {
            name: {
                "up": name not in fleet.down,
                "detail": fleet.down.get(name, ""),
                "managed": name in fleet.pools,
                "slots": scheduler.slots[name],
                "running": scheduler.running[name],
                "foreign_memory": scheduler.foreign[name],
            }
            for name in fleet.engines
        },
        "memory": {
            name: {"capacity": pool.capacity, "free": scheduler.free(name)}
            for name, pool in scheduler.pools.items()
        },
        "lanes": [describe_lane(fleet, lane, now) for lane in scheduler.lanes.values()],
    }


def describe_lane(fleet: Fleet, lane: Lane, now: float) -> dict[str, Any]:
    """One model with one context."""
    scheduler = fleet.admission.scheduler
    return {
        "model": lane.name,
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
        "left_alone": lane.name in fleet.troubled and fleet.breakers[lane.name].is_open(now),
    }
