"""A diagnosis as one HTML page that needs no other file; all text of the corpus is escaped."""

from __future__ import annotations

from collections.abc import Mapping

from fastner.doctor.coverage import Coverage
from fastner.doctor.diagnosis import KINDS, Check, Diagnosis
from fastner.doctor.suspects import Suspect, Suspicion
from fastner.doctor.table import seen_lines, shown_of, suspicion_lines
from fastner.evaluation.page import Strips, cell, listed, page, table, terms, text

CONTEXT = 12  # words on either side of a suspect


def diagnosis_page(diagnosis: Diagnosis, *, facts: Mapping[str, str]) -> str:
    """The page, HTML to be written as UTF-8.

    facts: what else to say about the run, by name. Any text may stand in either; a character that
    cannot be seen is shown as its code point.
    """
    files, parts = diagnosis.files, diagnosis.parts
    found = {kind: check for kind, check in diagnosis.checks.items() if check.count}
    tiles = {
        "sentences": f"{sum(file.sentences for file in files):,}",
        "tokens": f"{sum(file.tokens for file in files):,}",
        "entities": f"{sum(file.entities for file in files):,}",
        "labels": f"{len(diagnosis.labels):,}",
    }
    for kind, name in (("leak", "leaked sentences"), ("twice", "sentences twice")):
        tiles[name] = f"{diagnosis.checks[kind].count:,}"
    tiles["broken tags"] = f"{diagnosis.checks['broken-tags'].count:,}"
    suspicion = diagnosis.suspicion
    tiles["suspected labels"] = "-" if suspicion is None else f"{suspicion.count:,}"
    return page(
        "Corpus: what was found",
        "Corpus",
        facts,
        (
            terms("tiles", tiles),
            "<h2>Files</h2>",
            _files(diagnosis),
            "<h2>Entities by label</h2>",
            _labels(diagnosis, parts),
            "<h2>Lengths</h2>",
            _lengths(diagnosis),
            "<h2>What was found</h2>",
            *(_check(kind, check) for kind, check in found.items()),
            "" if found else "<p>Nothing odd.</p>\n",
            *(_coverage(coverage) for coverage in diagnosis.coverage),
            "" if suspicion is None else _suspicion(suspicion),
        ),
    )


def _files(diagnosis: Diagnosis) -> str:
    rows = [
        (
            f'<th scope="row" class="wraps">{text(file.path)}',
            *(f"<td>{text(value)}" for value in (file.part, file.format, file.scheme or "-")),
            *(f"<td>{count:,}" for count in (file.sentences, file.tokens, file.entities)),
        )
        for file in diagnosis.files
    ]
    head = ("file", "part", "format", "scheme", "sentences", "tokens", "entities")
    warnings = [warning for file in diagnosis.files for warning in file.warnings]
    notes = "".join(f"<p>{text(warning)}</p>\n" for warning in warnings)
    return (
        table("Parts are what a model learns from and what it is measured on.", head, rows) + notes
    )


def _labels(diagnosis: Diagnosis, parts: list[str]) -> str:
    totals = {label: sum(counts.values()) for label, counts in diagnosis.labels.items()}
    largest = max(totals.values(), default=1)
    rows = []
    for label, counts in diagnosis.labels.items():
        share, total = 100 * totals[label] / largest, totals[label]
        bar = f'<td class="bar"><i style="--share: {share:.2f}%"></i>{total:,}'
        by_part = (f"<td>{cell(counts[part])}" for part in parts)
        rows.append((f'<th scope="row">{text(label)}', bar, *by_part))
    note = " ".join(f"{text(line)}." for line in seen_lines(diagnosis))
    return table(note, ("label", "all", *map(text, parts)), rows)


def _lengths(diagnosis: Diagnosis) -> str:
    rows = [
        (
            f'<th scope="row" class="wraps">{text(name)}',
            *(f"<td>{n:,}" for n in (row.median, row.p95, row.p99, row.longest)),
        )
        for name, row in diagnosis.lengths.items()
    ]
    return table("", ("", "median", "95 %", "99 %", "longest"), rows)


def _check(kind: str, check: Check) -> str:
    rows = [
        f'<li class="case"><p>{text(case.place)}</p>'
        f"<div>{text(case.text)} <small>{text(case.detail)}</small></div>"
        for case in check.cases
    ]
    title = f"{KINDS[kind][0].upper()}{KINDS[kind][1:]}: {check.count:,}"
    return (
        f"<details><summary>{text(title)}<small>{shown_of(check.count, check.cases)}</small>"
        f"</summary>{listed(rows)}</details>\n"
    )


def _coverage(coverage: Coverage) -> str:
    rows = []
    for name, of, found in (
        ("distinct words", coverage.words, coverage.words_found),
        ("tokens", coverage.tokens, coverage.tokens_found),
        ("tokens in entities", coverage.entity_tokens, coverage.entity_tokens_found),
    ):
        share = 100 * found / max(of, 1)
        bar = f'<td class="bar"><i style="--share: {share:.2f}%"></i>{share:.1f}'
        rows.append((f'<th scope="row" class="wraps">{name}', bar, f"<td>{found:,}", f"<td>{of:,}"))
    missing = ", ".join(f"{word} ({count:,})" for word, count in coverage.missing.items())
    note = (
        "A word has the vector of itself, of its lower case, or of that with digits as 0. "
        f"The most frequent without: {text(missing) or 'none'}."
    )
    head = ("", "% with a vector", "with", "all")
    return f"<h2>Vectors of {text(coverage.source)}</h2>{table(note, head, rows)}"


def _suspicion(suspicion: Suspicion) -> str:
    labels = {s.label for suspect in suspicion.suspects for s in suspect.gold + suspect.predicted}
    strips = Strips(sorted(labels))
    notes = "".join(f"<p>{text(line)}.</p>\n" for line in suspicion_lines(suspicion))
    advice = (
        "<p>Above the words stand the gold entities, below them those of the model. The model is "
        "right in some of these places and wrong in others: look before you change a label.</p>\n"
    )
    rows = [_suspect(suspect, strips) for suspect in suspicion.suspects]
    return f"<h2>Suspected labels</h2>{notes}{advice}{listed(rows)}"


def _suspect(suspect: Suspect, strips: Strips) -> str:
    first = max(0, suspect.start - CONTEXT)
    last = min(len(suspect.words), suspect.end + CONTEXT)
    strip = strips.strip(
        suspect.words,
        ((span, True) for span in suspect.gold),
        ((span, True) for span in suspect.predicted),
        shown=range(first, last),
        bold=range(suspect.start, suspect.end),
    )
    said = f"gold {suspect.score:.4f}, model {suspect.model_score:.4f}"
    return f"<li><p>{text(suspect.place)} <small>{said}</small></p>{strip}"
