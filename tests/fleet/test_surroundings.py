"""Where Ollama and LM Studio are looked for, and what is told of keys."""

import pytest

from headgate.core.hardware import Hardware
from headgate.fleet import hardware
from headgate.fleet.programs.machine import Machine
from headgate.fleet.surroundings import addresses, look_around, ollama_url
from program_doubles import free_port


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:5000", "http://127.0.0.1:5000"),
        (":5000", "http://127.0.0.1:5000"),
        ("[::]:5000", "http://127.0.0.1:5000"),
        ("http://gpu.local:5000/", "http://gpu.local:5000"),
        ("https://gpu.example", "https://gpu.example:443"),
        ("host:port", None),
    ],
)
def test_ollamas_variable_is_read_as_its_own_clients_read_it(said, meant):
    assert ollama_url(said) == meant


def machine(tmp_path, **env):
    return Machine(system="linux", home=tmp_path, data=tmp_path, env={"PATH": str(tmp_path), **env})


def test_lm_studio_is_looked_for_where_its_command_says_that_it_runs(tmp_path):
    lms = tmp_path / "lms"
    lms.write_text('#!/bin/sh\necho \'{"running": true, "port": 4321}\'\n')
    lms.chmod(0o755)
    assert addresses(machine(tmp_path)) == {"lmstudio": "http://127.0.0.1:4321"}
    lms.write_text('#!/bin/sh\necho \'{"running": false, "port": 4321}\'\n')
    assert addresses(machine(tmp_path)) == {}
    lms.write_text("#!/bin/sh\necho nonsense\n")
    assert addresses(machine(tmp_path, OLLAMA_HOST="0.0.0.0:1")) == {"ollama": "http://127.0.0.1:1"}


def test_of_keys_only_the_names_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "look", lambda _: Hardware())
    here = machine(tmp_path, A_KEY="secret", EMPTY_KEY="")
    urls = {
        kind: f"http://127.0.0.1:{free_port()}" for kind in ("ollama", "lmstudio", "llama-server", "vllm")
    }
    found = look_around(here, tmp_path, ("A_KEY", "EMPTY_KEY", "OTHER_KEY"), urls)
    assert found.keys == ("A_KEY",)
    assert "secret" not in repr(found)
    assert not any(program.running for program in found.programs.values())
