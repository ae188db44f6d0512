"""The user's page: what it means, and what each mistake in it is told."""

from datetime import UTC, datetime
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from msgspec import Struct

from headgate.config.load import TABLES, load_config, parse_config, starter_text
from headgate.config.places import data_home, read_secret
from headgate.config.prices import find_price
from headgate.config.schema import FileTable
from headgate.core.errors import ConfigError
from headgate.core.policy import decide
from headgate.core.signals import measure
from headgate.core.types import FleetView, Message, Request, Signals

SMALL = """
[engines.home]
kind = "ollama"

[engines.cloud]
kind = "anthropic"
key = "env:NO_SUCH_KEY"

[models.llama]
engine = "home"
id = "llama3.1:8b"

[models.claude]
engine = "cloud"
id = "claude-sonnet-5-5"

[[routes]]
name = "code"
tasks = ["code"]
try = ["llama", "claude"]

[[routes]]
name = "rest"
try = ["llama"]
"""


def route_of(config, task, tokens):
    signals = Signals(task=task, task_confidence=1.0, task_by="caller", tokens=tokens, tokens_exact=True)
    decision = decide(
        config.policy, FleetView(), Request(id="x", asked="auto", messages=(Message("user", "x"),)), signals
    )
    return decision.route, decision.chain


def test_the_starter_page_holds_the_four_rules_of_the_user():
    config = parse_config(starter_text(), None)
    assert route_of(config, "classification", 500) == ("labels", ("phi", "phi@32k", "claude"))
    assert route_of(config, "sentiment", 9000) == ("labels", ("phi@32k", "claude"))
    assert route_of(config, "summarization", 1999) == ("short summaries", ("llama", "claude"))
    assert route_of(config, "summarization", 2000) == ("everything else", ("llama", "claude"))
    assert route_of(config, "code", 100) == ("code", ("coder", "claude"))
    assert route_of(config, "reasoning", 4000) == ("everything else", ("llama", "claude"))
    assert route_of(config, "reasoning", 4001) == ("long", ("claude",))
    assert route_of(config, None, 10) == ("everything else", ("llama", "claude"))
    assert config.policy.models["phi"].id == "phi-3-mini-128k-instruct"
    assert config.engines["lmstudio"].url == "http://127.0.0.1:1234"
    assert config.engines["ollama"].parallel == 4


EMBEDS = (
    SMALL
    + """
[models.nomic]
engine = "home"
id = "nomic-embed-text"
kind = "embedding"
"""
)


def vectors(tasks):
    return f'[[routes]]\nname = "vectors"\n{tasks}\ntry = ["nomic"]\n\n[[routes]]\nname = "code"'


def embedded(page):
    """Where "auto" sends texts to embed."""
    config = parse_config(page, Path("headgate.toml"))
    request = Request(id="x", asked="auto", kind="embedding", messages=(Message("user", "x"),))
    return decide(config.policy, FleetView(), request, measure(request, config.policy))


def test_texts_to_embed_go_to_their_own_route_or_to_the_first_model_that_embeds():
    alone = embedded(EMBEDS)
    assert (alone.route, alone.chain, alone.checks) == ("embeddings", ("nomic",), ())
    page = EMBEDS.replace('[[routes]]\nname = "code"', vectors('tasks = ["embedding"]'))
    assert (embedded(page).route, embedded(page).chain) == ("vectors", ("nomic",))
    chats = parse_config(page, Path("headgate.toml"))
    assert route_of(chats, "embedding", 10) == ("rest", ("llama",))
    assert chats.policy.token_limits == parse_config(SMALL, Path("headgate.toml")).policy.token_limits


