"""Types of the compiled reader of tags."""

from collections.abc import Callable, Sequence

from fastner.tags import Span

def spans(
    tags: Sequence[str],
    split_tag: Callable[[str], tuple[str, str]],
    span: type[Span],
) -> list[Span]: ...
