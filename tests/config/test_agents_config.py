"""Subagents in the config: what their tables mean, and what is wrong with them, named with file and line."""

import json
import socket
import subprocess
import sys
from importlib import resources

import pytest
from msgspec.structs import replace

from headgate.config.load import parse_config
from headgate.core.agents import fill, orders
from headgate.core.errors import ConfigError
from headgate.core.templates import Unfit

PAGE = """\
[engines.home]
kind = "llamacpp"

[engines.claude]
kind = "anthropic"

[models.nano]
engine = "home"
id = "headgate-nano"

[models.embed]
engine = "home"
id = "headgate-embed"
kind = "embedding"

[models.claude]
engine = "claude"
id = "claude-sonnet-5-5"

[[routes]]
name = "everything else"
try = ["nano", "claude"]

"""
BEFORE = PAGE.count("\n")

SORT = """\
[agents.sort]
description = "Sorts tickets"
system = \"\"\"
Sort this ticket.
labels = not a key
[not.a.table]
\"\"\"
task = "classification"
input = "Subject: {subject}\\n\\n{body} {{sic}}"
label = "kind"
confidence = "sure"
try = ["nano", "claude"]
checks = ["not-empty"]
threshold = 0.7
bar = 0.9
temperature = 0
top_p = 0.9
seed = 7
max_tokens = 80
long = "refuse"
tools = ["json:loads", { command = ["uvx", "orders"] }, { url = "http://localhost:9/mcp" }]
limits = { steps = 3, within = "30s", spend = 0.05 }

[agents.sort.labels]
bug = "it is broken"
wish = "it is missing"

[agents.sort.schema]
type = "object"
required = ["kind", "sure", "why"]
additionalProperties = false

[agents.sort.schema.properties]
kind = { type = "string", enum = ["bug", "wish", "other"] }
sure = { type = ["number", "null"] }
why = { type = "string" }

[[agents.sort.examples]]
input = { subject = "Help", body = "It crashes." }
output = { why = "It crashes.", kind = "bug" }

[[agents.sort.tests]]
input = { subject = "Idea", body = "Dark mode?" }
output = "wish"
"""


def agents(tmp_path, text=SORT, **files):
    """The agents of a page and of files beside it."""
    for name, content in files.items():
        path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return parse_config(PAGE + text, tmp_path / "headgate.toml").policy.agents


def test_a_whole_table_means_what_it_says(tmp_path):
    sort = agents(tmp_path)["sort"]
    assert (sort.labels, sort.meanings) == (
        ("bug", "wish", "other"),
        {"bug": "it is broken", "wish": "it is missing"},
    )
    assert (sort.chain, sort.checks, sort.threshold, sort.bar) == (
        ("nano", "claude"),
        ("not-empty",),
        0.7,
        0.9,
    )
    assert (sort.temperature, sort.top_p, sort.seed, sort.max_tokens) == (0, 0.9, 7, 80)
    assert [(tool.function, tool.command, tool.url) for tool in sort.tools] == [
        ("json:loads", (), ""),
        ("", ("uvx", "orders"), ""),
        ("", (), "http://localhost:9/mcp"),
    ]
    assert (sort.bounds.steps, sort.bounds.within, sort.bounds.spend, sort.long) == (3, 30.0, 0.05, "refuse")
    assert not sort.builtin
    assert sort.source == str(tmp_path / "headgate.toml")


def test_the_field_that_the_gate_fills_in_is_not_asked_for(tmp_path):
    sort = agents(tmp_path)["sort"]
    assert json.loads(bytes(sort.schema))["required"] == ["kind", "sure", "why"]
    asked = json.loads(bytes(sort.asked))
    assert (asked["required"], list(asked["properties"])) == (["kind", "why"], ["kind", "why"])
    assert "sure" not in orders(sort)
    assert "bug: it is broken\nwish: it is missing" in orders(sort)


def test_examples_and_tests_are_filled_in_and_know_their_lines(tmp_path):
    sort = agents(tmp_path)["sort"]
    (example,), (check,) = sort.examples, sort.tests
    assert (example.input, bytes(example.output)) == (
        "Subject: Help\n\nIt crashes. {sic}",
        b'{"kind":"bug","why":"It crashes."}',
    )
    assert check.given == {"subject": "Idea", "body": "Dark mode?"}
    assert bytes(check.output) == b'{"kind":"wish"}'
    lines = (PAGE + SORT).splitlines()
    assert lines[example.line - 1] == "[[agents.sort.examples]]"
    assert lines[check.line - 1] == "[[agents.sort.tests]]"


