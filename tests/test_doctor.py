"""The doctor finds what was planted in a sound corpus, says where, and finds nothing else."""

import json
import os
import random
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import EMBEDDED
from test_report import Page

from fastner.cli import main
from fastner.corpus.items import Placed
from fastner.doctor import KINDS, diagnosis_page, examine, format_diagnosis, oddities
from fastner.doctor.coverage import measure_coverage, vocabulary_of
from fastner.doctor.suspects import BATCH_TOKENS, Doubter, differing
from fastner.doctor.worst import Worst
from fastner.errors import InputError
from fastner.tags import Span, TagScheme, convert, spans_of
from fastner.text import printable

PEOPLE = ["Ada", "Noor", "Grace", "Alan", "Barbara", "Edsger"]
PLACES = ["Oslo", "Lisbon", "Quito", "Kyoto", "Lima", "Turin"]


def sound(sentences=36, seed=0):
    """Different sentences of two entities each; [(word, tag)] for each."""
    rng = random.Random(seed)
    pairs = [(person, place) for person in PEOPLE for place in PLACES]
    rng.shuffle(pairs)
    return [
        [(person, "B-PER"), ("left", "O"), (place, "B-LOC"), ("again", "O"), (".", "O")]
        for person, place in pairs[:sentences]
    ]


def write(path, sentences):
    lines = "\n\n".join("\n".join(f"{w}\t{t}" for w, t in rows) for rows in sentences)
    path.write_text(lines + "\n" * bool(lines), encoding="utf-8")
    return path


def found(diagnosis):
    return {kind: check.count for kind, check in diagnosis.checks.items() if check.count}


def rows(text, *tags):
    words = text.split(" ")
    return list(zip(words, [*tags, *["O"] * (len(words) - len(tags))], strict=True))


def test_a_sound_corpus(tmp_path):
    path = write(tmp_path / "a.conll", sound())
    diagnosis = examine({"all": [path]})
    assert found(diagnosis) == {}
    assert list(diagnosis.checks) == list(KINDS)
    assert diagnosis.labels == {"LOC": {"all": 36}, "PER": {"all": 36}}
    (file,) = diagnosis.files
    assert (file.format, file.scheme, file.sentences, file.tokens) == ("conll", "IOB2", 36, 180)
    assert (file.entities, file.warnings, file.part) == (72, [], "all")
    assert "nothing odd was found" in format_diagnosis(diagnosis)
    assert "Nothing odd." in Page(diagnosis_page(diagnosis, facts={})).text


