"""Silver corpora: what teachers write is what they hold for probable, and reads back as it was."""

import gzip
import itertools
import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import EMBEDDED

import fastner
from fastner.cli import main
from fastner.corpus import read, silver_record, silver_records, write_silver
from fastner.corpus.silver import CERTAIN, LEAST
from fastner.errors import InputError
from fastner.tags import TagScheme, spans_of, tag_set
from fastner.teaching import distilling

GOLDEN = Path(__file__).parent / "golden"
TEXTS = ["Ada Lovelace left Oslo. Globex Corp hired Noor.", "It rained in *Kyoto*", " \n"]
TAGS = tag_set(["LOC", "ORG", "PER"], TagScheme.BIOES)


@pytest.fixture(scope="module", params=["bundle-1.4", "bundle-1.0-iob2"])
def teacher(request):
    with fastner.load(GOLDEN / request.param, threads=1) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def pair():
    """Two teachers of the same labels, one in BIOES and one in IOB2."""
    names = ("bundle-1.4", "bundle-1.0-iob2")
    with (
        fastner.load(GOLDEN / names[0], threads=1) as one,
        fastner.load(GOLDEN / names[1], threads=2) as two,
    ):
        yield one, two


def legal(tags):
    return TagScheme.BIOES.tags(TagScheme.BIOES.spans(tags), len(tags)) == list(tags)


# --- the tags ----------------------------------------------------------------------------------


@given(st.integers(1, 4), st.integers(1, 2), st.integers(0, 2**32 - 1), st.sampled_from([0.3, 3]))
def test_the_path_is_the_best_legal_one(count, labels, seed, sharpness):
    """Against all legal sequences of tags, in sentences that stand side by side."""
    rng = np.random.default_rng(seed)
    tags = tag_set("XY"[:labels], TagScheme.BIOES)
    lengths = rng.integers(1, 4, count)
    scores = np.exp(rng.normal(0, sharpness, (lengths.sum(), len(tags))))
    p = scores / scores.sum(axis=1, keepdims=True)
    path = distilling.best_path(p, lengths, tags)
    at = 0
    for length in lengths:
        rows = p[at : at + length]

        def product(ids, rows=rows):
            return math.prod(rows[t, i] for t, i in enumerate(ids))

        every = itertools.product(range(len(tags)), repeat=int(length))
        best = max(product(ids) for ids in every if legal([tags[i] for i in ids]))
        found = path[at : at + length].tolist()
        assert legal([tags[i] for i in found])
        assert product(found) == pytest.approx(best, rel=1e-5)
        at += length


def test_a_path_is_legal_where_no_legal_one_is_possible():
    p = np.zeros((2, 5))
    p[:, 1] = 1.0  # B-X B-X
    tags = tag_set("X", TagScheme.BIOES)
    assert legal([tags[i] for i in distilling.best_path(p, np.array([2]), tags)])


def test_long_and_short_sentences_do_not_change_each_other(monkeypatch):
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.full(5, 0.3), 300)
    lengths = np.array([1, 90, 2, 1, 200, 3, 3])
    tags = tag_set("X", TagScheme.BIOES)
    whole = distilling.best_path(p, lengths, tags)
    monkeypatch.setattr(distilling, "_CELLS", 4)
    assert whole.tolist() == distilling.best_path(p, lengths, tags).tolist()
    ends = np.cumsum(lengths)
    for start, end in zip(ends - lengths, ends, strict=True):
        alone = distilling.best_path(p[start:end], np.array([end - start]), tags)
        assert alone.tolist() == whole[start:end].tolist()


# --- records -----------------------------------------------------------------------------------


