"""What the pages list is what the code has: keys, words, headers, codes, counters, packages, commands."""

import json
import re
import types
from importlib import import_module
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from docs_pages import DOCS, PAGES, ROOT, anchors, coded, prose, rows, section

from headgate.batches.front.messages import MessagesFront
from headgate.batches.front.service import FrontService
from headgate.cli.main import COMMANDS
from headgate.config import schema
from headgate.core import words
from headgate.dash.routing import RoutingService
from headgate.dash.service import PageService
from headgate.gateway.metrics import Metrics
from headgate.gateway.paths import METHODS, ONE_MODEL
from headgate.gateway.services import ADMIN
from headgate.lab.benchmarks.report import METHOD
from headgate.workers.agents_service import AgentsService
from headgate.workers.kb_service import KbService

SOURCE = ROOT / "src" / "headgate"

TABLES = {
    "## [server]": schema.ServerTable,
    "## [engines.NAME]": schema.EngineTable,
    "## [models.NAME]": schema.ModelTable,
    "## [[routes]]": schema.RouteTable,
    "## [fleet]": schema.FleetTable,
    "## [quality]": schema.QualityTable,
    "## [limits]": schema.LimitsTable,
    "## [streaming]": schema.StreamingTable,
    "## [embeddings]": schema.EmbeddingsTable,
    "## [ledger]": schema.LedgerTable,
    "## [[budgets]]": schema.BudgetTable,
    "## [batches]": schema.BatchesTable,
    "## [report]": schema.ReportTable,
    "## [energy]": schema.EnergyTable,
    "## [audit]": schema.AuditTable,
    "## [tune]": schema.TuneTable,
    "## [learn]": schema.LearnTable,
    "## [agents.NAME]": schema.AgentTable,
}

KINDS = {
    "text": "text",
    "duration": "text",
    "word": "word",
    "integer": "integer",
    "number": "number",
    "true or false": "true or false",
    "integer or list of integers": "integer or list of integer",
    "list of texts": "list of text",
    "list of words": "list of word",
    "table": "table",
    "table or path": "table or text",
    "list of texts or table": "list of text or table",
    "list of tables or path": "list of table or text",
    "list of texts or tables": "list of text or table",
}
"""The docs' word for a type → what the code can tell of it."""


def kind_of(annotation: Any) -> str:
    """What the code can tell of a key's type."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind_of(one) for one in get_args(annotation) if one is not type(None)]
        return " or ".join(kinds)
    if get_origin(annotation) is Literal:
        return "word"
    if get_origin(annotation) in (list, tuple):
        return f"list of {kind_of(get_args(annotation)[0])}"
    if get_origin(annotation) is dict or (
        isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)
    ):
        return "table"
    return {str: "text", int: "integer", float: "number", bool: "true or false"}[annotation]


def default_of(field: msgspec.inspect.Field | Any) -> str:
    """A key's default, as TOML has it."""
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if value is None:
        return ""
    if isinstance(value, msgspec.Struct):
        known = {key: one for key, one in msgspec.to_builtins(value).items() if one is not None}
        return f"`{{ {', '.join(f'{key} = {json.dumps(one)}' for key, one in known.items())} }}`"
    return f"`{msgspec.json.encode(value).decode().replace(',', ', ')}`"


def keys_of(struct: type[msgspec.Struct]) -> dict[str, tuple[str, str]]:
    """Key → type and default."""
    hints = get_type_hints(struct)
    return {
        field.encode_name: (kind_of(hints[field.name]), default_of(field))
        for field in msgspec.structs.fields(struct)
    }


def told(text: str) -> dict[str, tuple[str, str]]:
    """The same, as a table of the docs tells it."""
    return {
        cells[0].strip("`"): (KINDS.get(cells[1], cells[1]), cells[2])
        for cells in rows(text)
        if len(cells) == 4 and cells[3]
    }


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_of_the_config_has_every_key_with_its_type_and_default(heading):
    found = told(section(DOCS / "config.md", heading))
    if heading == "## [models.NAME]":
        found = {
            name: row
            for name, row in found.items()
            if name not in {*keys_of(schema.PriceTable), *keys_of(schema.PrefixesTable)}
        }
    wanted = keys_of(TABLES[heading])
    assert found == wanted
    if heading != "## [[routes]]":
        assert list(found) == list(wanted)


@pytest.mark.parametrize("table", [schema.PriceTable, schema.PrefixesTable])
def test_the_page_of_the_config_has_the_keys_of_a_models_tables(table):
    found = told(section(DOCS / "config.md", "## [models.NAME]"))
    wanted = keys_of(table)
    assert {name: row for name, row in found.items() if name in wanted} == wanted


def test_the_page_of_the_config_has_every_table():
    inner = {schema.PriceTable, schema.PrefixesTable, schema.ShownTable, schema.ToolTable, schema.BoundsTable}
    described = {*TABLES.values(), *inner, schema.FileTable}
    structs = {
        one for one in vars(schema).values() if isinstance(one, type) and one.__name__.endswith("Table")
    }
    assert structs == described


@pytest.mark.parametrize(
    ("heading", "known"),
    [("## Which models, and why not the others", words.SKIPS), ("## How a request ends", words.STATUSES)],
)
def test_the_page_of_routing_explains_every_word(heading, known):
    assert {cells[0].strip("`") for cells in rows(section(DOCS / "routing.md", heading))} == set(known)


def test_the_page_of_routing_explains_every_fallback_reason_failure_and_mode():
    page = DOCS / "routing.md"
    reasons = {
        cells[0].strip("`").removesuffix(" > N")
        for cells in rows(section(page, "## Why a paid model answered"))
    }
    assert reasons == set(words.FALLBACKS)
    assert {cells[0].strip("`") for cells in rows(section(page, "## Streams"))} == set(words.MODES)
    failures = {word for span in coded(section(page, "## The cascade")) for word in span.split()}
    assert set(words.FAILURES) <= failures


