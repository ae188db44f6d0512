"""Whence a plan knows what a model takes: its engine goes before the catalogue, and says what is held now."""

import asyncio

import pytest

import headgate.starting
from headgate.cli.models_plan import machine
from headgate.cli.plan_subjects import local_models, survey_models
from headgate.config.load import parse_config, starter_text
from headgate.core.engine import Health, LoadedModel
from headgate.core.fit import Room
from headgate.core.hardware import Gpu, Hardware, room_of
from headgate.core.memory import GIB, Shape
from headgate.core.types import Failure
from headgate.fleet import hardware

FULL = Shape(weights=16 * GIB, layers=32, kv_heads=(8,), key_length=128, value_length=128, context=131072)


class Engine:
    """An engine whose models can be asked about."""

    def __init__(self, *, up=True, loaded=(), fails=False):
        self.up, self.held, self.fails = up, loaded, fails

    async def health(self):
        return Health(up=self.up)

    async def loaded(self):
        return Failure(reason="refused", detail="gone") if self.fails else self.held

    async def shape(self, model_id):
        return (
            FULL
            if model_id == "llama3.1:8b" and not self.fails
            else Failure(reason="http_error", detail="no such model")
        )

    async def close(self):
        pass

    name, kind = "home", "ollama"
    chat = stream = embed = list_models = load = unload = pull = remove = close  # a plan asks for none


@pytest.fixture
def survey(monkeypatch):
    def ask(**kinds):
        monkeypatch.setattr(
            headgate.starting, "build_engine", lambda settings, models, **_: kinds[settings.kind]
        )
        config = parse_config(starter_text(), None, lambda *_: None)
        found = asyncio.run(survey_models(config, local_models(config)))
        return {one.name: one for one in found.subjects}, found.held

    return ask


def test_what_an_engine_says_of_a_model_goes_before_the_catalogue(survey):
    loaded = (LoadedModel(id="llama3.1:8b", vram=6 * GIB), LoadedModel(id="x"))
    subjects, held = survey(ollama=Engine(loaded=loaded), lmstudio=Engine(up=False, loaded=loaded))
    assert (subjects["llama"].shape, subjects["llama"].source) == (FULL, "engine")
    assert subjects["coder"].source == subjects["phi"].source == "catalogue"
    assert held == 6 * GIB


def test_an_engine_that_fails_leaves_it_to_the_catalogue(survey):
    subjects, held = survey(ollama=Engine(fails=True), lmstudio=Engine(fails=True))
    assert {one.source for one in subjects.values()} == {"catalogue"}
    assert held == 0


def test_what_is_held_counts_on_this_machine_and_not_on_an_imagined_one(monkeypatch):
    card = Gpu(name="card", vendor="nvidia", total=24 * GIB, free=10 * GIB)
    monkeypatch.setattr(hardware, "look", lambda: Hardware(gpus=(card,), ram_total=32 * GIB))
    assert room_of(*machine(None, None, 6 * GIB)).gpu == 16 * GIB
    assert room_of(*machine(None, 64, 6 * GIB)) == Room(gpu=16 * GIB, ram=56 * GIB)
    assert room_of(*machine(12, 32, 6 * GIB)).gpu == 12 * GIB - GIB // 2
