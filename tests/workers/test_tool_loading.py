"""Tools that a config names: found, or named with the file and the line that ask for them, before the gate opens."""

import pytest

from headgate.app import open_gate
from headgate.config.load import parse_config
from headgate.core.errors import ConfigError
from headgate.workers.tools import load_all_tools
from prepared_python import headgate

PAGE = """
[engines.home]
kind = "ollama"

[models.llama]
engine = "home"
id = "llama3.1:8b"

[[routes]]
name = "all"
try = ["llama"]

[agents.desk]
system = "Answer."
tools = [{tool}]
{more}
"""
LINE = 15
"""On which the tools stand."""


def config(folder, tool, more=""):
    page = PAGE.format(tool=tool, more=more)
    (folder / "headgate.toml").write_text(page)
    return parse_config(page, folder / "headgate.toml")


def loaded(found):
    return load_all_tools(found.policy.agents, found.source)


def test_functions_of_files_and_packages_are_loaded_once_a_file(tmp_path):
    (tmp_path / "shop.py").write_text(
        "N = []\ndef one() -> int:\n    N.append(1)\n    return len(N)\ndef two() -> int:\n    return len(N)\n"
    )
    tools = loaded(config(tmp_path, '"./shop.py:one", "./shop.py:two", "colorsys:rgb_to_hsv"'))["desk"]
    assert [function.spec.name for function in tools.functions] == ["one", "two", "rgb_to_hsv"]
    one, two, _ = tools.functions
    assert one.function() == two.function() == 1, "they share their file"


@pytest.mark.parametrize(
    ("tool", "problem"),
    [
        ('"./shop.py:nothing"', 'has no function "nothing"'),
        ('"./shop.py:NUMBER"', '"NUMBER" in ./shop.py is no function'),
        ('"./shop.py:Kind"', '"Kind" in ./shop.py is no function'),
        ('"./shop.py:odd"', "no schema says what odd takes: "),
        ('"./broken.py:f"', "broken.py does not run: ZeroDivisionError"),
        ('"no_such_package.module:f"', "the module no_such_package.module cannot be loaded"),
        ('"./shop.py:one", "./more.py:one"', 'there are two tools called "one"'),
    ],
)
async def test_a_tool_that_cannot_be_offered_is_named_with_file_and_line(tmp_path, tool, problem):
    (tmp_path / "shop.py").write_text(
        "NUMBER = 1\nclass Kind: ...\ndef one() -> int: ...\ndef odd(*x): ...\n"
    )
    (tmp_path / "more.py").write_text("def one() -> int: ...\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError) as error:
        async with open_gate(config(tmp_path, tool)):
            pass
    assert f"{tmp_path / 'headgate.toml'}, line {LINE}: " in error.value.message
    assert problem in error.value.message


def test_a_file_outside_of_the_configs_folder_is_not_run(tmp_path):
    (tmp_path / "outside.py").write_text("raise SystemExit('it ran')\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(ConfigError, match="is not in the folder of the config"):
        loaded(config(inside, '"../outside.py:f"'))


def test_a_link_to_a_file_outside_is_not_run_either(tmp_path):
    (tmp_path / "outside.py").write_text("raise SystemExit('it ran')\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(ConfigError, match="is not in the folder of the config"):
        loaded(config(inside, '"./link.py:f"'))


def test_a_subagent_with_a_file_of_its_own_finds_functions_beside_it_and_beside_the_config(tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "clerk.toml").write_text(
        'system = "Work."\ntools = ["./own.py:f", "./shared.py:g"]\n'
    )
    (tmp_path / "agents" / "own.py").write_text("def f() -> str: return 'own'\n")
    (tmp_path / "shared.py").write_text("def g() -> str: return 'shared'\ndef one() -> int: ...\n")
    tools = loaded(config(tmp_path, '"./shared.py:one"'))
    assert [function.function() for function in tools["clerk"].functions] == ["own", "shared"]


def test_what_stays_at_home_has_no_server_elsewhere(tmp_path):
    with pytest.raises(ConfigError, match="local_only") as error:
        loaded(config(tmp_path, '{ url = "https://mcp.example.com/mcp" }', "local_only = true"))
    assert f"line {LINE}" in error.value.message
    loaded(config(tmp_path, '{ url = "http://127.0.0.1:9000/mcp" }', "local_only = true"))


def test_agents_show_says_what_a_model_is_offered(tmp_path):
    (tmp_path / "shop.py").write_text(
        'def one(a: int, b: str = "") -> int:\n    """Do one thing.\n\n    Well."""\n'
    )
    page = tmp_path / "headgate.toml"
    config(tmp_path, '"./shop.py:one", { url = "http://127.0.0.1:9/mcp" }')
    done = headgate("agents", "show", "desk", "--config", page)
    assert "one(a, b)  Do one thing.\n" in done.stdout, done.stderr
    assert "what http://127.0.0.1:9/mcp offers" in done.stdout
    config(tmp_path, '"./shop.py:two"')
    done = headgate("agents", "show", "desk", "--config", page)
    assert done.returncode == 3
    assert f"line {LINE}: ./shop.py has no function" in done.stderr


@pytest.mark.parametrize(("name", "code"), [("one", 0), ("nothing", 3)])
def test_config_check_says_whether_tools_are_there(tmp_path, name, code):
    (tmp_path / "shop.py").write_text("def one() -> int: ...\n")
    config(tmp_path, f'"./shop.py:{name}"')
    done = headgate("config", "check", "--config", tmp_path / "headgate.toml")
    assert done.returncode == code, done.stderr
    if code:
        assert f"error: {tmp_path / 'headgate.toml'}, line {LINE}: ./shop.py has no function" in done.stderr
        assert "hint: it has: one" in done.stderr