def test_the_design_names_every_closed_word():
    text = section(DOCS / "design.md", "## 3. The words")
    said = set(coded(text))
    for known in (words.TASKS, words.SKIPS, words.FAILURES, words.FALLBACKS, words.STATUSES):
        assert set(known) <= said


def test_the_design_names_every_package():
    packages = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    text = section(DOCS / "design.md", "## 2. Layers: who may import whom")
    assert {cells[0].strip("`") for cells in rows(text)} == packages | {"app", "client", "starting"}


def test_the_page_of_the_door_names_every_path_header_code_and_counter():
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    named = {cells[0].strip("`").split()[1] for cells in rows(page.partition("## A request")[0])}
    assert named == {*METHODS, f"{ONE_MODEL}NAME"}
    agents = {cells[0].strip("`").split()[1] for cells in rows(section(DOCS / "api.md", "## Subagents"))[:4]}
    assert agents == {path.replace("{name}", "NAME") for path in AgentsService.methods}
    bases = {
        cells[0].strip("`").split()[1] for cells in rows(section(DOCS / "api.md", "## Knowledge bases"))[:3]
    }
    assert bases == {path.replace("{name}", "NAME") for path in KbService.methods}
    front = [cells[0].strip("`").split() for cells in rows(section(DOCS / "api.md", "## Batches"))]
    served = {
        (method, path.replace("{", "").replace("}", ""))
        for path, all_ in (FrontService.methods | MessagesFront.methods).items()
        for method in all_
    }
    assert {
        (method, path.replace("FILE_ID", "file_id").replace("BATCH_ID", "batch_id")) for method, path in front
    } == served
    shown = {
        cells[0].strip("`").split()[1]: cells[0].strip("`").split()[0]
        for cells in rows(section(DOCS / "api.md", "## What the page asks for"))
    }
    assert shown == {
        path.replace("{id}", "ID").replace("{week}", "WEEK"): methods[0]
        for path, methods in (PageService.methods | RoutingService.methods).items()
        if path.startswith(ADMIN)
    }
    code = "".join(path.read_text(encoding="utf-8") for path in sorted((SOURCE / "gateway").glob("*.py")))
    code += "".join(
        path.read_text(encoding="utf-8") for path in sorted((SOURCE / "batches" / "front").glob("[fs]*.py"))
    )
    assert set(re.findall(r"x-headgate-[a-z-]*[a-z]", code)) == set(
        re.findall(r"x-headgate-[a-z-]*[a-z]", page)
    )
    doors = sorted((SOURCE / "wire" / "doors").glob("*.py"))
    code += "".join(path.read_text(encoding="utf-8") for path in doors)
    errors = section(DOCS / "api.md", "## Errors")
    code += "".join(path.read_text(encoding="utf-8") for path in sorted((SOURCE / "dash").glob("*.py")))
    missing = [
        word for word in re.findall(r'(?:code="|code = \d+, ")(\w+)"', code) if f"`{word}`" not in errors
    ]
    assert not missing
    named = {span for span in coded(section(DOCS / "api.md", "## /metrics")) if span.startswith("headgate_")}
    for metric in Metrics().registry.collect():
        assert metric.name in named or f"{metric.name}_total" in named


def test_the_page_of_commands_is_what_the_commands_say():
    page = import_script("docs_commands").page()
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == page, "run scripts/docs_commands.py --write"


def test_the_page_of_dependencies_has_a_row_and_a_reason_for_each_direct_one():
    script = import_script("dependencies")
    direct = set(script.direct_names())
    measured, _, reasons = (DOCS / "dependencies.md").read_text(encoding="utf-8").partition(script.END)
    assert {cells[0] for cells in rows(measured)} == direct
    assert {cells[0] for cells in rows(reasons.partition("## Extras")[0])} == direct


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        assert place.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(place), f"{page.name} links to {target}"


def test_the_index_and_the_readme_lead_to_every_page():
    pages = {path.name for path in DOCS.glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\((\w+\.md)\)", (DOCS / "README.md").read_text(encoding="utf-8"))) >= pages
    assert set(re.findall(r"\]\(docs/(\w+\.md)\)", (ROOT / "README.md").read_text(encoding="utf-8"))) >= pages


def test_the_changelog_names_every_command():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_mentions_is_there(page):
    planned = set(
        coded(
            (DOCS / "design.md")
            .read_text(encoding="utf-8")
            .partition("Planned: `agents`")[2]
            .partition("\n")[0]
        )
    )
    for span in coded(prose(page)):
        if span.startswith("headgate ") and (word := span.split()[1]).isalpha() and word not in planned:
            assert word in COMMANDS, f"{page.name} speaks of `{span}`"


def import_script(name: str) -> Any:
    """A program of scripts/ as a module."""
    import sys

    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return import_module(name)
    finally:
        sys.path.pop(0)


def test_every_hint_names_a_command_that_there_is():
    told = [
        (path.name, word)
        for path in SOURCE.rglob("*.py")
        for hint in re.findall(r'hint=f?"([^"]*)"', path.read_text(encoding="utf-8"))
        for word in re.findall(r"\bheadgate ([a-z]+)", hint)
    ]
    assert told
    assert [(name, word) for name, word in told if word not in COMMANDS] == []


def test_the_page_of_benchmarks_tells_the_method_of_todays_code():
    page = (DOCS / "benchmarks_routing.md").read_text(encoding="utf-8")
    assert METHOD in page, "headgate lab benchmark FOLDER --write docs/benchmarks_routing.md"
    for columns in ("| kind left out |", "| saved, seen |"):
        assert columns in page