def test_a_file_beside_the_config_is_an_agent_and_its_inline_tests_know_their_lines(tmp_path):
    text = 'system = "Sort."\nlabels = ["a", "b"]\ntests = [\n  { input = "x, [y", output = "a" }, # one\n\n  { input = "z", output = "b" },\n]\n'
    found = agents(tmp_path, "", agents__mine_dot_toml=text)
    mine = found["mine"]
    assert mine.source == str(tmp_path / "agents" / "mine.toml")
    assert [shown.line for shown in mine.tests] == [4, 6]
    assert {"triage", "sentiment", "meeting-notes", "extract", "draft", "mine"} == set(found)


def test_what_is_built_in_fits_although_nobody_proves_it_at_the_start(tmp_path):
    for name, agent in agents(tmp_path, "").items():
        page = resources.files("headgate.config").joinpath("builtin", f"{name}.toml").read_text()
        own = agents(tmp_path, "", **{f"agents__{name}_dot_toml": page})[name]
        assert not own.builtin  # and so everything in it was proven
        assert own.tests == tuple(replace(test, line=own.tests[n].line) for n, test in enumerate(agent.tests))
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from headgate.config.load import load_config; load_config(); print('jsonschema_rs' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
    )
    assert said.stdout == "False\n"


def test_an_agent_of_the_users_own_wins_over_a_built_in_one(tmp_path):
    assert agents(tmp_path, "")["triage"].builtin
    assert not agents(tmp_path, '[agents.triage]\nsystem = "Sort."\n')["triage"].builtin
    mine = agents(tmp_path, "", agents__triage_dot_toml='system = "Mine."\n')["triage"]
    assert (mine.system, mine.builtin) == ("Mine.", False)


def test_the_built_in_agents_are_sound():
    import jsonschema_rs

    for agent in parse_config(PAGE, None).policy.agents.values():
        assert agent.description
        if agent.schema is not None:
            jsonschema_rs.validator_for(json.loads(bytes(agent.schema)))


