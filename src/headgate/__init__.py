"""Headgate: easy prompts at home, hard ones in the cloud, and a report that proves it.

From Python: `from headgate import Gate` (see `headgate.gate`). Nothing of it is loaded before somebody asks for it.
"""

TYPE_CHECKING = False  # type checkers take it for true; importing it would load `typing` into every program
if TYPE_CHECKING:
    from headgate.gate import Answer, AsyncGate, Gate, Run

__version__ = "0.1.0"

__all__ = ["Answer", "AsyncGate", "Gate", "Run", "__version__"]


def __getattr__(name: str) -> object:
    """Load the gate when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'headgate' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  # `import headgate` stays light

    return getattr(import_module("headgate.gate"), name)
