"""`headgate agents test --add FILE`: tests from JSON Lines or CSV, put where the agent has its tests.

An agent without tests gets the file NAME.tests.jsonl beside its own. What was added is proven by loading the config with it; where
that fails, the files are as they were. It does not know how tests are run.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.core.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.config.schema import ShownTable
    from headgate.core.subagent import Agent


def add_tests(config: "Config", agent: "Agent", file: str) -> str:
    """Add the tests of a file to an agent; what was done, for people. Those that it has already are left out.

    Raises:
        UsageError: the agent has no file of its own, or the tests cannot be read.
        ConfigError: they do not fit the agent; nothing was changed.
    """
    from headgate.reports.shown import count

    if not agent.source:
        raise UsageError(
            f"{agent.name} is built in and cannot get tests",
            f"headgate agents new {agent.name} --from {agent.name} makes a copy that is yours, and wins over it",
        )
    given = read_tests(agent, Path(file).expanduser())
    known = {msgspec.json.encode(test.given) for test in agent.tests}
    fresh = [test for test in given if msgspec.json.encode(test.input) not in known]
    there = f"; {len(given) - len(fresh)} were there already" if len(fresh) < len(given) else ""
    if not fresh:
        return f"nothing to add{there}"
    target = put_tests(config, agent, fresh)
    return f"{count(len(fresh), 'test')} added to {target}{there}"


def read_tests(agent: "Agent", path: Path) -> "list[ShownTable]":
    """The tests of a file, each proven to be one of the agent's.

    Raises:
        UsageError: it cannot be read, or one does not fit, with its line.
    """
    from headgate.config.agent_shown import Form, checked, read_file
    from headgate.config.misfit import Misfit

    form = Form(
        template=agent.template,
        labels=agent.labels,
        label=agent.label,
        schema=None if agent.schema is None else msgspec.json.decode(agent.schema),
        asked=None if agent.asked is None else msgspec.json.decode(agent.asked),
    )

    if not path.is_file():
        raise UsageError(f"there is no file {path}", "tests come from JSON Lines or CSV")
    try:
        found = list(read_file(("tests",), str(path.resolve()), [path.parent]))
        for table, source in found:
            checked(table, source, form, whole=False)
    except Misfit as error:
        line = f", line {error.line}" if error.line else ""
        raise UsageError(f"{path}{line}: {error.message}", error.hint) from error
    if not found:
        raise UsageError(f"{path} has no tests", 'a line is {"input": "…", "output": "…"}')
    return [table for table, _ in found]


def put_tests(config: "Config", agent: "Agent", tests: "Sequence[ShownTable]") -> Path:
    """Write tests where the agent has its tests; the file that they went into."""
    import tomlkit

    from headgate.cli.agents_known import in_config

    page = Path(agent.source)
    document: Any = tomlkit.parse(page.read_text(encoding="utf-8"))
    table = document["agents"][agent.name] if in_config(config, agent) else document
    named = table.get("tests")
    if isinstance(named, list) and named:
        changed = {page: with_tables(document, table, tests)}
        target = page
    else:
        if not isinstance(named, str):
            table["tests"] = named = f"{agent.name}.tests.jsonl"
        target = page.parent / named
        changed = {page: tomlkit.dumps(document), target: with_lines(target, tests)}
    write_or_restore(changed, config)
    return target


def with_tables(document: Any, table: Any, tests: "Sequence[ShownTable]") -> str:
    """The page with more [[tests]]."""
    import tomlkit

    for test in tests:
        one = tomlkit.table()
        one["input"], one["output"] = test.input, test.output
        table["tests"].append(one)
    return tomlkit.dumps(document)


def with_lines(path: Path, tests: "Sequence[ShownTable]") -> str:
    """A file of tests with more of them: JSON Lines, or a CSV file with the columns that it has.

    Raises:
        UsageError: the columns of the CSV file hold no such tests.
    """
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    if path.suffix != ".csv":
        return before + "".join(f"{msgspec.json.encode(test).decode()}\n" for test in tests)
    names = next(csv.reader(io.StringIO(before)), [])
    out = io.StringIO()
    for test in tests:
        fields = {"input": test.input} if isinstance(test.input, str) else dict(test.input)
        output = test.output if isinstance(test.output, str) else msgspec.json.encode(test.output).decode()
        cells = {**fields, "output": output}
        if set(cells) != set(names):
            raise UsageError(
                f"{path} has the columns {', '.join(names)}, and a new test has {', '.join(cells)}",
                "write them into the same columns",
            )
        csv.writer(out, lineterminator="\n").writerow([cells[name] for name in names])
    return before + out.getvalue()


def write_or_restore(changed: dict[Path, str], config: "Config") -> None:
    """Write files and load the config with them; if it does not load, they are put back.

    Raises:
        ConfigError: why it does not load.
    """
    from headgate.config.load import load_config

    before = {path: path.read_bytes() if path.is_file() else None for path in changed}
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8")
    try:
        load_config(str(config.source) if config.source is not None else None, lambda *_: None)
    except ConfigError:
        for path, was in before.items():
            if was is None:
                path.unlink()
            else:
                path.write_bytes(was)
        raise
