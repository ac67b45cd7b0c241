"""The documentation site: Sphinx over the Markdown of the repository, as it lies.

`sphinx-build -W --keep-going -c docs . OUTPUT`, in the root of a clone (extra `docs`). A relative
link to a page, heading or file that is not there is a warning, and so an error.
"""

from __future__ import annotations

import inspect
import re
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from myst_parser.parsers.sphinx_ import MystParser
from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from notebooks import cells, run  # noqa: E402 - found by the line above

from fastner.version import __version__  # noqa: E402 - likewise

project = "fastner"
author = "the authors of fastner"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "bench/README.md",
    "bench/teacher/README.md",
    "fastner/models/*/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
]
exclude_patterns = ["**/node_modules", "bench/.cache"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_mock_imports = [  # not needed to read docstrings, and slow or big
    "gensim",
    "keras",
    "onnx",
    "presidio_analyzer",
    "pyarrow",
    "pyspark",
    "ray",
    "spacy",
    "starlette",
    "tensorflow",
    "tf2onnx",
]
autodoc_preserve_defaults = True
autodoc_type_aliases = {
    name: name for name in ("ArrayLike", "EngineName", "Lines", "Readable", "Source", "Tokenizer")
}
default_role = "py:obj"  # docstrings put names between single backticks
python_maximum_signature_line_length = 100
highlight_language = "text"  # of blocks that name none

html_theme = "furo"
html_title = f"fastner {version}"
html_extra_path = ["site"]
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = html_show_sphinx = html_show_copyright = False
html_math_renderer = "mathml"


def mathml(translator: Any, node: nodes.Element) -> None:
    """Equations as MathML, which browsers draw themselves: no script, nothing from elsewhere."""
    block = isinstance(node, nodes.math_block)
    translator.body.append(tex2mathml(node.astext(), as_block=block))
    raise nodes.SkipNode


def prose(_app: Any, _what: str, _name: str, obj: Any, _options: Any, lines: list[str]) -> None:
    """Keeps lines that are set off by indentation, and shows where parameters are told of."""
    for at in range(len(lines) - 1, 0, -1):
        if lines[at].startswith("    ") and not lines[at - 1].strip():
            before = next((line for line in lines[at - 1 :: -1] if line.strip()), "")
            if not before.startswith(" "):
                lines[at:at] = ["::", ""]
    try:
        names = "|".join(inspect.signature(obj).parameters)
    except (TypeError, ValueError):  # no function or class
        return
    for at, line in enumerate(lines):
        if not line.startswith(" "):
            lines[at] = re.sub(rf"(?<![\w`*.])({names or '$'})(?=: )", r"**\1**", line)


def short(
    _app: Any,
    _what: str,
    _name: str,
    _obj: Any,
    _options: Any,
    takes: str | None,
    gives: str | None,
) -> tuple[str | None, str | None]:
    """Types by the names that the code has for them."""

    def shorter(types: str | None) -> str | None:
        types = re.sub(r"~(?:\w+\.)+", "", types or "")
        types = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", types)
        types = re.sub(r"\bndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+)\]\]", r"NDArray[\1]", types)
        return types.replace("<factory>", "…") or None

    return shorter(takes), shorter(gives)


def skip(_app: Any, _what: str, _name: str, obj: Any, _skip: bool, _options: Any) -> bool | None:
    """Leaves out what named tuples say of their fields: their signature says it."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field") else None


def name_model(_app: Any, page: str, source: list[str]) -> None:
    """Cards of models that came with fastner all have one title: gives each its own."""
    if page.startswith("fastner/models/"):
        source[0] = re.sub(r"\A# .*", f"# The model {page.split('/')[2]}", source[0])


class NotebookParser(MystParser):
    """A notebook as a page: its cells are run, and shown with what Jupyter would show."""

    supported = ("notebook",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        names: dict[str, Any] = {"__name__": "__main__"}
        page = []
        for kind, text in cells(inputstring):
            if kind != "code":
                page.append(text)
                continue
            page.append(f"```python\n{text}\n```")
            with chdir(HERE):
                printed, value = run(text, names, document["source"])
            if printed:
                page.append(f"```text\n{printed}```")
            if hasattr(value, "_repr_html_"):
                page.append(f"````{{raw}} html\n<div class=shown>{value._repr_html_()}</div>\n````")
        super().parse("\n\n".join(page), document)


def setup(app: Sphinx) -> None:
    app.add_source_suffix(".ipynb", "notebook")
    app.add_source_parser(NotebookParser)
    app.add_html_math_renderer(
        "mathml", inline_renderers=(mathml, None), block_renderers=(mathml, None)
    )
    app.connect("autodoc-process-docstring", prose)
    app.connect("autodoc-process-signature", short)
    app.connect("autodoc-skip-member", skip)
    app.connect("source-read", name_model)
