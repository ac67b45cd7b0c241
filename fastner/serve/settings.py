"""What a service is told: its model and its limits, as arguments or environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import get_args

from fastner.engine import EngineName
from fastner.errors import InputError

PREFIX = "FASTNER_"  # of the variables: FASTNER_MODEL, FASTNER_MAX_BODY, …


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The model and limits of a service; raises InputError for values that make no sense.

    model, engine, device, threads: as for `load`.
    max_body: bytes of a request. max_texts: texts of a request. timeout: seconds from a request's
    head to its answer. batch_tokens: about how many tokens are tagged together at most, and
    queue_tokens: about how many may wait, a token taken as four characters; a single text or
    request may be larger.
    """

    model: str | None = None
    engine: EngineName = "auto"
    device: str = "cpu"
    threads: int | None = None
    max_body: int = 1 << 20
    max_texts: int = 256
    timeout: float = 30.0
    batch_tokens: int = 8192
    queue_tokens: int = 500_000

    def __post_init__(self) -> None:
        if self.engine not in get_args(EngineName):
            names = ", ".join(get_args(EngineName))
            raise InputError(f"expected an engine out of {names}, got {self.engine!r}")
        for name in ("threads", "max_body", "max_texts", "batch_tokens", "queue_tokens"):
            value = getattr(self, name)
            if (value is not None or name != "threads") and not (
                isinstance(value, int) and value >= 1
            ):
                raise InputError(f"expected {name} as a whole number of at least 1, got {value!r}")
        if not (isinstance(self.timeout, (int, float)) and 0 < self.timeout < float("inf")):
            raise InputError(f"expected timeout as seconds above 0, got {self.timeout!r}")

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Settings:
        """The settings that variables like FASTNER_MAX_BODY give; empty ones count as absent."""
        values: dict[str, str | int | float] = {}
        for field in fields(cls):
            name = PREFIX + field.name.upper()
            text = environment.get(name, "")
            if not text:
                continue
            kind = float if field.name == "timeout" else int
            if field.name in ("model", "engine", "device"):
                values[field.name] = text
                continue
            try:
                values[field.name] = kind(text)
            except ValueError:
                raise InputError(f"expected {name} as a number, got {text!r}") from None
        return cls(**values)  # type: ignore[arg-type]  # by their names

    def to_environment(self) -> dict[str, str]:
        """The variables that `of_environment` reads these settings from."""
        return {
            PREFIX + field.name.upper(): "" if value is None else str(value)
            for field in fields(self)
            for value in [getattr(self, field.name)]
        }
