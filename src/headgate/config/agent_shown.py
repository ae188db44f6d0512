"""Examples and tests of an agent: from tables of the page, or from a JSONL or CSV file beside it.

Each is an input with the output that is right for it, and is held against the agent's template, labels and schema. An example's
output is whole; a test's has the fields that have to be right, the label among them.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.config.agent_files import Origin, read_text
from headgate.config.agent_schemas import Schema, find_file, raw
from headgate.config.lines import find_item
from headgate.config.misfit import Misfit
from headgate.config.schema import ShownTable
from headgate.core.checks.schemas import compiled, misfit
from headgate.core.errors import ConfigError
from headgate.core.subagent import Shown
from headgate.core.templates import Unfit, fill_template

Place = Sequence[str | int]
OUTPUT = "output"
"""The column of a CSV file that is no part of the input."""


class Form(Struct, frozen=True, kw_only=True):
    """What an agent's inputs and outputs look like."""

    template: str
    labels: tuple[str, ...] = ()
    label: str = ""
    schema: Schema | None = None
    asked: Schema | None = None
    """The schema without the field that the gate fills in."""
    trusted: bool = False
    """Its outputs are known to fit: a validator takes memory that a gate without schemas does not need."""


class Source(Struct, frozen=True):
    """Where one example or test stands."""

    place: Place
    file: Path | None
    """None where it stands in the page itself."""
    line: int | None

    def misfit(self, message: str, hint: str = "") -> Misfit:
        """The error that something is wrong with it."""
        return Misfit(self.place, message, hint, file=self.file, line=self.line)


def shown_from(place: Place, given: list[ShownTable] | str, form: Form, origin: Origin) -> tuple[Shown, ...]:
    """The examples, or the tests, of an agent.

    Raises:
        Misfit: one of them does not fit, or their file cannot be read.
    """
    listed = (
        read_file(place, given, origin.folders) if isinstance(given, str) else in_page(place, given, origin)
    )
    return tuple([checked(table, source, form, whole=place[-1] == "examples") for table, source in listed])


def in_page(place: Place, given: Iterable[ShownTable], origin: Origin) -> Iterator[tuple[ShownTable, Source]]:
    """Those that the page itself names, each with its line."""
    for index, table in enumerate(given):
        here = (*place, index)
        yield table, Source(here, None, find_item(origin.text, here[origin.depth :]))


def read_file(place: Place, given: str, folders: Sequence[Path]) -> Iterator[tuple[ShownTable, Source]]:
    """Those in a file, each with its line."""
    path = find_file(place, given, folders)
    try:
        text = read_text(path)
    except ConfigError as error:
        raise Misfit(place, error.message, error.hint) from error
    if path.suffix == ".csv":
        return from_csv(place, path, text)
    if path.suffix in (".jsonl", ".ndjson"):
        return from_jsonl(place, path, text)
    raise Misfit(place, f"{given} is neither JSONL nor CSV", "name a file that ends in .jsonl or .csv")


def from_jsonl(place: Place, path: Path, text: str) -> Iterator[tuple[ShownTable, Source]]:
    """A line each: {"input": …, "output": …}."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        source = Source(place, path, number)
        try:
            table = msgspec.json.decode(line, type=ShownTable)
        except msgspec.DecodeError as error:
            raise source.misfit(
                f"this is no test in JSON: {error}", 'a line is {"input": …, "output": …}'
            ) from error
        yield table, source


def from_csv(place: Place, path: Path, text: str) -> Iterator[tuple[ShownTable, Source]]:
    """A row each: the column `output`, in JSON unless it is a plain text, and the input's column or columns."""
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    names: list[str] = []
    begins = 1
    try:
        for row in rows:
            source = Source(place, path, begins)
            begins = rows.line_num + 1
            if not names:
                names = row
                if OUTPUT not in names or len(names) < 2 or len(set(names)) < len(names):
                    raise source.misfit("the first line names no columns", "write input,output")
                continue
            if not row:
                continue
            if len(row) != len(names):
                raise source.misfit(
                    f"this row has {len(row)} cells, and the first line {len(names)}",
                    "put quotes around cells with commas",
                )
            fields = dict(zip(names, row, strict=True))
            output = fields.pop(OUTPUT)
            whole: str | dict[str, Any] = fields["input"] if set(fields) == {"input"} else dict(fields)
            yield ShownTable(input=whole, output=from_cell(output)), source
    except csv.Error as error:
        raise Source(place, path, rows.line_num).misfit(
            f"this is no CSV: {error}", "put quotes around cells with quotes"
        ) from error


def from_cell(text: str) -> Any:
    """A cell's value: JSON where it is an object, else the text itself."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def checked(table: ShownTable, source: Source, form: Form, *, whole: bool) -> Shown:
    """One example (`whole`) or test, if it fits the agent."""
    asked = fill_template(form.template, table.input)
    if isinstance(asked, Unfit):
        raise source.misfit(f"the template cannot be filled: {asked.problem}", asked.hint)
    if not asked.strip():
        raise source.misfit("its input is empty", "write what the agent is given")
    return Shown(
        input=asked,
        output=output_of(table.output, source, form, whole=whole),
        line=source.line or 0,
        given=table.input,
    )


def output_of(output: Any, source: Source, form: Form, *, whole: bool) -> Raw:
    """The output as JSON."""
    if form.asked is None:
        if not isinstance(output, str):
            raise source.misfit("its output is no text, and the agent has no schema", "write a text")
        if form.labels and output not in form.labels:
            raise source.misfit(f'"{output}" is none of the labels', f"they are: {', '.join(form.labels)}")
        return Raw(msgspec.json.encode(output))
    if form.label and isinstance(output, str) and not whole:
        output = {form.label: output}
    if not isinstance(output, Mapping):
        raise source.misfit(
            "its output has no fields, and the agent has a schema", "write the fields as a table"
        )
    if form.label and form.label not in output:
        raise source.misfit(
            f'its output does not say the "{form.label}"', "the label is what a test is about"
        )
    order = [*form.asked.get("properties", {}), *output]
    value = {
        name: output[name] for name in dict.fromkeys(order) if name in output and not is_filled_in(name, form)
    }
    if not form.trusted:
        schema = form.asked if whole else {key: one for key, one in form.asked.items() if key != "required"}
        validator = compiled(bytes(raw(schema)))
        problem = validator if isinstance(validator, str) else misfit(validator, value)
        if problem is not None:
            raise source.misfit(f"its output does not fit the schema {problem}", "correct one of the two")
    return Raw(msgspec.json.encode(value))


def is_filled_in(name: str, form: Form) -> bool:
    """Whether the gate writes this field itself."""
    return name in (form.schema or {}).get("properties", {}) and name not in (form.asked or {}).get(
        "properties", {}
    )
