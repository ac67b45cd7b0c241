"""A diagnosis as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastner.doctor.diagnosis import KINDS, Case, Diagnosis
from fastner.doctor.suspects import Suspect, Suspicion

_CONTEXT = 5  # words on either side of a suspect


def format_diagnosis(diagnosis: Diagnosis) -> str:
    """Tables: files, labels, lengths, what was found with places, coverage and suspects."""
    parts = diagnosis.parts
    blocks = [
        _table(
            ("file", "part", "format", "scheme", "sentences", "tokens", "entities"),
            [
                (f.path, f.part, f.format, f.scheme or "-", f"{f.sentences:,}", f"{f.tokens:,}",
                 f"{f.entities:,}")
                for f in diagnosis.files
            ],
            left=4,
        ),
        _table(
            ("label", *parts),
            [
                (label, *(f"{counts[part]:,}" for part in parts))
                for label, counts in diagnosis.labels.items()
            ],
        ),
        _table(
            ("lengths", "median", "95%", "99%", "longest"),
            [
                (name, *(f"{n:,}" for n in (row.median, row.p95, row.p99, row.longest)))
                for name, row in diagnosis.lengths.items()
            ],
        ),
    ]  # fmt: skip
    blocks += ["\n".join(seen_lines(diagnosis))] * bool(diagnosis.seen)
    found = [
        f"{KINDS[kind]}: {check.count:,}{shown_of(check.count, check.cases)}\n{_cases(check.cases)}"
        for kind, check in diagnosis.checks.items()
        if check.count
    ]
    blocks += found or ["nothing odd was found"]
    for coverage in diagnosis.coverage:
        rows = [
            (name, f"{of:,}", f"{found:,}", percent(found, of))
            for name, of, found in (
                ("distinct words", coverage.words, coverage.words_found),
                ("tokens", coverage.tokens, coverage.tokens_found),
                ("tokens in entities", coverage.entity_tokens, coverage.entity_tokens_found),
            )
        ]
        head = (f"vectors of {coverage.source}", "all", "with a vector", "%")
        missing = ", ".join(f"{word} {count:,}" for word, count in coverage.missing.items())
        blocks.append(f"{_table(head, rows)}\nwithout: {missing or 'none'}")
    if diagnosis.suspicion is not None:
        blocks.append(_suspicion(diagnosis.suspicion))
    return "\n\n".join(blocks)


def seen_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """How far the names of each part stand in the first, a line each."""
    for seen in diagnosis.seen:
        yield (
            f"{seen.part}: {seen.names_seen:,} of {seen.names:,} different entities "
            f"({percent(seen.names_seen, seen.names)} %) and {seen.mentions_seen:,} of "
            f"{seen.mentions:,} mentions ({percent(seen.mentions_seen, seen.mentions)} %) stand in "
            f"{diagnosis.parts[0]} too"
        )


def suspicion_lines(suspicion: Suspicion) -> list[str]:
    """What to know before reading the suspects."""
    total = (
        f"{suspicion.count:,} places where the model doubts the gold tags; to {suspicion.likely:,} "
        f"of them it gives less than 1 %; {len(suspicion.suspects):,} shown, least probable first"
    )
    lines = [total]
    if suspicion.unknown:
        rows = ", ".join(f"{label} ({count:,})" for label, count in suspicion.unknown.items())
        lines.append(f"not judged, as the model lacks these labels: {rows}")
    return lines


def shown_of(count: int, cases: Sequence[Case]) -> str:
    return f", {len(cases):,} shown" if len(cases) < count else ""


def percent(part: int, of: int) -> str:
    return f"{100 * part / of:.1f}" if of else "-"


def _cases(cases: Sequence[Case]) -> str:
    rows = [(f"  {case.place}", case.text, case.detail) for case in cases]
    if not any(case.place for case in cases):
        rows = [(f"  {text}", detail, "") for _, text, detail in rows]
    return _table((), rows, left=3)


def _suspicion(suspicion: Suspicion) -> str:
    lines = [f"suspected labels, by {suspicion.model or 'the model'}", *suspicion_lines(suspicion)]
    for suspect in suspicion.suspects:
        lines += [
            f"  {suspect.score:.4f}  {suspect.place}",
            f"          gold   {_spans(suspect, gold=True)}",
            f"          model  {_spans(suspect, gold=False)}",
            f"          {_context(suspect)}",
        ]
    return "\n".join(lines)


def _spans(suspect: Suspect, *, gold: bool) -> str:
    spans = suspect.gold if gold else suspect.predicted
    return ", ".join(f"{span.label} {suspect.text(span)}" for span in spans) or "no entity"


def _context(suspect: Suspect) -> str:
    words, start, end = suspect.words, suspect.start, suspect.end
    first, last = max(0, start - _CONTEXT), min(len(words), end + _CONTEXT)
    inside = " ".join(words[start:end])
    pieces = [*words[first:start], f"[{inside}]", *words[end:last]]
    return " ".join(["…"] * (first > 0) + pieces + ["…"] * (last < len(words)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns, the first `left` of which stand to the left, the rest to the right."""
    lines = [tuple(_line(cell) for cell in row) for row in ([head] if head else []) + list(rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:{width}}" if i < left else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _line(text: str) -> str:
    """The text on one line; what else does not print is escaped where it is printed."""
    return text.replace("\n", "\\n").replace("\t", "\\t")
