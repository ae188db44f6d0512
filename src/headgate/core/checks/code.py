"""Does the code in the answer parse? `code-parses`.

Python, JSON and TOML are parsed with what Python brings along; JavaScript, TypeScript and SQL with parsers that are imported
when first needed and may not be installed: then there is no evidence. It knows syntax. It runs nothing, and whether the
code does what was asked is for tests to say. Shell, diffs, logs and languages without a parser here are no evidence.
"""

import ast
import importlib
import re
import textwrap
import tomllib
import warnings
from collections.abc import Callable
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec

from headgate.core.checks.material import said
from headgate.core.types import Answer, Verdict

_LONGEST = 40_000
"""Characters of code that are parsed; more is no evidence, so that one answer cannot hold up the rest."""

_NOT_INSTALLED = "not checked: install headgate[code]"

Parse = Callable[[str], str | None]
"""From code to what is wrong with it; None if it parses. Raises `_NotChecked` if it cannot tell."""


class _NotChecked(Exception):  # noqa: N818 - not an error: the parser has nothing to say
    """There is no parser, or the snippet is not meant to stand alone."""


def code_parses(answer: Answer) -> Verdict:
    """1.0 if all the code that can be checked parses, 0.0 if none does, at most 0.5 if some does not (by its length).

    The code is the fenced blocks, or the whole answer if it looks like code. Elisions ("...") and prompts (">>>") are
    tolerated. None if there is nothing that can be checked.
    """
    blocks = find_code(said(answer.reply.text))
    if not blocks:
        return _verdict(None, "there is no code in it")
    good = bad = 0
    kinds: list[str] = []
    problem = skipped = ""
    for language, code in blocks:
        try:
            wrong = _check(language, code)
        except _NotChecked as why:
            skipped = skipped or str(why)
            continue
        kinds.append(language)
        if wrong is None:
            good += len(code)
        else:
            bad += len(code)
            problem = problem or f"{language}: {wrong}"
    if not kinds:
        return _verdict(None, skipped)
    if not bad:
        return _verdict(1.0, f"{len(kinds)} {'block' if len(kinds) == 1 else 'blocks'} of {kinds[0]} parsed")
    return _verdict(round(0.5 * good / (good + bad), 3), problem)


# ── Finding code ─────────────────────────────────────────────────────────────────────────────────────────────────────

_FENCE = re.compile(r"^[ \t>]*(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n]*$", re.MULTILINE)


def find_code(text: str) -> list[tuple[str, str]]:
    """The code in a text as (language, code); the language is "" where neither the fence nor a guess tells it."""
    marks = list(_FENCE.finditer(text))
    if not marks:
        language = guess_language(text)
        return [(language, _without_trailing_prose(text.strip()))] if language else []
    blocks = []
    opened: re.Match[str] | None = None
    for mark in marks:
        if opened is None:
            opened = mark
        elif mark.group(1).startswith(opened.group(1)) and not mark.group(2):
            blocks.append(_block(opened, text[opened.end() : mark.start()]))
            opened = None
    if opened is not None:
        blocks.append(_block(opened, text[opened.end() :]))
    return [block for block in blocks if block[1].strip()]


_PROSE_LINE = re.compile(r"(?:>>> |(?:[-*•] |\d+[.)] )?(?:\*\*)?[A-Z][a-z']*,? (?!=)[^={}\[\];]*[\w.:!?)*]$)")


def _without_trailing_prose(text: str) -> str:
    """An answer without fences, up to the first paragraph that explains or shows a session instead of giving code."""
    paragraphs = re.split(r"\n\s*\n", text)
    kept = [paragraphs[0]]
    for paragraph in paragraphs[1:]:
        if _PROSE_LINE.match(paragraph.partition("\n")[0].rstrip()):
            break
        kept.append(paragraph)
    return "\n\n".join(kept)


def _block(opened: re.Match[str], code: str) -> tuple[str, str]:
    named = opened.group(2).lower().strip("{}.").partition(":")[0]
    code = textwrap.dedent(code.strip("\n"))
    return (_ALIASES.get(named, named) if named else guess_language(code)), code


