"""Types of the compiled reader of packed documents."""

from fastner.doc import Entity

def unpacked(
    text: str, packed: bytes, labels: tuple[str, ...], entity: type[Entity]
) -> tuple[Entity, ...]: ...
