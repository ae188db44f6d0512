"""A request that was chosen to be audited, on its way to the ledger."""

from msgspec import Struct

from headgate.core.words import AuditKind


class Sampled(Struct, frozen=True, gc=False):
    """What the ledger keeps until the audit is made."""

    kind: AuditKind
    probability: float
    """With which it was chosen, above 0 up to 1: an audited request stands for 1 / probability."""
    expires: float
    """Unix time at which what it needs is removed, audited or not."""
    material: bytes
    """What it needs: a `core.audits.Material` as JSON, sealed where the user says so."""