# each: what is appended to a sound corpus, the kind, the token that its place names, what it says
PLANTED = {
    "broken tags": (
        [rows("Ada Lovelace spoke", "I-PER", "I-PER")],
        "broken-tags", 0, "Ada Lovelace", "I-PER I-PER is read as B-PER I-PER",
    ),
    "rare label": ([rows("the Iliad", "O", "B-WORK")], "rare-label", None, "WORK", "1 in all"),
    "two labels": (
        [rows("the Oslo spoke", "O", "B-PER")],
        "several-labels", 1, "Oslo", r"LOC 6, PER 1",
    ),
    "forgotten": (
        [rows(f"word{n} Oslo spoke", "O", "B-LOC") for n in range(10)] + [rows("so Oslo won")],
        "unlabelled", 1, "Oslo", "16 times an entity by itself, 1 times O",
    ),
    "comma": ([rows("in Berlin ,", "O", "B-LOC", "I-LOC")], "edge", 1, "LOC Berlin ,", ","),
    "doubled": ([rows("he went to to bed")], "doubled-word", 3, "he went to to bed", "to"),
    "long sentence": (
        [rows(" ".join(f"w{n}" for n in range(90)))],
        "long-sentence", 0, "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 …", "90 words",
    ),
    "long entity": (
        [rows("a b c d e f g h i", "B-PER", *["I-PER"] * 8)],
        "long-entity", 0, "a b c d e f g h i", "9 words",
    ),
    "long word": ([rows(f"see {'x' * 40}")], "long-word", 1, "x" * 40, "40 characters"),
    "zero width": ([rows("see x\u200bx")], "invisible", 1, "x\u200bx", r"U\+200B"),
    "lost": ([rows("see caf\ufffd")], "invisible", 1, "caf\ufffd", r"U\+FFFD"),
    "space": ([[("New York", "O"), ("won", "O")]], "invisible", 0, "New York", r"U\+0020"),
    "mojibake": ([rows("le caf\u00c3\u00a9")], "mojibake", 1, "caf\u00c3\u00a9", "perhaps café"),
    "cyrillic a": ([rows("see P\u0430ris")], "scripts", 1, "P\u0430ris", "cyrillic and latin"),
    "decomposed": ([rows("un cafe\u0301")], "not-composed", 1, "cafe\u0301", "composed: café"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_and_nothing_else(name, tmp_path):
    planted, kind, token, text, detail = PLANTED[name]
    path = write(tmp_path / "a.conll", sound() + planted)
    diagnosis = examine({"all": [path]})
    assert found(diagnosis) == {kind: 1}
    (case,) = diagnosis.checks[kind].cases
    assert (case.text, re.search(detail, case.detail) is not None) == (text, True), case
    if token is None:
        assert case.place == ""
        return
    number, line = case.place.removeprefix(f"{path}:"), path.read_text("utf-8").split("\n")
    word = (planted[-1] if kind != "broken-tags" else planted[0])[token][0]
    assert line[int(number) - 1].split("\t")[0] == word
    assert case.place in format_diagnosis(diagnosis)


@pytest.mark.parametrize(
    ("twice", "kinds"),
    [
        (lambda rows: rows, {"twice": 1}),
        (lambda rows: [(w, "O") for w, _ in rows], {"twice": 1, "other-entities": 1}),
    ],
)
def test_a_sentence_twice(twice, kinds, tmp_path):
    corpus = sound()
    path = write(tmp_path / "a.conll", [*corpus, twice(corpus[0])])
    diagnosis = examine({"all": [path]})
    assert found(diagnosis) == kinds
    for kind in kinds:
        (case,) = diagnosis.checks[kind].cases
        assert case.place == f"{path}:{6 * 36 + 1}"
        assert case.detail == f"also at {path}:1"


def test_leaks_between_parts(tmp_path):
    corpus = sound()
    train, more = write(tmp_path / "t", corpus[:20]), write(tmp_path / "u", corpus[20:30])
    dev = write(tmp_path / "d", [*corpus[30:], corpus[3], corpus[25], corpus[3]])
    diagnosis = examine({"train": [train, more], "dev": [dev]})
    assert found(diagnosis) == {"leak": 3, "twice": 1}
    cases = diagnosis.checks["leak"].cases
    assert [case.place for case in cases] == [f"{dev}:{6 * n + 1}" for n in (6, 7, 8)]
    assert [case.detail for case in cases][:2] == [f"also at {train}:19", f"also at {more}:31"]
    names = {word for rows in corpus[:30] for word, tag in rows if tag != "O"}
    heard = [w for rows in [*corpus[30:], corpus[3], corpus[25], corpus[3]] for w, t in rows
             if t != "O"]  # fmt: skip
    (seen,) = diagnosis.seen
    assert seen == (
        "dev", len(set(heard)), len(names & set(heard)), len(heard),
        sum(word in names for word in heard),
    )  # fmt: skip


def test_labels_and_schemes_of_parts(tmp_path):
    train = write(tmp_path / "t", sound())
    other = [[(w, t.replace("B-", "S-").replace("LOC", "GPE")) for w, t in rows]
             for rows in sound(seed=1)]  # fmt: skip
    dev = write(tmp_path / "d", [[*rows, ("!", "O")] for rows in other])
    diagnosis = examine({"train": [train], "dev": [dev]})
    assert found(diagnosis) == {"absent-label": 2, "schemes": 1, "several-labels": 6}
    assert {case.text: case.detail for case in diagnosis.checks["absent-label"].cases} == {
        "LOC": "36 in train; none in dev",
        "GPE": "36 in dev; none in train",
    }
    assert diagnosis.checks["schemes"].cases == [(str(dev), "BIOES", "others are IOB2")]


def test_the_worst_are_kept_and_all_counted(tmp_path):
    long = [rows(f"see {'x' * n}") for n in (31, 50, 40, 60, 35)]
    diagnosis = examine({"all": [write(tmp_path / "a", sound() + long)]}, cases=2)
    check = diagnosis.checks["long-word"]
    assert (check.count, [len(case.text) for case in check.cases]) == (5, [60, 50])
    assert "words of unusual length: 5, 2 shown\n" in format_diagnosis(diagnosis)


@given(st.lists(st.integers(0, 5)), st.integers(1, 6))
def test_the_worst_of_a_stream(weights, limit):
    worst = Worst(limit)
    for number, weight in enumerate(weights):
        worst.add(number, weight)
    assert worst.listed() == sorted(range(len(weights)), key=lambda n: (-weights[n], n))[:limit]


@pytest.mark.parametrize(
    ("words", "edge"),
    [
        ("Acme Inc.", None),
        ("A. B. C.", None),
        ("Yahoo !", "!"),
        ("Sodium ( Na )", None),
        ("( EU )", "( )"),
        ("the ( EU", None),
        ('" Ada', '"'),
        ('Ada " Countess " Lovelace', None),
        ("Ada Lovelace ,", ","),
        ("Ada,", ","),
        ("$ 5", None),
        ("5 %", None),
        ("#tag", None),
        ("Wisc .", "."),
        (".Giuseppe", "."),
        ("«Ada»", "« »"),
        ("—", "—"),
    ],
)
def test_edges(words, edge):
    assert oddities.odd_edge(words.split(" ")) == edge


@pytest.mark.parametrize("words", [["Ada\u00a0"], ["\u3000Ada"]])
def test_white_space_at_edges(words):
    assert oddities.odd_edge(words) == "white space"


@pytest.mark.parametrize(
    "word", ["café", "naïve", "Ærø", "日本語", "μm", "Привет", "👩\u200d🔬", "x", "", "½", "“Ada”"]
)
def test_words_that_are_not_odd(word):
    for odd in (oddities.invisible, oddities.mojibake, oddities.mixed_scripts):
        assert odd(word) is None
    assert oddities.not_composed(word) is None


@given(st.text(max_size=8))
def test_any_word_may_be_looked_at(word):
    for odd in (oddities.invisible, oddities.mojibake, oddities.mixed_scripts):
        odd(word)
    oddities.not_composed(word)
    assert (oddities.invisible(word) is None) == (
        printable(word, keep="\u200c\u200d") == word and not set(" \ufffd") & set(word)
    )
    if word:
        oddities.odd_edge([word])


def test_a_letter_of_a_rare_script(tmp_path):
    corpus = [*sound(), *([("w" * 20, "O"), (f"n{n}", "O")] for n in range(40)), rows("see 日")]
    diagnosis = examine({"all": [write(tmp_path / "a", corpus)]})
    assert found(diagnosis) == {"scripts": 1}
    assert diagnosis.checks["scripts"].cases[0][1:] == ("日", "cjk is rare here")


def test_what_readers_say(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "Lisbon-based", "spans": [{"start": 0, "end": 3, "label": "LOC"}]}\n')
    (file,) = examine({"all": [path]}).files
    assert "spans that begin or end inside a token" in file.warnings[0]
    path = write(tmp_path / "b", [[(f"en:{w}", t) for w, t in rows] for rows in sound()])
    (file,) = examine({"all": [path]}).files
    said = f"{path}: of the first 36 sentences, 180 of 180 words begin with 'en:'"
    assert file.warnings[0].startswith(said)


@pytest.mark.parametrize("text", ["", "\n\n", "-DOCSTART- O\n\n"])
def test_empty_corpora(text, tmp_path):
    path = tmp_path / "a.conll"
    path.write_text(text)
    diagnosis = examine({"train": [path], "dev": [path]}, vectors={"v": vocabulary_of(["a"])})
    assert found(diagnosis) == {}
    assert diagnosis.labels == {}
    assert diagnosis.coverage[0].tokens == 0
    assert {row.longest for row in diagnosis.lengths.values()} == {0}
    format_diagnosis(diagnosis)
    Page(diagnosis_page(diagnosis, facts={}))
    json.dumps(diagnosis.to_dict())


def test_no_entity_and_no_file(tmp_path):
    path = write(tmp_path / "a", [rows("it rained")])
    diagnosis = examine({"all": [path]})
    assert found(diagnosis) == {"no-entity": 1}
    assert diagnosis.files[0].scheme == ""
    with pytest.raises(InputError, match="expected files to examine, got none"):
        examine({"train": []})


def test_memory_does_not_grow_with_sentences(tmp_path):
    corpus = sound()
    paths = [write(tmp_path / str(n), corpus * n) for n in (80, 400)]  # 14,400 and 72,000 tokens
    peaks = []
    for path in paths:
        tracemalloc.start()
        examine({"all": [path]})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # only the first sentences, which show signs of a misread file, are held
    assert peaks[1] < peaks[0] + 100_000


# --- vectors ---------------------------------------------------------------------------------


@given(
    st.lists(st.text("aAbB1\u0661", min_size=1, max_size=3)), st.sets(st.text("aAb10", max_size=2))
)
def test_coverage_by_the_forms_of_words(tokens, vectors):
    counts = {word: (tokens.count(word), tokens.count(word) // 2) for word in tokens}
    coverage = measure_coverage("v", vocabulary_of([*sorted(vectors), "a\nb", "\ud800"]), counts)

    def has(word):
        digits = "".join("0" if c.isdecimal() else c for c in word.lower())
        return bool({word, word.lower(), digits} & (vectors - {""}))

    assert coverage.words == len(set(tokens)) and coverage.tokens == len(tokens)
    assert coverage.words_found == sum(map(has, set(tokens)))
    assert coverage.tokens_found == sum(map(has, tokens))
    inside = [word for word, (_, n) in counts.items() for _ in range(n)]
    assert coverage.entity_tokens_found == sum(map(has, inside))
    lacking = sorted({w for w in tokens if not has(w)}, key=lambda w: (-tokens.count(w), w))
    assert list(coverage.missing.items()) == [(w, tokens.count(w)) for w in lacking[:20]]


def test_coverage_reads_words():
    counts = dict.fromkeys(["Zürich", "Zu\u0308rich", "café", "a\ufeffb", "Łódź"], (1, 0))
    coverage = measure_coverage(
        "v", vocabulary_of(["zu\u0308rich", "cafe", "ab", "a\u200bb"]), counts
    )
    assert (coverage.vectors, coverage.missing) == (3, {"Łódź": 1})


# --- suspects --------------------------------------------------------------------------------

LABELS = ["LOC", "PER"]
TAGS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


class Oracle:
    """A model that gives each word the probabilities that its name seeds; the likeliest tags."""

    tags = TAGS
    labels = LABELS

    def __init__(self):
        self.batches = []

    def marginals(self, sentences):
        self.batches.append(sum(map(len, sentences)))
        return [np.array([self.row(w) for w in words], np.float32).reshape(-1, 5)
                for words in sentences]  # fmt: skip

    def row(self, word):
        return np.random.default_rng(abs(hash(word))).dirichlet([0.3] * 5)

    def tag_batch(self, sentences):
        tags = [[TAGS[int(np.argmax(self.row(w)))] for w in words] for words in sentences]
        return [TagScheme.IOB2.tags(spans_of(row), len(row)) for row in tags]


TAGGED = st.lists(
    st.tuples(st.text("abcdef", min_size=1, max_size=2), st.sampled_from([*TAGS, "B-X", "S-PER"])),
    max_size=6,
)


@given(st.lists(TAGGED, max_size=5))
def test_suspects_are_all_that_the_model_doubts(sentences):
    oracle = Oracle()
    doubter = Doubter(oracle, limit=1000)
    expected, likely, unknown = [], 0, 0
    for number, sentence in enumerate(sentences):
        words, tags = [w for w, _ in sentence], [t for _, t in sentence]
        doubter.add(Placed(f"s{number}", words, tags, "f"))
        gold, said = set(spans_of(tags)), set(spans_of(oracle.tag_batch([words])[0]))
        unknown += sum(span.label == "X" for span in gold)
        written = TagScheme.IOB2.tags(gold, len(words))
        # tokens that spans hold together: the slow way
        for start in range(len(words)):
            end = start
            inside = [s for s in gold | said if s.start == start]
            if any(s.start < start < s.end for s in gold | said) or not inside:
                continue
            while any(s.start < end < s.end or (s.start == start == end) for s in gold | said):
                end += 1
            ours = sorted(s for s in gold if start <= s.start < end)
            theirs = sorted(s for s in said if start <= s.start < end)
            if ours == theirs or any(s.label == "X" for s in ours):
                continue
            score = min(
                float(np.float32(oracle.row(words[i])[TAGS.index(written[i])]))
                for i in range(start, end)
            )
            if score < 0.5:
                expected.append((f"s{number}", start, end, ours, theirs, score))
                likely += score < 0.01
    suspicion = doubter.suspicion("m")
    got = [(s.place, s.start, s.end, list(s.gold), list(s.predicted), s.score)
           for s in suspicion.suspects]  # fmt: skip
    assert sorted(got) == sorted(expected)
    assert [row[-1] for row in got] == sorted(row[-1] for row in expected)
    assert (suspicion.count, suspicion.likely) == (len(expected), likely)
    assert sum(suspicion.unknown.values()) == unknown


def test_spans_that_touch_are_apart():
    ab, bc, c = Span(0, 2, "X"), Span(1, 3, "X"), Span(3, 4, "X")
    assert list(differing([ab, c], [bc])) == [(0, 3, (ab,), (bc,)), (3, 4, (c,), ())]
    assert list(differing([ab], [ab])) == []


def test_sentences_are_judged_in_batches():
    oracle = Oracle()
    doubter = Doubter(oracle, limit=1)
    for _ in range(3):
        doubter.add(Placed("s", ["a"] * (BATCH_TOKENS // 2), ["O"] * (BATCH_TOKENS // 2), "f"))
    doubter.suspicion("m")
    assert oracle.batches == [BATCH_TOKENS, BATCH_TOKENS // 2]


# --- the page --------------------------------------------------------------------------------

HOSTILE = ["<script>alert(1)</script>", "</style>", "&amp;", '"', "\u202e", "\x1b[2J", "x\u200by"]


def test_hostile_text_is_escaped(tmp_path):
    label = "<b>&"
    corpus = [[(word, f"I-{label}"), (word, f"I-{label}"), ("ok", "O")] for word in HOSTILE]
    path = write(tmp_path / "<i>&.conll", [*corpus, *corpus, [(HOSTILE[0], f"B-{label}")]])
    oracle = Oracle()
    oracle.tags, oracle.labels = [t.replace("LOC", label) for t in TAGS], [label, "PER"]
    diagnosis = examine(
        {"<p>": [path]}, tagger=oracle, model="<m>", vectors={"<v>": vocabulary_of(["a"])}
    )
    assert {"edge", "invisible", "twice", "broken-tags"} <= found(diagnosis).keys()
    assert diagnosis.suspicion.suspects
    page = Page(diagnosis_page(diagnosis, facts={"<a>": "</dl>"}))  # allows its own tags alone
    assert HOSTILE[0] in page.text and "</style>" in page.text and "U+202E" in page.text
    assert "<m>" not in page.html and "<v>" not in page.html
    assert "default-src 'none'" in page.html
    strips = diagnosis.suspicion.suspects
    for number, suspect in enumerate(strips):
        shown = [re.sub("[\u202e\x1b\u200b]", lambda c: f"U+{ord(c[0]):04X}", w)
                 for w in suspect.words]  # fmt: skip
        assert page.words(number) == shown
        assert [span for span, _ in page.spans(number, 0)] == list(spans_of(
            TagScheme.IOB2.tags(suspect.gold, len(suspect.words))))  # fmt: skip


# --- the command -----------------------------------------------------------------------------


@pytest.fixture
def run(capsys):
    def run(*args):
        try:
            code = main(["data", *map(str, args)])
        except SystemExit as exit:
            code = exit.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_command(run, tmp_path):
    train, dev = write(tmp_path / "t", sound()[:30]), write(tmp_path / "d", sound()[28:])
    page = tmp_path / "page.html"
    code, out, err = run("--train", train, "--dev", dev, "--html", page)
    assert (code, err) == (0, "")
    assert "sentences that stand in another part too: 2\n" in out
    assert f"{dev}:7 " in out
    assert "Sentences that stand in another part too: 2" in page.read_text(encoding="utf-8")
    code, out, _ = run("--train", train, "--dev", dev, "--json", "--cases", 1)
    value = json.loads(out)
    assert value == examine({"train": [train], "dev": [dev]}, cases=1).to_dict()
    assert value["checks"]["leak"]["count"] == 2 and len(value["checks"]["leak"]["cases"]) == 1
    code, out, _ = run(train, dev, "--json")
    assert [file["part"] for file in json.loads(out)["files"]] == [str(train), str(dev)]


def test_a_terminal_is_not_driven(run, tmp_path):
    path = write(tmp_path / "a", [*sound(), [("\x1b[2J\u202e", "B-\x1b]0;")]])
    code, out, _ = run(path)
    assert code == 0 and "\x1b" not in out and "\u202e" not in out and r"\x1b[2J" in out


def test_wrong_usage(run, tmp_path):
    path = write(tmp_path / "a.html", sound())
    for args, said in (
        ([], "expected FILE, --train or --dev"),
        (["-", "-"], "expected - (stdin) once"),
        ([path, "--html", "x.txt"], "expected --html F.html"),
        ([path, "--cases", "0"], "at least 1"),
    ):
        code, _, err = run(*args)
        assert (code, said in err) == (2, True), err
    code, _, err = run(path, "--html", path)
    assert code == 1 and "expected an output apart from the corpus" in err
    assert path.read_text(encoding="utf-8").startswith("Ada") or "\t" in path.read_text("utf-8")
    code, _, err = run(tmp_path / "gone")
    assert code == 1 and "No such file" in err


@pytest.fixture
def planted(tmp_path):
    """Gold labels of which two are wrong, and one the model does not know."""
    if not Path(EMBEDDED, "manifest.json").is_file():
        pytest.skip(f"the embedded model is absent: {EMBEDDED}")
    corpus = [
        rows("Angela Merkel visited Paris on Monday .", "B-PER", "I-PER", "O", "B-LOC"),
        rows("The United Nations met in Geneva .", "O", "B-ORG", "I-ORG", "O", "O", "B-PER"),
        rows("Bill Clinton flew to Berlin .", "O", "O", "O", "O", "B-LOC"),
        rows("Reuters reported it from Tokyo .", "B-AGENCY", "O", "O", "O", "B-LOC"),
    ]
    return write(tmp_path / "a.conll", corpus)


def test_a_model_points_at_wrong_labels(run, planted):
    code, out, _ = run(planted, "--model", "english", "--json")
    value = json.loads(out)
    suspects = value["suspicion"]["suspects"]
    assert code == 0 and value["suspicion"]["unknown"] == {"AGENCY": 1}
    assert {(s["place"], *(e["text"] for e in s["predicted"])) for s in suspects} == {
        (f"{planted}:14", "Geneva"),
        (f"{planted}:17", "Bill Clinton"),
    }
    assert [e["label"] for s in suspects for e in s["gold"]] == ["PER"]
    assert all(s["score"] < 0.05 < 0.5 < s["model_score"] for s in suspects)
    assert value["coverage"][0]["source"] == "the model english"
    _, out, _ = run(planted, "--model", EMBEDDED)
    assert "[Bill Clinton] flew to Berlin" in out and "model  PER Bill Clinton" in out
    assert "lacks these labels: AGENCY (1)" in out


def test_json_is_stable(planted):
    """The same bytes whatever the seed of hashes."""
    outs = set()
    for seed in ("1", "2", "3"):
        command = [
            sys.executable,
            "-m",
            "fastner",
            "data",
            planted,
            "--model",
            "english",
            "--json",
        ]
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[1])}
        outs.add(subprocess.run(command, capture_output=True, check=True, env=env).stdout)
    assert len(outs) == 1


SPANS = st.lists(st.tuples(st.sampled_from(["O", "PER", "LOC"]), st.integers(1, 3)), max_size=5)


def spans_from(pieces):
    """Spans of these lengths one after another, those of O left out; and the length of all."""
    spans, at = [], 0
    for label, length in pieces:
        spans += [Span(at, at + length, label)] * (label != "O")
        at += length
    return spans, at


@given(st.lists(SPANS, max_size=6), st.sampled_from(TagScheme))
def test_no_tags_of_a_scheme_are_broken(sentences, scheme):
    tags = [scheme.tags(*spans_from(pieces)) for pieces in sentences]
    records = [{"tokens": [f"w{i}" for i in range(len(row))], "tags": row} for row in tags if row]
    diagnosis = examine({"all": [records]})
    assert diagnosis.checks["broken-tags"].count == 0
    (file,) = diagnosis.files
    assert file.scheme == (TagScheme.detect(tags).value if file.entities else "")


@given(st.lists(st.lists(st.sampled_from([*TAGS, "E-PER", "S-PER"]), max_size=5), max_size=6))
def test_broken_tags_are_those_that_change_when_rewritten(tags):
    records = [{"tokens": [f"w{i}" for i in range(len(row))], "tags": row} for row in tags if row]
    scheme = TagScheme.detect(tags)
    cut = [[" | " if tag == "O" else f" {tag} " for tag in row] for row in tags]
    runs = [run.split() for row in cut for run in "".join(row).split("|")]
    broken = sum(run != convert(run, scheme, scheme) for run in runs)
    assert examine({"all": [records]}).checks["broken-tags"].count == broken


def test_standard_input(run, tmp_path, monkeypatch):
    with write(tmp_path / "a", [*sound(), rows("he went to to bed")]).open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        code, out, _ = run("-")
    assert code == 0 and "the same word twice in a row: 1\n" in out