def test_records_hold_the_teachers_marginals(teacher):
    records = list(fastner.distill(teacher, [*TEXTS, ["Noor", "left", "Globex", "Corp"]]))
    words = [record["tokens"] for record in records]
    assert words == [
        ["Ada", "Lovelace", "left", "Oslo", "."],
        ["Globex", "Corp", "hired", "Noor", "."],
        ["It", "rained", "in", "Kyoto"],  # without its markup
        ["Noor", "left", "Globex", "Corp"],
    ]
    for record, rows in zip(records, teacher.marginals(words, scheme="BIOES"), strict=True):
        assert record.keys() == {"tokens", "ner_tags", "scheme", "probabilities"}
        assert record["scheme"] == "BIOES" and legal(record["ner_tags"])
        for tag, said, row in zip(record["ner_tags"], record["probabilities"], rows, strict=True):
            likely = {name: p for name, p in zip(TAGS, row.tolist(), strict=True) if p >= LEAST}
            if said is None:
                assert likely[tag] >= CERTAIN or likely.keys() == {tag}
                continue
            assert likely[tag] < CERTAIN
            total = sum(likely.values())
            wanted = {name: pytest.approx(p / total, abs=6e-4) for name, p in likely.items()}
            assert said == wanted
    assert any(said for record in records for said in record["probabilities"])


def test_several_teachers_are_averaged(pair):
    sentences = [record["tokens"] for record in fastner.distill(pair[0], TEXTS)]
    records = list(fastner.distill(pair, TEXTS))
    assert [record["tokens"] for record in records] == sentences
    both = zip(*(teacher.marginals(sentences, scheme="BIOES") for teacher in pair), strict=True)
    means = [(one.astype(float) + two) / 2 for one, two in both]
    lengths = np.array([len(words) for words in sentences])
    path = iter(distilling.best_path(np.concatenate(means), lengths, TAGS).tolist())
    for record, rows in zip(records, means, strict=True):
        assert record["ner_tags"] == [TAGS[next(path)] for _ in rows]
        for said, row in zip(record["probabilities"], rows, strict=True):
            for tag, p in (said or {}).items():
                assert p == pytest.approx(
                    row[TAGS.index(tag)], abs=0.08
                )  # of 13, 12 may be left out
    # twice the same teacher says what it says alone
    assert list(fastner.distill([pair[0]] * 2, TEXTS)) == list(fastner.distill(pair[0], TEXTS))


def test_nothing_depends_on_the_batch(teacher):
    texts = [*TEXTS * 3, ["Oslo"], "Noor of Initech spoke.", ["it"] * 600]
    options = {"duplicates": True}
    whole = list(fastner.distill(teacher, texts, **options))
    assert len(whole) == 12
    assert list(fastner.distill(teacher, texts, **options, batch_tokens=1)) == whole
    assert list(fastner.distill(teacher, iter(texts), **options, batch_tokens=7)) == whole


def test_texts_are_read_as_they_come(teacher):
    taken = []
    texts = (taken.append(number) or f"Text {number}." for number in range(100))
    next(fastner.distill(teacher, texts, batch_tokens=9))
    assert len(taken) <= 4


def test_repetitions_and_doubtful_sentences_are_left_out(teacher, monkeypatch):
    texts = ["It rained.", ["It", "rained", "."], "Oslo won.", "It rained."]
    notes = []
    records = list(fastner.distill(teacher, texts, notice=notes.append))
    assert [record["tokens"][0] for record in records] == ["It", "Oslo"]
    assert "2 sentences, 6 words" in notes[-1] and "2 repeated sentences" in notes[-1]
    assert len(list(fastner.distill(teacher, texts, duplicates=True))) == 4
    monkeypatch.setattr(distilling, "REMEMBERED", 1)
    others = ["Oslo won.", "It rained.", "Noor left.", "Oslo won."]
    assert len(list(fastner.distill(teacher, [*others, "Oslo won."]))) == 4

    least = {}
    for words, rows in zip(
        others, teacher.marginals([[*t[:-1].split(), "."] for t in others]), strict=True
    ):
        least[words] = rows.max(axis=1).min()
    bound = float(np.mean([*least.values()]))
    kept = fastner.distill(teacher, others[:3], min_confidence=bound, notice=notes.append)
    wanted = [text.split()[0] for text in others[:3] if least[text] >= bound]
    assert 0 < len(wanted) < 3
    assert [record["tokens"][0] for record in kept] == wanted
    assert f"{3 - len(wanted)} below min_confidence" in notes[-1]


