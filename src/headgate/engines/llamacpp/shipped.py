"""The models that come with Headgate: trained by us on synthetic text, for demos and tests, no assistants."""

from importlib import resources
from pathlib import Path

SHIPPED = {
    "headgate-nano": "the smallest: labels, sentiment, JSON triage",
    "headgate-micro": "five times as big: also copies numbers and summarises",
    "headgate-clerk": "the built-in subagents' work: triage with a reason, minutes, answers from passages",
    "headgate-embed": "turns text into vectors",
}
"""Their names, and what they are for."""


def shipped_folder() -> Path:
    """Where they lie."""
    return Path(str(resources.files("headgate.engines.llamacpp") / "models"))
