"""The gate does what /openapi.json says: schemathesis reads the document, asks what it allows and what it does not, and compares."""

import os
import subprocess
import sys

import pytest
from client_environments import environment

# The first run fetches schemathesis.
pytestmark = pytest.mark.timeout(600)

ENDS_WITHIN = 400.0
NOTES = "# Refunds\n\nA refund takes five working days."


@pytest.fixture
def base(stage, tmp_path):
    """A knowledge base at the gate, by the name that schemathesis_hooks.py has for it."""
    (tmp_path / "refunds.md").write_text(NOTES)
    order = [sys.executable, "-m", "headgate", "kb", "add", "handbook", str(tmp_path)]
    subprocess.run([*order, "--config", str(stage.page)], env=stage.given, check=True)


@pytest.mark.usefixtures("base")
def test_our_openapi_document_passes_schemathesis_against_the_running_gate(stage):
    place = environment("schemathesis")
    done = subprocess.run(
        [
            str(place.programs / "schemathesis"),
            "--config-file",
            "schemathesis.toml",
            "run",
            f"{stage.url}/openapi.json",
            "--no-color",
        ],
        cwd=place.folder,
        env=os.environ | {"NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS_WITHIN,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-3000:]
    assert "No issues found" in done.stdout
