"""LM Studio behind the gate: its models are loaded with the context that a request needs, and planned by the catalogue."""

from headgate.app import open_gate
from headgate.config.load import parse_config
from headgate.core.types import Message, Request
from headgate.testing import LMStudioDouble, ServedModel

PHI = "phi-3-mini-128k-instruct"
PAGE = """
[engines.lmstudio]
kind = "lmstudio"
url = "{url}"
parallel = 4

[models.phi]
engine = "lmstudio"
id = "phi-3-mini-128k-instruct"
context = [8192, 32768]

[fleet]
vram_gb = 24

[ledger]
path = "{folder}/ledger.db"

[[routes]]
name = "all"
try = ["phi"]
"""
CACHE = 8192 * 384 * 1024
"""Bytes that Phi keeps for one request of the short lane: it has a head of keys and values for every head."""


async def test_its_lanes_are_loaded_as_prompts_need_them_and_share_one_cache(tmp_path):
    models = {PHI: ServedModel(context=131_072, family="phi3", size=2_400_000_000)}
    async with LMStudioDouble(models) as studio:
        config = parse_config(PAGE.format(url=studio.url, folder=tmp_path), tmp_path / "headgate.toml")
        async with open_gate(config) as gate:
            lanes = gate.road.fleet.admission.scheduler.lanes
            assert 2_200_000_000 + CACHE < lanes["phi"].memory < 2_400_000_000 + 2 * CACHE
            answered = []
            for text in ("hello", "word " * 12_000, "hello again"):
                request = Request(id=text[:5], asked="auto", messages=(Message("user", text),))
                _, outcome = await gate.ask(request)
                answered.append((outcome.model, outcome.status))
            assert answered == [("phi", "ok"), ("phi@32k", "ok"), ("phi", "ok")]
            assert (lanes["phi"].state, lanes["phi@32k"].state) == ("out", "ready")
        asked = [call.json for call in studio.calls if call.path == "/api/v1/models/load"]
        assert [body["context_length"] for body in asked] == [8192, 32768]
