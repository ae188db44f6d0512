"""[audit]: which requests are looked at again, how long what they need is kept, and what that may cost."""

from collections.abc import Mapping

from msgspec import Struct

from headgate.config.misfit import Misfit
from headgate.config.places import read_secret
from headgate.config.values import meant, not_negative, seconds, share
from headgate.core.chosen_judge import AUTO, NONE
from headgate.core.errors import ConfigError
from headgate.core.types import Model


class AuditTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[audit]: was paying necessary, were local answers good? Off while `sample` and `local_sample` are 0."""

    sample: float = 0.0
    """The share of paid requests that is repeated at home, 0-1; more where it is uncertain, less where it is known."""
    local_sample: float = 0.0
    """The share of local answers that is checked against a paid one."""
    paid_per_week: float = 0.0
    """Dollars that checking local answers, and judges in the cloud, may cost. Without any, nothing of it leaves the machine."""
    keep: str = "30d"
    """How long prompts and answers are kept for it."""
    key: str | None = None
    """Seals them: a reference, "env:NAME" or "file:PATH", to a Fernet key."""
    judge: str = AUTO
    """The model that compares answers where nothing cheaper can: "auto" is the ablest at home, if it is trusted; "none", or a model's name."""
    idle_for: str = "20s"
    """How long nobody must have asked for anything before an audit begins."""


class AuditSettings(Struct, frozen=True, kw_only=True):
    """The same, checked. Times are seconds."""

    sample: float = 0.0
    local_sample: float = 0.0
    paid_per_week: float = 0.0
    keep: float = 30 * 86_400.0
    key: str | None = None
    """The secret itself."""
    key_reference: str | None = None
    """Where the page says that it is."""
    judge: str = AUTO
    idle_for: float = 20.0

    @property
    def on(self) -> bool:
        """Whether any request is chosen."""
        return self.sample > 0 or self.checks_local

    @property
    def checks_local(self) -> bool:
        """Whether answers from home are chosen: a paid model has to answer anew for that, so there has to be money."""
        return self.local_sample > 0 and self.paid_per_week > 0

    def __repr__(self) -> str:
        """Everything but the key."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["key"] = None if self.key is None else "…"
        return f"AuditSettings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def audit_from(table: AuditTable, models: Mapping[str, Model]) -> AuditSettings:
    """The table, if it fits together.

    Raises:
        Misfit: a share is not within 0-1, money is negative, a duration is none, the key is no reference, or the judge is no model
            that can judge.
    """
    return AuditSettings(
        sample=share(("audit", "sample"), table.sample),
        local_sample=share(("audit", "local_sample"), table.local_sample),
        paid_per_week=not_negative(("audit", "paid_per_week"), table.paid_per_week) or 0.0,
        keep=seconds(("audit", "keep"), table.keep),
        key=_secret(table.key),
        key_reference=table.key,
        judge=_judge(table.judge, models),
        idle_for=seconds(("audit", "idle_for"), table.idle_for, nothing=True),
    )


def _secret(reference: str | None) -> str | None:
    try:
        return read_secret(reference) if reference is not None else None
    except ConfigError as error:
        raise Misfit(
            ("audit", "key"),
            error.message,
            'write key = "env:HEADGATE_AUDIT_KEY" or key = "file:~/.keys/headgate-audits"',
        ) from error


def _judge(name: str, models: Mapping[str, Model]) -> str:
    if name in (AUTO, NONE):
        return name
    place = ("audit", "judge")
    model = models.get(name)
    if model is None:
        raise Misfit(
            place,
            f'audits are judged by "{name}", which is not a model in this file',
            meant(name, (AUTO, NONE, *models)) or f'write "{AUTO}", "{NONE}", or one of: {", ".join(models)}',
        )
    if model.kind != "chat":
        raise Misfit(
            place,
            f'"{name}" makes embeddings, so it cannot judge',
            f'write "{AUTO}", or name a model that answers',
        )
    return name