MISTAKES = [
    (
        "a route for everything that embeds",
        EMBEDS.replace('try = ["llama"]', 'try = ["nomic"]'),
        24,
        ['tries "nomic", which makes embeddings', 'tasks = ["embedding"]'],
    ),
    (
        "a route for two kinds of models",
        EMBEDS.replace('[[routes]]\nname = "code"', vectors('tasks = ["embedding"]')).replace(
            'try = ["nomic"]', 'try = ["nomic", "llama"]'
        ),
        20,
        ['"nomic", which makes embeddings, and "llama", which answers', "write two routes"],
    ),
    (
        "embeddings from Anthropic",
        EMBEDS.replace('engine = "home"\nid = "nomic', 'engine = "cloud"\nid = "nomic'),
        29,
        ['"nomic" makes embeddings', "has none"],
    ),
    (
        "unknown key",
        SMALL.replace('id = "llama3.1:8b"', 'idd = "llama3.1:8b"'),
        11,
        ['[models.llama] has no "idd"', 'did you mean "id"?'],
    ),
    ("unknown table", SMALL + "[limit]\nattempts = 3\n", 25, ['has no "limit"', 'did you mean "limits"?']),
    ("unknown task", SMALL.replace('["code"]', '["coding"]'), 19, ['"coding"', 'did you mean "code"?']),
    ("unknown kind", SMALL.replace('"ollama"', '"olama"'), 3, ['"olama"', 'did you mean "ollama"?']),
    (
        "unknown model",
        SMALL.replace('["llama", "claude"]', '["lama", "claude"]'),
        20,
        ['tries "lama"', 'did you mean "llama"?'],
    ),
    (
        "unknown engine",
        SMALL.replace('engine = "cloud"', 'engine = "clout"'),
        14,
        ['"clout"', 'did you mean "cloud"?'],
    ),
    (
        "unknown check",
        SMALL + '[quality]\nalways = ["not-emty"]\n',
        26,
        ['"not-emty"', 'did you mean "not-empty"?'],
    ),
    ("missing key", SMALL.replace('id = "llama3.1:8b"\n', ""), 9, ['"id" is missing']),
    (
        "a text for a number",
        SMALL.replace('["llama"]\n', '["llama"]\n[limits]\nattempts = "three"\n'),
        26,
        ["attempts", "expected `int`"],
    ),
    ("a bad duration", SMALL + '[limits]\nanswer_within = "soon"\n', 26, ['"soon" is not a duration', "30s"]),
    (
        "a negative limit",
        SMALL.replace('name = "code"\n', 'name = "code"\ntokens_over = -5\n'),
        19,
        ["cannot be negative"],
    ),
    ("a share above one", SMALL + "[quality]\npass_at = 60\n", 26, ["between 0 and 1"]),
    (
        "no last route",
        SMALL.replace('name = "rest"\n', 'name = "rest"\ntasks = ["chat"]\n'),
        23,
        ["has a condition", "everything else"],
    ),
    (
        "a key in the open",
        SMALL.replace("env:NO_SUCH_KEY", "sk-ant-123"),
        None,
        ["never the key itself", "env:"],
    ),
    ("a bad address", SMALL + '[server]\nlisten = "4141"\n', 26, ["not a host and a port", "127.0.0.1:4141"]),
    ("not TOML", SMALL.replace("[engines.cloud]", "[engines.cloud"), 5, ["line 5"]),
    (
        "twice the same model",
        SMALL.replace('["llama", "claude"]', '["llama", "llama"]'),
        20,
        ["names a model twice"],
    ),
    (
        "paid on a local route",
        SMALL.replace('name = "code"\n', 'name = "code"\nlocal_only = true\n'),
        21,
        ["is local_only", '"claude"'],
    ),
    ("a reserved name", SMALL.replace("[models.llama]", "[models.auto]"), 9, ['"auto" cannot name a model']),
    ("a missing check file", SMALL + '[quality]\nalways = ["./nope.py:polite"]\n', 26, ["there is no file"]),
    ("a duration of nothing", SMALL + '[streaming]\nkeep_alive = "0s"\n', 26, ["longer than nothing"]),
    ("money without end", SMALL + "[limits]\npaid_per_day = inf\n", 26, ["without end"]),
    (
        "an impossible address",
        SMALL.replace('kind = "ollama"', 'kind = "ollama"\nurl = "http://[::1/v1"'),
        4,
        ["not an http address"],
    ),
    ("a strange port", SMALL + '[server]\nlisten = "127.0.0.1:²"\n', 26, ["not a host and a port"]),
    ("a strange time zone", SMALL + '[report]\ntimezone = "utcc"\n', 26, ['did you mean "utc"?']),
    ("a name of two lines", SMALL.replace('name = "code"', 'name = "co\\nde"'), 18, ["one line of text"]),
    (
        "a budget without a period",
        SMALL + '[[budgets]]\nname = "web"\ndollars = 5\n',
        25,
        ['"per" is missing'],
    ),
    (
        "a strange period",
        SMALL + '[[budgets]]\nname = "web"\nper = "moth"\ndollars = 5\n',
        27,
        ['did you mean "month"?'],
    ),
    (
        "a strange action",
        SMALL + '[[budgets]]\nname = "web"\nper = "day"\ndollars = 5\nwhen_spent = "locl"\n',
        29,
        ['did you mean "local"?'],
    ),
    (
        "two budgets of one name",
        SMALL + '[[budgets]]\nname = "a"\nper = "day"\ndollars = 5\n' * 2,
        30,
        ['two budgets are called "a"'],
    ),
    (
        "a budget that is called as the shorthand",
        SMALL + '[limits]\npaid_per_day = 1\n[[budgets]]\nname = "day"\nper = "day"\ndollars = 5\n',
        28,
        ["paid_per_day is the budget day"],
    ),
    (
        "a budget of less than nothing",
        SMALL + '[[budgets]]\nname = "a"\nper = "day"\ndollars = -5\n',
        28,
        ["cannot be negative"],
    ),
    (
        "a budget without a name",
        SMALL + '[[budgets]]\nname = ""\nper = "day"\ndollars = 5\n',
        26,
        ["cannot name a budget"],
    ),
    (
        "a strange rule for keys",
        SMALL + '[server]\nkeys = "require"\n',
        26,
        ['did you mean "required"?'],
    ),
    ("no route at all", SMALL[: SMALL.index("[[routes]]")], None, ['"routes" is missing']),
]