def test_teachers_of_other_labels_are_refused(pair):
    with (
        fastner.load(threads=1) as other,
        pytest.raises(InputError, match=r"same labels, got LOC, ORG, PER .* MISC, .* number 2"),
    ):
        fastner.distill([pair[0], other], TEXTS)
    for teachers, texts, options, message in (
        ([], TEXTS, {}, "at least one teacher"),
        ([pair[0], "model"], TEXTS, {}, "Tagger, got 'model'"),
        (pair, "It rained.", {}, r"pass \[text\]"),
        (pair, TEXTS, {"min_confidence": 1.5}, "from 0 to 1, got 1.5"),
        (pair, TEXTS, {"batch_tokens": 0}, "batch_tokens"),
        (pair, TEXTS, {"lines": "some"}, "lines"),
    ):
        with pytest.raises(InputError, match=message):
            fastner.distill(teachers, texts, **options)
    with pytest.raises(InputError, match="expected texts, or lists of words, got 7"):
        list(fastner.distill(pair, [7]))
    for texts in ([["Oslo", 7]], [["Oslo", ""]]):
        with pytest.raises((InputError, TypeError)):
            list(fastner.distill(pair, texts))
    with pytest.raises(InputError, match="IOB2 or BIOES, got 'IOB1'"):
        pair[0].marginals([["Oslo"]], scheme="IOB1")


def test_a_record_says_what_it_is_given():
    row = {"O": 0.3, "S-ORG": 0.695, "S-PER": 0.005}
    record = silver_record(["Tim", "won"], ["S-ORG", "O"], [row, {"O": 0.995}], weight=0.5)
    assert record == {
        "tokens": ["Tim", "won"],
        "ner_tags": ["S-ORG", "O"],
        "scheme": "BIOES",
        "probabilities": [{"O": 0.302, "S-ORG": 0.698}, None],
        "weight": 0.5,
    }
    assert silver_record([], [])["probabilities"] == []
    assert silver_record(["Tim"], ["O"], [{"O": 0.985, "S-A": 0.008}])["probabilities"] == [None]
    for arguments, message in (
        ((["Tim"], []), "for each of 1 words, got 0 and 1"),
        ((["Tim"], ["O"], []), "got 1 and 0"),
        (([""], ["O"]), "not empty"),
        (([7], ["O"]), "type str"),
        ((["Tim"], ["B-PER"]), "well-formed tags of BIOES"),
        ((["Tim"], ["PER"]), "PER"),
        ((["Tim"], ["O"], [{"O": 0.4}]), "sum to 1"),
        ((["Tim"], ["O"], [{}]), "sum to 1"),
        ((["Tim"], ["O"], [{"O": -0.1, "S-X": 1.1}]), "sum to 1"),
    ):
        with pytest.raises(InputError, match=message):
            silver_record(*arguments)
    for weight in (0, -1, 1e7, math.inf, math.nan):
        with pytest.raises(InputError, match="weight above 0"):
            silver_record(["Tim"], ["O"], weight=weight)


