"""The gate from Python: `Gate`, and `AsyncGate` for programs with an event loop.

    from headgate import Gate

    with Gate() as gate:
        run = gate.run("triage", "I was charged twice this month.")
        print(run.label, run.probability, run.model)

It speaks to the gate that is open on this machine, if that one is of the same config; else it opens one in this process, on a free
port of 127.0.0.1, which goes with it. Either way there is one road for all, and `gate.url` leads there for other clients too.

It does not know what becomes of a request: that is the gate's business.
"""

from headgate.client import Answer
from headgate.core.runs import Run
from headgate.gate.awaited import AsyncGate
from headgate.gate.plain import Gate

__all__ = ["Answer", "AsyncGate", "Gate", "Run"]