def test_tests_may_stand_in_a_jsonl_or_a_csv_file_beside_it(tmp_path):
    lines = '{"input": "It crashes.", "output": "bug"}\n\n{"input": {"input": "Idea"}, "output": {"kind": "wish"}}\n'
    table = 'subject,body,output\r\nHelp,"It, ""crashes"",\nagain.",bug\r\n\r\nIdea,More,"{""kind"": ""wish""}"\r\n'
    text = SORT[: SORT.index("[[agents.sort.examples]]")]
    for name, content, template, inputs, numbers in (
        ("t.jsonl", lines, "{input}", ["It crashes.", "Idea"], [1, 3]),
        ("t.csv", table, "{subject}: {body}", ['Help: It, "crashes",\nagain.', "Idea: More"], [2, 5]),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8", newline="")
        page = text.replace("bar = 0.9\n", f'bar = 0.9\ntests = "{name}"\n')
        page = page.replace('input = "Subject: {subject}\\n\\n{body} {{sic}}"', f'input = "{template}"')
        tests = agents(tmp_path, page)["sort"].tests
        assert [shown.input for shown in tests] == inputs
        assert [bytes(shown.output) for shown in tests] == [b'{"kind":"bug"}', b'{"kind":"wish"}']
        assert [shown.line for shown in tests] == numbers


CLASSES = """
import dataclasses, enum, typing
import msgspec

class Kind(enum.Enum):
    BUG = "bug"
    WISH = "wish"

class Ticket(msgspec.Struct):
    kind: Kind
    why: str
    sure: float | None = None

@dataclasses.dataclass
class Plain:
    kind: typing.Literal["bug", "wish"]
    why: str
    sure: float | None = None

class Nothing:
    pass

value = 7
"""
BY_CLASS = '[agents.sort]\nsystem = "Sort."\nlabel = "kind"\nconfidence = "sure"\nschema = "{}"\n'


@pytest.mark.parametrize("name", ["Ticket", "Plain"])
def test_a_schema_may_be_a_class(tmp_path, name):
    sort = agents(tmp_path, BY_CLASS.format(f"./forms.py:{name}"), forms_dot_py=CLASSES)["sort"]
    assert sort.labels == ("bug", "wish")
    assert orders(sort).endswith('Answer with JSON only: {"kind": "bug" or "wish", "why": "text"}')


def test_a_schema_may_be_a_pydantic_model(tmp_path):
    pytest.importorskip("pydantic")
    code = (
        "import enum, pydantic\nclass Kind(str, enum.Enum):\n    bug = 'bug'\n    wish = 'wish'\n"
        "class Who(pydantic.BaseModel):\n    name: str | None\n"
        "class Ticket(pydantic.BaseModel):\n    kind: Kind\n    sure: float | None\n    who: Who = pydantic.Field(description='the sender')\n"
    )
    sort = agents(tmp_path, BY_CLASS.format("./models.py:Ticket"), models_dot_py=code)["sort"]
    assert sort.labels == ("bug", "wish")
    assert '"who": {"name": "text" or null}' in orders(sort)
    assert b"$ref" not in bytes(sort.schema)


def test_a_schema_that_goes_round_in_circles_stays_whole(tmp_path):
    schema = {
        "$defs": {
            "Tree": {
                "type": "object",
                "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
            }
        },
        "$ref": "#/$defs/Tree",
    }
    page = '[agents.grow]\nsystem = "Grow."\nschema = "tree.json"\n'
    grow = agents(tmp_path, page, tree_dot_json=json.dumps(schema))["grow"]
    import jsonschema_rs

    validator = jsonschema_rs.validator_for(json.loads(bytes(grow.schema)))
    assert validator.is_valid({"kids": [{"kids": []}]})
    assert not validator.is_valid({"kids": [{"kids": 1}]})


def changed(old, new):
    """The page with one thing in it otherwise, and the line on which it stands."""
    assert old in SORT
    return SORT.replace(old, new, 1)


WRONG = {
    "nothing to do": ("Sort this ticket.\nlabels = not a key\n[not.a.table]\n", "", "system = ", "is told nothing"),
    "no such model": ('["nano", "claude"]', '["nanno", "claude"]', "try = ", 'did you mean "nano"'),
    "a model that embeds": ('["nano", "claude"]', '["embed"]', "try = ", "makes embeddings"),
    "a model twice": ('["nano", "claude"]', '["nano", "nano"]', "try = ", "twice"),
    "a paid model at home": ("seed = 7", "local_only = true", "try = ", "is local_only, but tries"),
    "no such check": ('["not-empty"]', '["not-emty"]', "checks = ", 'did you mean "not-empty"'),
    "a threshold above 1": ("threshold = 0.7", "threshold = 70", "threshold = ", "between 0 and 1"),
    "a bar below 0": ("bar = 0.9", "bar = -1", "bar = ", "between 0 and 1"),
    "no tokens": ("max_tokens = 80", "max_tokens = 0", "max_tokens = ", "at least 1"),
    "a cold": ("temperature = 0", "temperature = -1", "temperature = ", "negative"),
    "an unknown word": ('long = "refuse"', 'long = "cut"', "long = ", "one of: chunks, refuse"),
    "an unknown task": ('task = "classification"', 'task = "sorting"', "task = ", "one of the words"),
    "an unknown key": ("seed = 7", "sead = 7", "sead = ", 'did you mean "seed"'),
    "a text for a number": ("seed = 7", 'seed = "7"', "seed = ", "expected"),
    "a label that is none": ('wish = "it is missing"', 'whish = "it is missing"', "[agents.sort.labels]", 'did you mean "wish"'),
    "no such label field": ('label = "kind"', 'label = "kindd"', "label = ", 'did you mean "kind"'),
    "no labels in the field": ('label = "kind"', 'label = "why"', "label = ", "lists no labels"),
    "labels of no field": ('label = "kind"', "", "[agents.sort.labels]", "which field"),
    "no such confidence": ('confidence = "sure"', 'confidence = "shure"', "confidence = ", 'did you mean "sure"'),
    "the label as confidence": ('confidence = "sure"', 'confidence = "kind"', "confidence = ", "holds the label"),
    "a confidence in words": ('confidence = "sure"', 'confidence = "why"', "confidence = ", "is no number"),
    "a confidence never null": ('["number", "null"]', '"number"', "confidence = ", "must allow null"),
    "an unknown field of the template": ("{subject}", "{subjet}", "[[agents.sort.examples]]", "no subjet"),
    "a brace alone": ("{{sic}}", "{sic", "input = ", "stands alone"),
    "no field": ("{{sic}}", "{ sic }", "input = ", "is no field"),
    "two labels of which only the case differs": ('"wish", "other"]', '"wish", "Wish"]', "label = ", "stands there twice"),
    "the place in a schema that is none": ('type = "string", enum', 'type = "strange", enum', "[agents.sort.schema]", "at properties/kind/type"),
    "a schema that is none": ('type = "string", enum', 'type = "strange", enum', "[agents.sort.schema]", "cannot be used"),
    "an example that does not fit": ('kind = "bug" }', 'kind = "bugg" }', "[[agents.sort.examples]]", "does not fit the schema"),
    "an example without a field": ('why = "It crashes.", ', "", "[[agents.sort.examples]]", "does not fit the schema"),
    "an example without an output": ('output = { why = "It crashes.", kind = "bug" }', "", "[[agents.sort.examples]]", '"output" is missing'),
    "a test without the label": ('output = "wish"', 'output = { why = "?" }', "[[agents.sort.tests]]", 'does not say the "kind"'),
    "a test of another label": ('output = "wish"', 'output = "wich"', "[[agents.sort.tests]]", "does not fit the schema"),
    "a test in numbers": ('output = "wish"', "output = 7", "[[agents.sort.tests]]", "has no fields"),
    "no such file of tests": ("bar = 0.9", 'tests = "none.jsonl"', "tests = ", "there is no file none.jsonl"),
    "tests of another kind": ("bar = 0.9", 'tests = "headgate.toml"', "tests = ", "neither JSONL nor CSV"),
    "a tool without a name": ('"json:loads"', '"json"', "tools = ", "names no function"),
    "no such file of tools": ('"json:loads"', '"./gone.py:find"', "tools = ", "there is no file ./gone.py"),
    "a server with two ways": ('command = ["uvx", "orders"]', 'command = ["uvx"], url = "http://x"', "tools = ", "a command or a url"),
    "no steps": ("steps = 3", "steps = 0", "limits = ", "at least 1"),
    "no time": ('within = "30s"', 'within = "soon"', "limits = ", "is not a duration"),
    "negative money": ("spend = 0.05", "spend = -1", "limits = ", "negative"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("where", ["in the page", "in its own file"])
def test_what_is_wrong_is_named_with_its_file_and_line(tmp_path, case, where):
    old, new, line_of, says = WRONG[case]
    text = changed(old, new)
    if 'tests = "' in new:
        text = text[: text.index("[[agents.sort.tests]]")]
    (tmp_path / "headgate.toml").write_text("", encoding="utf-8")
    if where == "in its own file":
        text = text.replace("[agents.sort]\n", "").replace("agents.sort.", "")
        line_of = line_of.replace("agents.sort.", "")
        file, before = tmp_path / "agents" / "sort.toml", 0
    else:
        file, before = tmp_path / "headgate.toml", BEFORE
    own, files = ("", {"agents__sort_dot_toml": text}) if before == 0 else (text, {})
    with pytest.raises(ConfigError) as raised:
        agents(tmp_path, own, **files)
    said = f"{raised.value.message} {raised.value.hint}"
    assert says in said
    expected = next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith(line_of))
    assert said.startswith(f"{file}, line {expected + before}: "), said


BAD_FILES = {
    "not JSON": ("t.jsonl", '{"input": "a", "output": "bug"}\nno\n', 2, "JSON"),
    "no output": ("t.jsonl", '\n{"input": "a"}\n', 2, "output"),
    "another label": ("t.jsonl", '{"input": "a", "output": "bag"}\n', 1, "does not fit the schema"),
    "an empty input": ("t.jsonl", '{"input": " ", "output": "bug"}\n', 1, "empty"),
    "a ragged row": ("t.csv", 'input,output\n"a\nb",bug\nc,d,bug\n', 4, "3 cells"),
    "no columns": ("t.csv", "a,b\nc,d\n", 1, "names no columns"),
    "a quote alone": ("t.csv", 'input,output\n"a"b,bug\n', 2, "no CSV"),
    "another label in CSV": ("t.csv", "input,output\na,bug\nb,bag\n", 3, "does not fit the schema"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_what_is_wrong_with_a_file_of_tests_is_named_with_that_file_and_line(tmp_path, case):
    name, content, line, says = BAD_FILES[case]
    (tmp_path / name).write_text(content, encoding="utf-8")
    text = SORT[: SORT.index("[[agents.sort.examples]]")].replace(
        "bar = 0.9\n", f'bar = 0.9\ntests = "{name}"\n'
    )
    text = text.replace('input = "Subject: {subject}\\n\\n{body} {{sic}}"\n', "")
    with pytest.raises(ConfigError) as raised:
        agents(tmp_path, text)
    assert raised.value.message.startswith(f"{tmp_path / name}, line {line}: ")
    assert says in raised.value.message


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("./forms.py:Tikcet", 'did you mean "Ticket"'),
        ("./forms.py:value", "is no class"),
        ("./forms.py:Nothing", "has no JSON Schema"),
        ("./gone.py:Ticket", "there is no file"),
        ("no_such_module:Ticket", "cannot be loaded"),
        ("gone.json", "there is no file"),
        ("text.json", "is not JSON"),
        ("list.json", "a schema is a table"),
    ],
)
def test_a_schema_that_cannot_be_had_is_an_error_that_says_why(tmp_path, schema, says):
    files = {"forms_dot_py": CLASSES, "text_dot_json": "no", "list_dot_json": "[1]"}
    with pytest.raises(ConfigError) as raised:
        agents(tmp_path, BY_CLASS.format(schema), **files)
    assert raised.value.message.startswith(f"{tmp_path / 'headgate.toml'}, line {BEFORE + 5}: ")
    assert says in f"{raised.value.message} {raised.value.hint}"


@pytest.mark.parametrize("name", ["a:b", "a@b", "a/b", "", "a\\tb"])
def test_a_name_with_a_meaning_of_its_own_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="cannot name an agent"):
        agents(tmp_path, f'[agents."{name}"]\nsystem = "Sort."\n')


def test_an_agent_described_twice_is_an_error_that_names_both_files(tmp_path):
    with pytest.raises(ConfigError) as raised:
        agents(tmp_path, agents__sort_dot_toml='system = "Sort."\n')
    assert str(tmp_path / "agents" / "sort.toml") in raised.value.message
    assert str(tmp_path / "headgate.toml") in raised.value.message


def test_a_file_that_is_no_toml_is_named_with_its_line(tmp_path):
    with pytest.raises(ConfigError) as raised:
        agents(tmp_path, "", agents__bad_dot_toml='system = "Sort."\nlabels = [\n')
    assert raised.value.message.startswith(f"{tmp_path / 'agents' / 'bad.toml'}, line ")


def test_labels_alone_take_no_fields_and_at_least_two(tmp_path):
    for text, says in (
        ('labels = ["one"]', "at least two"),
        ('labels = ["a", "a"]', "twice"),
        ('labels = ["a", "b"]\nlabel = "kind"', "there is no schema"),
        ("threshold = 0.5", "there are no labels"),
        ('labels = ["a", "b"]\ntests = [{ input = "x", output = "c" }]', "none of the labels"),
        ('tests = [{ input = "x", output = { a = 1 } }]', "no text"),
    ):
        with pytest.raises(ConfigError, match=says):
            agents(tmp_path, f'[agents.sort]\nsystem = "Sort."\n{text}\n')


def test_an_input_fills_the_template_or_is_told_what_it_lacks(tmp_path):
    sort = agents(tmp_path)["sort"]
    assert fill(sort, {"subject": 7, "body": ["a", None], "more": 1}) == 'Subject: 7\n\n["a",null] {sic}'
    assert fill(sort, {"subject": "{body}", "body": None}) == "Subject: {body}\n\n {sic}"
    assert fill(sort, {"subject": "x"}) == Unfit("the input has no body", 'give {"subject": …, "body": …}')
    assert fill(sort, "a text") == Unfit(
        "the input has no subject and no body", 'give {"subject": …, "body": …}'
    )
    triage = agents(tmp_path)["triage"]
    assert fill(triage, "a text") == fill(triage, {"input": "a text"}) == "a text"
    assert fill(triage, {"from": "Ann", "body": "Help"}) == "from: Ann\nbody: Help"


def test_a_schema_that_points_elsewhere_is_refused_and_nothing_is_fetched(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.json"
        agent = f'[agents.a]\nsystem = "Sort."\nschema = {{ "$ref" = "{address}" }}\n'
        with pytest.raises(ConfigError, match="nothing is fetched"):
            parse_config(PAGE + agent, tmp_path / "headgate.toml")
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_schema_in_a_file_that_is_none_is_named_with_its_file_and_place(tmp_path):
    (tmp_path / "form.json").write_text('{"properties": {"a": {"type": "strange"}}}')
    agent = '[agents.a]\nsystem = "Sort."\nschema = "form.json"\n'
    with pytest.raises(ConfigError, match=r"the schema form\.json cannot be used: at properties/a/type"):
        parse_config(PAGE + agent, tmp_path / "headgate.toml")
