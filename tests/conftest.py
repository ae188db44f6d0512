"""What holds for every test."""

import os
import signal

# Workers share the cores; threads of libraries that wait for each other by spinning would take them from other workers.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from hypothesis import settings

# Speed is measured in benchmarks/; here a busy machine must not fail a test.
settings.register_profile("headgate", deadline=None)
settings.load_profile("headgate")

LONGEST = (
    "test_batches_killed.py",
    "test_a_thousand_mails.py",
    "test_batches_overnight.py",
    "test_learning.py",
    "test_benchmark_command.py",
    "test_simulation.py",
    "test_agents_proof.py",
    "test_doctor.py",
    "test_page_workbench.py",
    "test_mcp_servers.py",
    "test_long_inputs.py",
    "test_gate_audits.py",
    "test_packaging.py",
    "test_demo.py",
    "test_conformance_command.py",
    "test_audit_run.py",
    "test_agency_stories.py",
    "test_subagents_story.py",
    "test_docs_examples.py",
    "test_page_looks.py",
)
"""Files that take longest. They begin first, since a worker that gets one last is waited for by all others."""


def pytest_collection_modifyitems(items):
    """Put the longest files first, and leave the rest as it is."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


# Started in the background, a shell lets its children ignore Ctrl-C, and they theirs; tests that press it need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
