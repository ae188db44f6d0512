"""Who may come in, and who may look behind the counter.

Callers show a key as `Authorization: Bearer` or `x-api-key`. Where keys are optional, whoever shows none of ours is nobody in
particular; what claims to be ours and is not is refused everywhere. What is not for every caller (fleet, metrics, the page) takes
an admin key, or a gate that listens on this machine alone and lets its user do without.
"""

from ipaddress import ip_address

from headgate.config.values import is_loopback
from headgate.gateway.caller import Call
from headgate.gateway.keys import ANYBODY, OWN, Holder, Keys, looks_like_ours, shown_key
from headgate.gateway.refusals import THIS_MACHINE
from headgate.gateway.services import ADMIN
from headgate.wire.faults import Fault

METRICS = "/metrics"

FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})
"""With these, a proxy or a tunnel on this machine says that it asks for somebody else."""

PRIVATE = (".localhost", ".internal")
"""How names end that nobody can make lead here: the first is always this machine, the second belongs to no registry."""

HINT = "send it as `Authorization: Bearer hg-…`, or as `x-api-key`; headgate keys create NAME makes one"


class Entrance:
    """Admits callers.

    Args:
        keys: the keys there are.
        required: whether callers need one.
        alone: the gate listens on this machine alone.
    """

    def __init__(self, keys: Keys, *, required: bool, alone: bool) -> None:
        self.keys = keys
        self.required = required
        self.alone = alone

    async def admit(self, call: Call) -> Holder | Fault:
        """Who calls, or why he may not come in."""
        shown = shown_key(call.headers)
        if shown:
            found = await self.keys.find(shown) if self.required or looks_like_ours(shown) else ANYBODY
            if found is not None:
                return found
            return unknown_key(revoked=self.keys.was_revoked(shown))
        found = self.keys.by_session(call.headers)
        if found is not None:
            return found
        return missing_key() if self.required else ANYBODY

    def inside(self, name: str) -> Holder | Fault:
        """Who asks through a batch of his that the gate works through by itself: the holder of the key of that name."""
        if name == OWN:
            return ANYBODY
        found = self.keys.named(name)
        if found is not None:
            return found
        if name:
            return unknown_key(revoked=True)
        return missing_key() if self.required else ANYBODY

    def administers(self, call: Call, holder: Holder) -> Fault | None:
        """Why a caller may not use what only admins may; None: he may.

        Without keys, a gate that listens on this machine alone is its user's. Then the name that he calls it by must be this
        machine's too: a page of somebody else's whose name suddenly leads here would read along. Whoever comes by a proxy is not
        on this machine.
        """
        if holder.admin:
            return None
        here = (self.alone or is_loopback(call.address)) and FORWARDED.isdisjoint(call.headers)
        if self.required or not here:
            return no_admin(holder)
        return None if holder.name else foreign_name(call)

    def shows(self, call: Call, holder: Holder) -> Fault | None:
        """Why a caller may not see what callers leave here (files, batches, knowledge bases); None: he may.

        A browser names no origin when a page only looks at its own site. So where nobody shows a key, the name has to tell.
        """
        return foreign_name(call) if self.alone and holder is ANYBODY else None


def is_for_admins(path: str) -> bool:
    """Whether a path of the gate's own is for admins."""
    return path.startswith(ADMIN) or path == METRICS


def foreign_name(call: Call) -> Fault | None:
    """Refuse a caller who calls the gate by a name that anybody may have made to lead here."""
    host = call.headers.get(b"host", b"localhost").decode("latin-1")
    return None if is_address(host) else strange_host()


def is_address(host: str) -> bool:
    """Whether a `host` header is an address or names this machine, and not a name that anybody can give to any address."""
    bare = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    bare = bare.strip("[]")
    if bare in THIS_MACHINE or bare.lower().endswith(PRIVATE):
        return True
    try:
        ip_address(bare)
    except ValueError:
        return False
    return True


def missing_key() -> Fault:
    """No key where one is needed."""
    return Fault(
        status=401, message="this gate asks for a key, and there is none", code="missing_api_key", hint=HINT
    )


def unknown_key(*, revoked: bool) -> Fault:
    """A key that is none of ours, or one no more. The key itself is repeated nowhere."""
    message = "this key was revoked" if revoked else "this gate does not know this key"
    return Fault(status=401, message=message, code="invalid_api_key", hint=HINT)


def no_admin(holder: Holder) -> Fault:
    """The path is for admins."""
    if not holder.name:
        return Fault(
            status=401,
            message="this is for admins, and there is no key",
            code="missing_api_key",
            hint="send the key of an admin; headgate keys create NAME --admin makes one",
        )
    return Fault(
        status=403,
        message=f'this is for admins, and the key "{holder.name}" is none of theirs',
        code="not_an_admin",
        hint="headgate keys create NAME --admin makes a key for it",
    )


def strange_host() -> Fault:
    """The gate is called by a name that is not this machine's."""
    return Fault(
        status=403,
        message="without a key, this is shown only under this machine's own address",
        code="foreign_host",
        hint="call it http://127.0.0.1, or show a key; headgate keys create NAME makes one",
    )