_ALIASES = {
    "py": "python", "python3": "python", "pycon": "python", "ipython": "python", "js": "javascript", "jsx": "javascript",
    "mjs": "javascript", "node": "javascript", "ts": "typescript", "postgresql": "sql", "postgres": "sql", "mysql": "sql",
    "sqlite": "sql", "tsql": "sql", "plsql": "sql",
}  # fmt: skip
_LOOKS_LIKE = tuple(
    (language, re.compile("(?:" + "|".join(starts) + ")", re.MULTILINE))
    for language, starts in (
        (
            "python",
            (
                r">>> ",
                r"from [\w.]+ import ",
                r"import [\w.]+ as \w+$",
                r"import [\w.]+$(?=[\s\S]*(?:^ *(?:def|class|for|if|with) .*:$|\bprint\())",
                r"(?:async )?def \w+\(",
                r"class \w+[(:]",
                r"@[\w.]+(?:\(.*\))?\n(?:@|async |def |class )",
                r"if __name__",
            ),
        ),
        (
            "javascript",
            (
                r"(?:export |async )*function\*? \w+\(",
                r"(?:export )?(?:const|var) (?:\w+|\{[^}]*\}|\[[^\]]*\])\s*=",
                r"import .* from ['\"]",
                r"module\.exports|document\.|console\.log\(",
            ),
        ),
        # Keywords all in capitals or all in small letters: "Select the file …" is a sentence.
        (
            "sql",
            (
                r"(?:SELECT|select)\s[\s\S]*\b(?:FROM|from)\s",
                r"(?:INSERT INTO|insert into|DELETE FROM|delete from|CREATE TABLE|create table)\s",
                r"(?:UPDATE\s+\S+\s+SET|update\s+\S+\s+set)\s",
                r"(?:WITH|with)\s+\w+\s+(?:AS|as)\s*\(",
            ),
        ),
    )
)


def guess_language(text: str) -> str:
    """The language that a text begins to look like; "" for prose and all that is not Python, JavaScript, SQL or JSON."""
    head = text[:2000].lstrip()
    while head.startswith(("#", "//", "--")):  # a comment first; a heading of prose ends here as well
        head = head.partition("\n")[2].lstrip()
    for language, start in _LOOKS_LIKE:
        if start.match(head):
            return language
    return "json" if head[:1] == "{" and '":' in head else ""


# ── Parsing it ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _check(language: str, code: str) -> str | None:
    parse = _PARSERS.get(language)
    if parse is None:
        raise _NotChecked(f"not checked: no parser for {language or 'an unnamed language'}")
    if len(code) > _LONGEST:
        raise _NotChecked(f"not checked: {len(code)} characters of {language}")
    if code.lstrip().startswith(("diff --git", "@@ ", "--- a/", "+++ ")):
        raise _NotChecked("not checked: a diff")
    if _SHELL.match(code):
        raise _NotChecked("not checked: a shell command")
    return parse(code)


_ELISION_LINE = re.compile(r"^([ \t]*)(?:\.\.\.|…|\[\.\.\.\]|\(\.\.\.\)|<\.\.\.>).*$", re.MULTILINE)
_PROMPT = re.compile(r"^(?:>>>|\.\.\.)(?: |$)")
_SHOWN_RESULT = re.compile(r"^[ \t]*(?:[\w.]+\(.*\)[ \t]*(?:->|=>|→|==>|➞|=)[^\n]*|> [^\n]*)$", re.MULTILINE)
_SHELL = re.compile(r"\s*(?:\$ |pip3? install|python3? \S+\.py|npm |npx |conda |uv |brew |sudo |cd )")
_EMPTY_BODY = re.compile(r"(:[ \t]*(?:#[^\n]*)?\n)([ \t]+)#[^\n]*")
_CELL_COMMAND = re.compile(r"^[ \t]*[%!]", re.MULTILINE)


def _parse_python(code: str) -> str | None:
    problem = _python_problem(code)
    if problem is None:
        return None
    if code.lstrip().startswith(">>>"):
        lines = [line for line in code.splitlines() if _PROMPT.match(line)]
        return _python_problem("\n".join(line[4:] for line in lines))
    if _CELL_COMMAND.search(code):
        code = "\n".join(line for line in code.splitlines() if not _CELL_COMMAND.match(line))
    code = _SHOWN_RESULT.sub("", code)
    code = _EMPTY_BODY.sub(r"\1\2...", code)  # "# your code here" stands for a body
    if "..." in code or "…" in code:
        code = _ELISION_LINE.sub(r"\1...", code)
        code = (
            code.replace("(...)", "()").replace(", ...)", ")").replace(", ...]", "]").replace(", ...}", "}")
        )
    return None if _python_problem(code) is None else problem


def _python_problem(code: str) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape in the answer is not our warning
        try:
            ast.parse(code)
        except SyntaxError as error:
            return f"{error.msg} (line {error.lineno})"
        except (ValueError, RecursionError, MemoryError) as error:
            return str(error) or type(error).__name__
    return None