def test_records_of_annotated_texts():
    """As other tools give them: spans of characters, with a score or without."""
    entities = [
        {"start": 0, "end": 12, "label": "PER", "score": 0.8, "text": "Ada Lovelace"},
        {"start": 18, "end": 22, "label": "LOC"},
        {"start": 20, "end": 21, "label": "ORG", "score": 0.3},  # within the longer one
    ]
    findings = []
    texts = [{"text": "Ada Lovelace left Oslo. It rained.", "entities": entities}]
    records = list(silver_records([*texts, {"text": "", "entities": []}], findings=findings))
    assert [record["ner_tags"] for record in records] == [
        ["B-PER", "E-PER", "O", "S-LOC", "O"],
        ["O", "O", "O"],
    ]
    doubt = [{"O": 0.2, "B-PER": 0.8}, {"O": 0.2, "E-PER": 0.8}]
    assert [record["probabilities"] for record in records] == [
        [*doubt, None, None, None],
        [None] * 3,
    ]
    assert {finding.kind.split(",")[0] for finding in findings} >= {
        "spans that overlap a longer one"
    }
    (record,) = silver_records(
        {
            "text": text,
            "entities": [
                {"start": 5, "end": 9, "label": "LOC", "score": np.float32(0.5)},
                {"start": 0, "end": 9, "label": "LOC", "score": 0.25},  # the longest, so it counts
                {"start": 14, "end": 18, "label": "LOC", "score": 1},
            ],
        }
        for text in ["East Oslo and Oslo-Lima"]
    )
    assert record["ner_tags"] == ["B-LOC", "E-LOC", "O", "S-LOC"]
    doubt = [{"O": 0.75, tag: 0.25} for tag in ("B-LOC", "E-LOC")]
    assert record["probabilities"] == [*doubt, None, None]

    for entity, message in (
        ({"start": 0, "end": 3, "label": "PER", "score": 2}, "text 1: expected a score"),
        ({"start": 0, "end": 30, "label": "PER"}, "text 1: expected a span within the 4"),
        ({"start": 0, "end": 3, "labels": ["A", "B"]}, "text 1: expected entities of one label"),
    ):
        with pytest.raises(InputError, match=message):
            list(silver_records([{"text": "Ada.", "entities": [entity]}]))


# --- files -------------------------------------------------------------------------------------


def test_a_file_reads_back(teacher, tmp_path):
    records = list(fastner.distill(teacher, [*TEXTS, ["\udcff", "\u202e"]]))
    for name in ("silver.jsonl", "silver.jsonl.gz"):
        write_silver(tmp_path / name, records)
        corpus = read(tmp_path / name)
        assert corpus.format == "tokens" and corpus.scheme is TagScheme.BIOES
        assert corpus.sentences == [record["tokens"] for record in records]
        assert corpus.tags == [record["ner_tags"] for record in records]
        before = (tmp_path / name).read_bytes()
        write_silver(tmp_path / name, records)
        assert (tmp_path / name).read_bytes() == before
    lines = gzip.decompress(before).decode().splitlines()
    assert [json.loads(line) for line in lines] == records
    assert (tmp_path / "silver.jsonl").read_text("utf-8").splitlines() == lines


def test_a_failure_leaves_the_old_file(teacher, tmp_path):
    path = tmp_path / "silver.jsonl.gz"
    write_silver(path, [])
    before = path.read_bytes()

    def broken():
        yield silver_record(["Oslo"], ["S-LOC"])
        raise InputError("it ended")

    with pytest.raises(InputError, match="it ended"):
        write_silver(path, broken())
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]
    assert read(path).sentences == []
    with pytest.raises(FileNotFoundError, match="gone"):
        write_silver(tmp_path / "gone" / "f", [])