@pytest.mark.parametrize(("page", "line", "words"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_names_the_file_the_line_and_the_word_that_was_meant(tmp_path, page, line, words):
    with pytest.raises(ConfigError) as caught:
        parse_config(page, tmp_path / "headgate.toml")
    said = f"{caught.value.message} / {caught.value.hint}"
    assert "headgate.toml" in said
    for word in words:
        assert word in said
    if line is not None:
        assert f"line {line}:" in said
    assert "sk-ant" not in said


def test_a_file_that_is_not_text_is_said_to_be_so(tmp_path):
    path = tmp_path / "headgate.toml"
    path.write_bytes(b"\xff\xfe[server]")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(str(path))
    with pytest.raises(ConfigError, match="there is no file"):
        load_config(str(tmp_path / "nope.toml"))


def test_files_from_windows_are_read(tmp_path):
    path = tmp_path / "headgate.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load_config(str(path)).source == path


def test_a_key_file_that_is_not_text_is_no_key():
    assert read_secret("file:/bin/sh") is None


def test_without_a_file_the_starter_page_serves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    assert load_config().source is None
    (tmp_path / "headgate.toml").write_text(SMALL)
    assert load_config().source == tmp_path / "headgate.toml"


def test_a_users_own_check_is_one_function_named_in_the_page(tmp_path):
    (tmp_path / "mine.py").write_text("def polite(answer):\n    return 'please' in answer.reply.text\n")
    page = SMALL.replace('name = "rest"\n', 'name = "rest"\nchecks = ["./mine.py:polite"]\n')
    config = parse_config(page, tmp_path / "headgate.toml")
    assert "./mine.py:polite" in config.checks
    assert route_of(config, "chat", 1)[0] == "rest"


def test_paid_engines_are_never_local_and_home_is_free():
    config = parse_config(
        SMALL.replace('key = "env:NO_SUCH_KEY"', 'key = "env:NO_SUCH_KEY"\nurl = "http://127.0.0.1:9"'), None
    )
    llama, claude = config.policy.models["llama"], config.policy.models["claude"]
    assert (llama.local, llama.price.input, llama.price.output) == (True, 0.0, 0.0)
    assert not claude.local
    assert (claude.price.input, claude.price.output) == (2.0, 10.0)
    cloud = parse_config(SMALL.replace("llama3.1:8b", "gpt-oss:120b-cloud"), None)
    assert not cloud.policy.models["llama"].local


def test_the_users_own_price_wins_and_an_unknown_price_is_unknown():
    own = SMALL.replace(
        'id = "claude-sonnet-5-5"', 'id = "claude-sonnet-5-5"\nprice = { input = 1.5, output = 7 }'
    )
    price = parse_config(own, None).policy.models["claude"].price
    assert (price.input, price.output, price.source) == (1.5, 7.0, "your config")
    strange = SMALL.replace("claude-sonnet-5-5", "claude-of-tomorrow")
    assert parse_config(strange, None).policy.models["claude"].price is None
    alias = SMALL.replace(
        'id = "claude-sonnet-5-5"', 'id = "our-proxy"\nprice_as = "anthropic/claude-sonnet-5-5"'
    )
    assert parse_config(alias, None).policy.models["claude"].price.input == 2.0


def test_list_prices_are_dated_and_tiered():
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert find_price("gpt-4o", "openai", on=now).input == 2.5
    haiku = find_price("claude-haiku-5-5", "anthropic", on=now)
    assert [(band.above, band.input, band.output) for band in haiku.bands] == [(100_000, 0.5, 2.5)]
    assert haiku.date == "2026-11-23"
    assert find_price("no-such-model", "openai") is None
    embeds = find_price("text-embedding-3-small", "openai", kind="embedding", on=now)
    assert (embeds.input, embeds.output) == (0.02, 0.0)
    assert find_price("text-embedding-3-small", "openai", on=now) is None, "nobody says what its answers cost"


def test_secrets_come_by_reference_and_never_show(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_KEY", "sk-secret")
    (tmp_path / "key").write_text("sk-file\n")
    assert read_secret("env:SOME_KEY") == "sk-secret"
    assert read_secret(f"file:{tmp_path / 'key'}") == "sk-file"
    assert read_secret("env:NOT_SET_ANYWHERE") is None
    config = parse_config(SMALL.replace("NO_SUCH_KEY", "SOME_KEY"), None)
    assert config.engines["cloud"].key == "sk-secret"
    assert "sk-secret" not in repr(config)


def test_data_has_one_place(monkeypatch, tmp_path):
    monkeypatch.setenv("HEADGATE_DATA", str(tmp_path))
    assert data_home() == Path(tmp_path)
    assert parse_config(SMALL, None).ledger.path == tmp_path / "ledger.db"


LOCAL_MODEL = """
[engines.home]
kind = "ollama"

[models.llama]
engine = "home"
id = "llama3.1:8b"
{model}

{more}
[[routes]]
name = "everything else"
try = ["llama"]
{route}
"""


def test_a_model_has_a_lane_for_each_of_its_contexts_the_shortest_under_its_own_name():
    text = LOCAL_MODEL.format(model="context = [32768, 8192, 5000]", more="", route="")
    policy = parse_config(text, None).policy
    assert {name: model.context for name, model in policy.models.items()} == {
        "llama": 5000,
        "llama@8k": 8192,
        "llama@32k": 32768,
    }
    assert policy.routes[0].chain == ("llama", "llama@8k", "llama@32k")
    assert list(policy.named) == ["llama"]


def test_a_route_waits_as_it_says_and_else_as_the_limits_say():
    text = LOCAL_MODEL.format(model="", more="", route='queue_for = "7s"\nwhen_busy = "wait"')
    (route,) = parse_config(text, None).policy.routes
    assert (route.queue_for, route.when_busy) == (7.0, "wait")
    (route,) = parse_config(LOCAL_MODEL.format(model="", more="", route=""), None).policy.routes
    assert (route.queue_for, route.when_busy) == (3.0, "next")


@pytest.mark.parametrize(
    ("model", "more", "route", "words"),
    [
        ("context = [1024, 2048, 4096, 8192]", "", "", "4 contexts are given, but a model has one to 3"),
        ("context = []", "", "", "0 contexts are given"),
        ("context = [0, 8192]", "", "", "context is 0, but must be at least 1"),
        ('kind = "embedding"\ncontext = [512, 2048]', "", "", "it makes embeddings"),
        ("", "[fleet]\nvram_gb = 0", "", "must be more than nothing"),
        ("", "", 'when_busy = "pray"', '"pray"'),
        ("", "", 'queue_for = "soon"', '"soon" is not a duration'),
        ("parallel = 0", "", "", "parallel is 0"),
    ],
)
def test_what_cannot_be_of_lanes_memory_and_waiting_is_an_error_with_its_place(model, more, route, words):
    with pytest.raises(ConfigError) as caught:
        parse_config(LOCAL_MODEL.format(model=model, more=more, route=route), None)
    assert words in caught.value.message
    assert "line" in caught.value.message


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('[learn]\nmay = "bring"', '"bring" is not one of the words for may', "bring home"),
        ('[learn]\nmay = "all"', '"all" is not one of the words for may', "one of: bring home, skip"),
        ("[learn]\nskip_belw = 0.2", '[learn] has no "skip_belw"', "skip_below"),
        ("[fleet]\nvram = 8", '[fleet] has no "vram"', "vram_gb"),
        ("[batches]\nfile_limit = 3", '[batches] has no "file_limit"', "file_limit_mb"),
        ('[streaming]\nmode = "peak"', '"peak" is not one of the words for mode', "peek"),
        ('[engines.bench]\nkind = "ollama"\nkv_cache = "f12"', "for kv_cache", "f16"),
        ('[engines.bench]\nkind = "olama"', '"olama" is not one of the words for kind', "ollama"),
        ("[report.warn]\nat_leest = 3", '"at_leest"', "at_least"),
    ],
)
def test_a_word_that_a_table_does_not_know_is_answered_with_those_that_it_knows(line, message, hint):
    with pytest.raises(ConfigError) as caught:
        parse_config(f'[engines.home]\nkind = "ollama"\n{line}\n', Path("headgate.toml"), lambda *_: None)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('[ledger]\nflush = "99999999999999d"', "must be at most 36500d"),
        ("[limits]\npaid_per_day = 1e308", "must be at most 1,000,000,000"),
        ("[limits]\npaid_per_request = 1e10", "must be at most 1,000,000,000"),
        ("[limits]\nattempts = 10000000000000000000", "must be at most 1,000,000,000"),
        ('[[budgets]]\nname = "all"\nper = "day"\ndollars = 1e308', "must be at most 1,000,000,000"),
        ('[models.m]\nengine = "home"\nid = "s"\nprice = { input = 1e12, output = 1 }', "must be at most 1,000,000,000"),
        ('[models.m]\nengine = "home"\nid = "s"\nparallel = 20_000', "must be at most 10,000"),
        ('[engines.bench]\nkind = "llamacpp"\nparallel = 10000000000000000000', "must be at most 10,000"),
        ('[engines.bench]\nkind = "llamacpp"\nthreads = 10000000000000000000', "must be at most 10,000"),
        ('[engines.bench]\nkind = "llamacpp"\nthreads = 0', "must be at least 1"),
        ("[report]\nwarn = { at_least = nan }", "cannot be negative or without end"),
        ("[report]\nwarn = { at_least = -1 }", "cannot be negative or without end"),
    ],
)  # fmt: skip
def test_numbers_that_nobody_means_are_refused_with_their_line(line, message):
    with pytest.raises(ConfigError) as caught:
        parse_config(f"{SMALL}\n{line}\n", Path("headgate.toml"), lambda *_: None)
    assert message in caught.value.message
    assert "headgate.toml, line " in caught.value.message


def test_every_table_of_a_page_is_known_to_those_who_explain_what_is_wrong_in_it():
    named = {
        name: inner
        for name, hint in get_type_hints(FileTable).items()
        for inner in (hint, *get_args(hint))
        if isinstance(inner, type) and issubclass(inner, Struct)
    }
    assert named == {name: table for name, table in TABLES.items() if name}


@pytest.mark.parametrize("table", ["[models.small.confidence_for]\nqu = -1", "[quality.tasks]\nqu = []"])
def test_a_task_that_there_is_not_is_named_with_its_line_and_the_one_that_was_meant(table):
    page = f'[engines.home]\nkind = "ollama"\n[models.small]\nengine = "home"\nid = "s"\n{table}\n'
    with pytest.raises(ConfigError) as caught:
        parse_config(page, Path("headgate.toml"), lambda *_: None)
    assert f'line 7: "qu" is not one of the words for {table.partition("]")[0].split(".")[-1]}' in str(
        caught.value
    )
    assert "qa" in caught.value.hint