def _parse_json(code: str) -> str | None:
    try:
        msgspec.json.decode(code)
    except (msgspec.DecodeError, RecursionError) as error:
        if "..." in code or "//" in code or "/*" in code or "…" in code or code.lstrip().startswith('"'):
            raise _NotChecked("not checked: JSON with comments or elisions, or a part of it") from None
        try:
            for line in code.splitlines():  # JSON lines
                msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            return str(error)
    return None


def _parse_toml(code: str) -> str | None:
    try:
        tomllib.loads(code)
    except tomllib.TOMLDecodeError as error:
        if "..." in code or "…" in code:
            raise _NotChecked("not checked: TOML with elisions") from None
        return str(error)
    return None


@lru_cache(maxsize=8)
def _grammar(module: str, function: str) -> tuple[Any, Any]:
    """A tree-sitter parser. Cached, because building it takes 20 ms; the same names always give the same parser."""
    try:
        tree_sitter = importlib.import_module("tree_sitter")
        grammar = getattr(importlib.import_module(module), function)
    except ImportError:
        raise _NotChecked(_NOT_INSTALLED) from None
    return tree_sitter, tree_sitter.Language(grammar())


def _parse_with(module: str, function: str) -> Parse:
    def parse(code: str) -> str | None:
        tree_sitter, language = _grammar(module, function)
        code = (
            _ELISION_LINE.sub(r"\1// ...", code)
            .replace("(...)", "()")
            .replace("{ ... }", "{ }")
            .replace("{...}", "{}")
        )
        root = tree_sitter.Parser(language).parse(code.encode()).root_node
        return f"syntax error near line {_first_error(root)}" if root.has_error else None

    return parse


def _first_error(root: Any) -> int:
    """The line, counted from one, of the first node that does not parse."""
    node = root
    while True:
        broken = next((child for child in node.children if child.has_error or child.is_missing), None)
        if broken is None or node.is_error:
            return int(node.start_point[0]) + 1
        node = broken


_STATEMENT = re.compile(
    r"\s*\(?\s*(?:select|with|insert|update|delete|merge|alter\s+table|drop"
    r"|create\s+(?:or\s+replace\s+)?(?:temp\w*\s+)?(?:unique\s+)?(?:table|view|index))\b",
    re.IGNORECASE,
)
_LEADING_COMMENTS = re.compile(r"(?:\s*(?:--[^\n]*(?:\n|$)|/\*[\s\S]*?\*/))+")
_PROCEDURAL = re.compile(r"\$\$|\bdelimiter\b", re.IGNORECASE)
_LONGEST_SQL = 8_000
"""Pure Python takes two milliseconds for a thousand characters, and once more for each dialect that does not read them."""
_DIALECTS = ("", "postgres", "mysql", "sqlite", "tsql", "bigquery", "oracle")


@lru_cache(maxsize=1)
def _sql_parser() -> Any:
    """The module sqlglot, told once not to write its own warnings to the terminal. Raises `_NotChecked` without it."""
    try:
        sqlglot = importlib.import_module("sqlglot")
    except ImportError:
        raise _NotChecked(_NOT_INSTALLED) from None
    sqlglot.parser.logger.disabled = True
    return sqlglot


def _parse_sql(code: str) -> str | None:
    if comments := _LEADING_COMMENTS.match(code):
        code = code[comments.end() :]
    if "..." in code or "…" in code or _PROCEDURAL.search(code) or not _STATEMENT.match(code):
        raise _NotChecked("not checked: SQL that is procedural or has elisions")
    if len(code) > _LONGEST_SQL:
        raise _NotChecked(f"not checked: {len(code)} characters of SQL")
    sqlglot = _sql_parser()
    problem = ""
    for dialect in _DIALECTS:  # nobody says which one is meant, so any that reads it will do
        try:
            sqlglot.parse(code, dialect=dialect)
        except (sqlglot.errors.SqlglotError, RecursionError) as error:
            problem = problem or str(error).splitlines()[0]
        else:
            return None
    return problem


_PARSERS: MappingProxyType[str, Parse] = MappingProxyType(
    {
        "python": _parse_python,
        "json": _parse_json,
        "toml": _parse_toml,
        "javascript": _parse_with("tree_sitter_javascript", "language"),
        "typescript": _parse_with("tree_sitter_typescript", "language_typescript"),
        "tsx": _parse_with("tree_sitter_typescript", "language_tsx"),
        "sql": _parse_sql,
    }
)


def _verdict(score: float | None, reason: str) -> Verdict:
    return Verdict("code-parses", score, reason)
