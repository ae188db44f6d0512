"""[audit]: which requests are looked at again, and what that may cost."""

from msgspec import Struct


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
    judge: str = "auto"
    """The model that compares answers where nothing cheaper can: "auto" is the ablest at home, "none", or a model's name."""
    idle_for: str = "20s"
    """How long nobody must have asked for anything before an audit begins."""
