"""Checks of audits: whether what is kept for them can be sealed and opened, how many wait, and whether who judges may."""

from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, failed, passed, warned

if TYPE_CHECKING:
    from headgate.cli.checkup.world import World
    from headgate.config.audit import AuditSettings
    from headgate.ledger.audit_standing import Standing
    from headgate.ledger.who_judges import WhoJudges


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


async def check_judge(world: "World") -> list[Finding]:
    """Whether the model that compares answers can tell good ones from bad ones."""
    from headgate.cli.checkup.world import in_thread
    from headgate.ledger.who_judges import who_judges

    if not world.config.audit.on:
        return []
    found = await in_thread(lambda: who_judges(world.config))
    return [judge_judge(found)]


def judge_judge(judge: "WhoJudges | None") -> Finding:
    """A judge that is no better than a coin makes figures that nobody should believe."""
    from headgate.core.judges.trust import WHAT_TO_DO

    if judge is None:
        return passed("judge", "no model judges, so what no comparison settles is unclear")
    if judge.trust is None:
        how = "headgate audit judges" if judge.named else "it is tried before it first judges"
        return passed("judge", f"{judge.said}; {how}")
    if judge.trust.trusted:
        return passed("judge", judge.said)
    return warned(
        "judge",
        judge.said,
        "a judge that tells good answers from bad ones",
        f"headgate audit judges  # {WHAT_TO_DO}",
    )


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
