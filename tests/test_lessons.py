"""Several corpora that know different things, and silver: what is learnt from each of them."""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from small import write_corpus, write_vectors

import fastner
from fastner.bundle import read_bundle
from fastner.corpus import Corpus, read
from fastner.errors import InputError
from fastner.tags import TagScheme, tag_set

pytest.importorskip("keras", reason="training needs the train extra")
from fastner.training import Lesson
from fastner.training.batches import Targets
from fastner.training.lessons import Gathered, lessons_of
from fastner.training.silver import read_silver

SMALL = {
    "hidden": (12,),
    "character_hidden": (6,),
    "character_width": 6,
    "clusters": False,
    "batch_sentences": 8,
    "learning_rate": 0.01,
    "average": 0.0,
    "dropout": 0.2,
    "epoch_updates": 1,
}


def corpus(*sentences, path="c"):
    """Of words with their tags: "Ada/B-PER left/O"."""
    rows = [[word.rsplit("/", 1) for word in sentence.split()] for sentence in sentences]
    words, tags = ([[pair[i] for pair in row] for row in rows] for i in (0, 1))
    return Corpus(words, tags, TagScheme.IOB2, [0], path)


def silver(path, *records):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    return path


def targets(gathered, labels):
    """Of all sentences: which tags each token may have, what they count, and soft targets."""
    tags = tag_set(labels, gathered.scheme)
    found = Targets(gathered, tags)
    lengths = np.concatenate([part.lengths for part in gathered.parts])
    ends = np.cumsum(lengths)
    shape = len(lengths), int(lengths.max())
    tag_ids, known = found.of(np.arange(len(lengths)), ends - lengths, ends, shape)
    return tags, tag_ids, known


class TestLesson:
    def test_options_as_the_command_line_has_them(self):
        lesson = Lesson("a.tsv").with_options(
            ["map=person=PER,product=,group=?", "labels=PER,LOC", "weight=0.5", "share=2"]
        )
        assert lesson == Lesson(
            "a.tsv", {"person": "PER", "product": "", "group": "?"}, ["PER", "LOC"], 0.5, 2.0
        )

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("b.tsv", r"a\.tsv: expected map=, labels=, .* got 'b\.tsv'; give each corpus"),
            ("wait=1", "expected map="),
            ("weight=heavy", "expected weight as a number, got 'heavy'"),
            ("weight=0", "expected a weight above 0"),
            ("share=-1", "expected a share above 0"),
            ("map=person", "expected labels, each once"),
        ],
    )
    def test_refusals(self, option, message):
        with pytest.raises(InputError, match=message):
            Lesson("a.tsv").with_options([option])

    def test_lists_of_corpora_are_told_from_lists_of_pairs_and_lines(self, tmp_path):
        path = tmp_path / "c.txt"
        path.write_text("Ada B-PER\n")
        assert lessons_of([path, str(path)]) == [Lesson(path), Lesson(str(path))]
        assert lessons_of([]) == []
        pairs = [(["Ada"], ["B-PER"])]
        lines = ["Ada B-PER\n", "\n"]
        assert lessons_of(pairs) == [Lesson(pairs)] and lessons_of(lines) == [Lesson(lines)]
        with pytest.raises(InputError, match=r"expected a list of corpora.* got 'none\.txt'"):
            lessons_of([Lesson(path), "none.txt"])