def test_the_command(tmp_path, capsys):
    models = f"{GOLDEN / 'bundle-1.4'},{GOLDEN / 'bundle-1.0-iob2'}"
    (tmp_path / "plain.txt").write_text("Ada Lovelace left\nOslo.\n\nIt rained.\nIt rained.\n")
    with gzip.open(tmp_path / "lines.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write('{"text": "Oslo won."}\n{"tokens": ["It", "snowed"], "tags": ["O", "O"]}\n')
    (tmp_path / "tagged.conll").write_text("Noor B-PER\nslept O\n\nIt O\nsnowed O\n")
    files = [tmp_path / name for name in ("plain.txt", "lines.jsonl.gz", "tagged.conll")]
    out = tmp_path / "silver.jsonl.gz"
    command = ["distill", "--teacher", models, "--text", *files, "-o", out, "--lines", "wrapped"]
    assert main([str(word) for word in command]) == 0
    said = capsys.readouterr()
    assert said.out == "" and "5 sentences, " in said.err and "2 repeated sentences" in said.err
    corpus = read(out)
    assert corpus.sentences == [
        ["Ada", "Lovelace", "left", "Oslo", "."],
        ["It", "rained", "."],
        ["Oslo", "won", "."],
        ["It", "snowed"],
        ["Noor", "slept"],
    ]
    assert main([str(word) for word in [*command, "--keep-duplicates"]]) == 0
    assert len(read(out)) == 7
    assert "0 repeated sentences" in capsys.readouterr().err

    # agreement with a teacher, as with any corpus
    assert main(["evaluate", str(out), "--model", str(GOLDEN / "bundle-1.4"), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["format"] == "tokens" and scores["sentences"] == 7
    found = sum(row["gold"] for row in scores["per_label"].values())
    assert found == sum(len(spans_of(tags)) for tags in read(out).tags) > 0


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--text", "plain.txt", "-o", "plain.txt"], 1, "apart from --text plain.txt"),
        (["--text", "plain.txt"], 2, "--output"),
        (["-o", "out.jsonl"], 2, "--text"),
        (["--text", "blank.txt", "-o", "out.jsonl"], 1, "blank.txt: expected sentences to write"),
        (["--text", "gone.txt", "-o", "out.jsonl"], 1, "gone.txt"),
        (["--text", "bad.gz", "-o", "out.jsonl"], 1, "bad.gz: expected a whole file of gzip"),
        (["--text", "plain.txt", "-o", "out.jsonl", "--teacher", "a,,b"], 2, "M[,M…]"),
        (["--text", "plain.txt", "-o", "out.jsonl", "--teacher", "gone"], 1, "gone"),
        (["--text", "plain.txt", "-o", "out.jsonl", "--min-confidence", "2"], 2, "from 0 to 1"),
    ],
)
def test_wrong_usage(args, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("plain.txt").write_text("It rained.\n")
    Path("blank.txt").write_text("\n \n")
    Path("bad.gz").write_bytes(gzip.compress(b"It rained.\n" * 100)[:-9])
    teacher = [] if "--teacher" in args else ["--teacher", str(GOLDEN / "bundle-1.4")]
    try:
        found = main(["distill", *args, *teacher])
    except SystemExit as exit:
        found = exit.code
    assert found == code and message in capsys.readouterr().err
    assert not Path("out.jsonl").exists()


def test_the_embedded_model_agrees_with_its_silver():
    """Its own tags are the most probable sequence, those of silver the best marginals."""
    if not Path(EMBEDDED, "manifest.json").is_file():
        pytest.skip(f"the embedded model is absent: {EMBEDDED}")
    with fastner.load(threads=1) as tagger:
        (record,) = fastner.distill(tagger, ["Angela Merkel met Tim Cook in Cupertino."])
        assert spans_of(record["ner_tags"]) == spans_of(tagger.tag(record["tokens"]))


# --- the page ----------------------------------------------------------------------------------

PAGE = Path(__file__).resolve().parents[1] / "docs" / "distillation.md"


@pytest.mark.skipif(not PAGE.is_file(), reason=f"{PAGE} is absent")
def test_the_file_of_the_page(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    record = json.loads(shown)
    (tmp_path / "a.jsonl").write_text(shown)
    assert read(tmp_path / "a.jsonl").tags == [record["ner_tags"]]
    again = silver_record(record["tokens"], record["ner_tags"], record["probabilities"])
    assert json.dumps(again) == shown.strip()
    for number in (CERTAIN, LEAST):
        assert f"{number} or more" in page
