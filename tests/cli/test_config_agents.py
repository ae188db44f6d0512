"""`headgate config` and subagents: they are checked, counted and shown like everything else."""

import json

PAGE = """
[engines.home]
kind = "llamacpp"

[models.nano]
engine = "home"
id = "headgate-nano"

[[routes]]
name = "all"
try = ["nano"]
"""


def written(shell, agent):
    (shell.home / "headgate.toml").write_text(PAGE, encoding="utf-8")
    (shell.home / "agents").mkdir(exist_ok=True)
    (shell.home / "agents" / "sort.toml").write_text(agent, encoding="utf-8")


def test_config_check_counts_the_agents_of_ones_own_and_names_what_is_wrong_with_one(shell):
    written(shell, 'system = "Sort it."\nlabels = ["a", "b"]\n')
    done = shell("config", "check")
    assert (done.code, done.out.strip().endswith("1 engine, 1 model, 1 route, 1 agent")) == (0, True)
    said = shell("config", "check", "--json").json
    assert (said["agents"], said["file"]) == (1, str(shell.home / "headgate.toml"))
    assert shell("config", "path", "--json").json["file"] == said["file"]
    written(shell, 'system = "Sort it."\nlabels = ["a", "b"]\nthreshold = 7\n')
    done = shell("config", "check")
    assert done.code == 3
    assert "agents/sort.toml, line 3: threshold is 7" in done.err.replace("\\", "/")


def test_config_show_shows_agents_whole(shell):
    written(
        shell, 'system = "Sort it."\nschema = { type = "object", properties = { n = { type = "null" } } }\n'
    )
    shown = shell("config", "show", "--json").json["agents"]
    assert shown["sort"]["schema"]["properties"] == {"n": {"type": "null"}}
    assert shown["triage"]["builtin"]
    text = shell("config", "show").out
    assert "[agents.sort.schema.properties.n]" in text
    assert "object at 0x" not in text + json.dumps(shown)


def test_a_prompt_may_be_for_a_subagent(shell):
    written(shell, 'system = "Sort it."\nlabels = ["a", "b"]\ntry = ["nano"]\ninput = "{subject}: {body}"\n')
    told = shell(
        "route", "--model", "agent:sort", '{"subject": "Help", "body": "It crashes."}', "--json"
    ).json
    assert (told["route"], told["labels"], told["why"]) == (
        "agent:sort",
        ["a", "b"],
        "the agent sort names its own models",
    )
    done = shell("route", "--model", "agent:sort", "It crashes.")
    assert (done.code, 'send {"subject": …, "body": …}' in done.err) == (2, True)
    done = shell("ask", "--model", "agent:sorrt", "It crashes.")
    assert (done.code, 'did you mean "sort"' in done.err) == (2, True)
    assert shell("route", "--model", "auto:cheap", "It crashes.").code == 0
