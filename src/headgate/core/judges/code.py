"""Is the code of two answers the same program, or does the local one not even parse?

Python is compared by its syntax tree, without comments and docstrings. Nothing is run: whether two different programs do the same is not
known here.
"""

import ast
import warnings

from headgate.core.checks.code import code_parses, find_code
from headgate.core.judges.checked import as_answer
from headgate.core.judges.found import Ruling


def code(local: str, paid: str) -> Ruling | None:
    """As good if both are the same Python, worse if only the paid answer's code parses; else None."""
    good = parses(paid)
    if good is not None and good == 1.0:
        mine = parses(local)
        if mine is not None and mine < 1.0:
            return Ruling(False, "the local answer's code does not parse, the paid one's does", 0.05)
    trees = tree(local), tree(paid)
    if trees[0] and trees[0] == trees[1]:
        return Ruling(True, "both are the same program", 0.99)
    return None


def parses(text: str) -> float | None:
    """How much of the code in a text parses, 0-1; None without code that can be checked."""
    return code_parses(as_answer(text)).score


def tree(text: str) -> str:
    """The syntax trees of all the Python in a text; "" where there is none or some does not parse."""
    blocks = [block for language, block in find_code(text) if language == "python"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a stranger's code
            return "\n".join([ast.dump(without_docstrings(ast.parse(block))) for block in blocks])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def without_docstrings(module: ast.Module) -> ast.Module:
    """The program without texts that only stand there."""
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [
                part
                for part in body
                if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]  # whatever has a body
    return module
