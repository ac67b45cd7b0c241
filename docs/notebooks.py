"""Runs a notebook without Jupyter: for the site, which shows it, and for the tests."""

from __future__ import annotations

import ast
import io
import json
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any


def cells(source: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each cell of a notebook's JSON, of which no outputs are kept in git."""
    for cell in json.loads(source)["cells"]:
        yield cell["cell_type"], "".join(cell["source"])


def run(code: str, names: dict[str, Any], where: str | os.PathLike[str]) -> tuple[str, Any]:
    """Runs a cell; returns what it prints, and the value of its last line if that is one.

    names: what cells before it defined; the cell's own are added.
    """
    body = ast.parse(code).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(ast.Module(body, []), where, "exec"), names)
        value = eval(compile(ast.Expression(last.value), where, "eval"), names) if last else None
    return printed.getvalue(), value
