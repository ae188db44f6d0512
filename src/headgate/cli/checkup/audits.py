"""Checks of audits: whether what is kept for them can be sealed and opened, and how many wait."""

from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, failed, passed

if TYPE_CHECKING:
    from headgate.cli.checkup.world import World
    from headgate.config.audit import AuditSettings
    from headgate.ledger.audit_standing import Standing


async def check_audits(world: "World") -> list[Finding]:
    """Whether they are on, how many wait, and whether the key of what is kept is there."""
    from headgate.cli.checkup.world import in_thread
    from headgate.core.errors import ConfigError
    from headgate.ledger.audit_standing import read_standing
    from headgate.ledger.sealing import seal_of

    settings, path = world.config.audit, world.config.ledger.path
    try:
        seal_of(settings)
    except ConfigError as error:
        return [
            failed("audits", error.message, "a key that seals: the gate does not open without it", error.hint)
        ]
    return [judge_audits(settings, await in_thread(lambda: read_standing(path)))]


def judge_audits(settings: "AuditSettings", standing: "Standing") -> Finding:
    """What is kept has to be readable for whoever makes the audits."""
    from headgate.reports.shown import count

    if standing.sealed and settings.key_reference is None:
        kept = f"{count(standing.sealed, 'request')} {'is' if standing.sealed == 1 else 'are'} kept sealed, and [audit] names no key"
        return failed(
            "audits",
            kept,
            "the key by which they were sealed",
            'write key = "env:NAME" under [audit] in headgate.toml',
        )
    waiting = sum(standing.waiting.values())
    wait = f"{count(waiting, 'request')} {'waits' if waiting == 1 else 'wait'}"
    if not settings.on:
        return passed("audits", f"off; {wait}" if waiting else "off")
    shares = f"{settings.sample * 100:.3g}% of paid requests"
    if settings.checks_local:
        shares += f" and {settings.local_sample * 100:.3g}% of local answers"
    sealed = "sealed" if settings.key_reference is not None else "not sealed"
    return passed("audits", f"{shares}; {wait}; what they need is {sealed}")