class TestTargets:
    def test_a_single_corpus_has_tags_alone(self):
        gathered = Gathered(TagScheme.BIOES)
        gathered.add(corpus("Ada/B-PER won/O"))
        tags, tag_ids, known = targets(gathered, ["PER"])
        assert known is None and [tags[i] for i in tag_ids[0]] == ["S-PER", "O"]

    def test_what_a_corpus_lacks_may_be_where_it_says_o(self):
        gathered = Gathered(TagScheme.BIOES)
        gathered.add(corpus("Ada/B-PER in/O Oslo/B-LOC"))
        other = corpus("Bo/B-person of/O Acme/B-firm Inc/I-firm Two/B-thing")
        lesson = Lesson(other, {"person": "PER", "firm": "?", "thing": ""}, weight=0.5)
        gathered.add(other, lesson)
        assert gathered.labels() == ["LOC", "PER"]
        tags, tag_ids, known = targets(gathered, ["LOC", "PER"])
        possible = [[{t for t, p in zip(tags, row, strict=True) if p} for row in s]
                    for s in known["allowed"]]  # fmt: skip
        assert possible[0][:3] == [{"S-PER"}, {"O"}, {"S-LOC"}]
        loc = {"O", "B-LOC", "I-LOC", "E-LOC", "S-LOC"}
        assert possible[1] == [{"S-PER"}, loc, set(tags), set(tags), loc]
        assert known["weights"].tolist() == [1.0, 0.5] and "soft" not in known
        assert tag_ids[1].tolist() == [tags.index("S-PER"), 0, -1, -1, 0]

    def test_labels_that_are_named_and_not_there_are_known_to_be_absent(self):
        gathered = Gathered(TagScheme.BIOES)
        gathered.add(corpus("Ada/B-PER won/O"), Lesson("c", labels=["PER", "LOC"], weight=2))
        _, _, known = targets(gathered, ["LOC", "PER"])
        assert known["allowed"].sum() == 2
        with pytest.raises(InputError, match=r"c: expected entities of its labels LOC, got PER; "):
            gathered.add(corpus("Ada/B-PER"), Lesson("c", labels=["LOC"]))

    def test_silver(self, tmp_path):
        path = silver(
            tmp_path / "s.jsonl.gz",
            {"tokens": ["Ada"], "ner_tags": ["S-PER"], "weight": 0.5},
            {
                "tokens": ["Jordan", "won", "Ada", "Inc"],
                "ner_tags": ["S-LOC", "O", "B-firm", "E-firm"],
                "scheme": "BIOES",
                "probabilities": [{"S-LOC": 0.5, "S-PER": 0.3, "O": 0.2}, None, None,
                                  {"E-firm": 0.5, "O": 0.25, "S-LOC": 0.25}],
            },
        )  # fmt: skip
        gathered = Gathered(TagScheme.BIOES)
        gathered.add(corpus("Ada/B-PER in/O UN/B-ORG"))
        lesson = Lesson(path, {"firm": "?"}, weight=0.5)
        gathered.add_silver(read_silver(path, gathered.scheme), lesson)
        tags, tag_ids, known = targets(gathered, ["LOC", "ORG", "PER"])
        assert known["weights"].tolist() == [1.0, 0.25, 0.5]
        assert known["soft"].tolist() == [0.0, 0.0, 1.0]
        found = [
            {t: round(float(p), 3) for t, p in zip(tags, row, strict=True) if p}
            for row in known["probabilities"][2]
        ]
        # nothing is learnt of what is mapped to nothing known
        assert found == [
            {"S-LOC": 0.5, "S-PER": 0.3, "O": 0.2}, {"O": 1.0}, {}, {"O": 0.25, "S-LOC": 0.25},
        ]  # fmt: skip
        outside = {t for t, p in zip(tags, known["allowed"][2, 1], strict=True) if p}
        assert outside == {"O", "B-ORG", "I-ORG", "E-ORG", "S-ORG"}
        assert not known["probabilities"][:2].any()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"tokens": []}, 'non-empty strings as "tokens"'),
            ({"ner_tags": ["O"]}, 'a list of 2 "ner_tags"'),
            ({"ner_tags": ["O", "X"]}, "expected the tag O or B-"),
            ({"scheme": "IOB2"}, "tags in the scheme BIOES, got 'IOB2'"),
            ({"probabilities": [None]}, 'a list of 2 "probabilities"'),
            ({"probabilities": [None, {"O": 2}]}, "null or tags with numbers"),
            ({"probabilities": [None, {"O": 0.5}]}, "sum to 1"),
            ({"probabilities": [None, {"Q-X": 1.0}]}, "expected the tag O or B-"),
            ({"weight": 0}, 'a number above 0 as "weight"'),
        ],
    )
    def test_silver_that_is_wrong(self, tmp_path, change, message):
        good = {"tokens": ["Ada", "won"], "ner_tags": ["S-PER", "O"]}
        path = silver(tmp_path / "s.jsonl", good, {**good, **change})
        with pytest.raises(InputError, match=f"s.jsonl:2: .*{message}"):
            list(read_silver(path, TagScheme.BIOES))
        path.write_text('{"tokens": ["Ada"], "ner_tags": ["S-PER"]}\n')
        with pytest.raises(InputError, match=r"s\.jsonl:1: expected tags of IOB2, got 'S-PER'"):
            list(read_silver(path, TagScheme.IOB2))
        path.write_bytes(gzip.compress(path.read_bytes())[:-6])
        with pytest.raises(InputError, match="expected a whole gzip file"):
            list(read_silver(path, TagScheme.BIOES))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus of all labels, a larger one without LOC, where people are persons; silver."""
    folder = tmp_path_factory.mktemp("data")
    write_corpus(folder / "all.txt", sentences=30, seed=1)
    write_corpus(folder / "dev.txt", sentences=60, seed=2)
    write_corpus(folder / "part.txt", sentences=200, seed=3)
    text = (folder / "part.txt").read_text(encoding="utf-8")
    text = re.sub("[BI]-LOC", "O", text).replace("PER", "person")
    (folder / "part.txt").write_text(text, encoding="utf-8")
    write_vectors(folder / "vectors.txt")
    write_corpus(folder / "silver.txt", sentences=60, seed=4)
    taught = read(folder / "silver.txt").converted(TagScheme.BIOES)
    records = [
        {
            "tokens": words,
            "ner_tags": tags,
            "probabilities": [None if t == "O" else {t: 0.8, "O": 0.2} for t in tags],
        }
        for words, tags in zip(taught.sentences, taught.tags, strict=True)
    ]
    silver(folder / "silver.jsonl.gz", *records)
    return folder


def trained(data, part, output=None, **choices):
    """Of all.txt and the lesson from part.txt; the scores on dev."""
    found = []
    tagger = fastner.train(
        [data / "all.txt", part],
        data / "dev.txt",
        vectors=data / "vectors.txt",
        output=output,
        **{"progress": lambda now: found.append(now.scores), **SMALL, **choices},
    )
    tagger.close()
    return found[-1]


def test_missing_labels_are_learnt_from_the_corpora_that_have_them(data):
    """Where what is missing counts as O, the larger corpus without LOC wins."""
    part = Lesson(data / "part.txt", {"person": "PER"})
    open_ = trained(data, part, epochs=5)
    closed = trained(data, Lesson(part.corpus, part.map, ["LOC", "ORG", "PER"]), epochs=5)
    assert open_.per_label["LOC"].f1 > closed.per_label["LOC"].f1 + 0.1
    assert open_.f1 > closed.f1 and open_.f1 > 0.9


def test_resumes_with_several_corpora_and_a_share_of_silver(data, tmp_path):
    part = Lesson(data / "part.txt", {"person": "PER"}, weight=0.5, share=0.2)
    choices = {
        "silver": [Lesson(data / "silver.jsonl.gz", weight=0.5, share=0.5)],
        "epochs": 3,
        "silver_count": 2,
    }

    class Interrupt(Exception):
        pass

    def stop(now):
        if now.epoch == 3:
            raise Interrupt

    scores = trained(data, part, tmp_path / "whole", **choices)
    with pytest.raises(Interrupt):
        trained(data, part, tmp_path / "parts", progress=stop, **choices)
    with pytest.raises(InputError, match="another recipe, seed, corpus"):
        heavier = Lesson(part.corpus, part.map, weight=0.6, share=0.2)
        trained(data, heavier, tmp_path / "parts", resume=True, **choices)
    assert trained(data, part, tmp_path / "parts", resume=True, **choices) == scores
    for name in ("words.txt", "arrays.safetensors"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    taught = read_bundle(tmp_path / "whole").manifest.training["corpora"]
    assert [row["name"] for row in taught] == ["all.txt", "part.txt", "silver.jsonl.gz"]
    assert taught[2] == {
        "name": "silver.jsonl.gz", "silver": True, "sentences": 60, "labels": ["LOC", "ORG", "PER"],
        "weight": 0.5, "share": 0.5,
    }  # fmt: skip


def test_silver_alone_teaches_and_needs_a_dev_corpus(data):
    with pytest.raises(InputError, match="expected a dev corpus beside silver"):
        fastner.train([], silver=data / "silver.jsonl.gz", **SMALL)
    found = []
    fastner.train(
        [],
        data / "dev.txt",
        silver=data / "silver.jsonl.gz",
        progress=lambda now: found.append(now.scores),
        epochs=12,
        **{**SMALL, "vector_width": 8},
    ).close()
    assert found[-1].f1 > 0.9
