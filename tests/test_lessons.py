"""Several corpora that know different things, and silver: what is learnt from each of them."""

import copy
import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from small import TRAINING, write_corpus, write_vectors

import fastner
from fastner.bundle import read_bundle
from fastner.corpus import Corpus, read
from fastner.errors import InputError
from fastner.scoring import score
from fastner.tags import TagScheme, tag_set

pytest.importorskip("keras", reason="training needs the train extra")
import keras

from fastner.evaluation.labels import only
from fastner.training import Lesson
from fastner.training.batches import Batch, Targets
from fastner.training.holdout import hold_out
from fastner.training.lessons import Gathered, lessons_of
from fastner.training.recipe import preset
from fastner.training.run import Run
from fastner.training.silver import read_silver
from fastner.training.start import Start
from fastner.training.task import Task
from fastner.training.vectors import load_vectors

SMALL = TRAINING


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
            ["map=person=PER,product=,group=?", "labels=PER, LOC", "weight=0.5", "share=2"]
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
            ("weight=1e7", "expected a weight above 0, up to 1,000,000"),
            ("share=-1", "expected a share above 0"),
            ("map=person", r"a\.tsv: map: expected labels, each once"),
            ("map=person=O", r"as in person=PER,product= \(nothing: O\), got 'person=O'"),
        ],
    )
    def test_refusals(self, option, message):
        with pytest.raises(InputError, match=message):
            Lesson("a.tsv").with_options([option])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"map": ["person"]}, "a map from names of labels"),
            ({"map": {"person": None}}, "a map from names of labels"),
            ({"labels": (label for label in ["PER"])}, "labels as names"),
            ({"labels": [None]}, "labels as names"),
        ],
    )
    def test_options_of_another_type(self, options, message):
        with pytest.raises(InputError, match=f"a.tsv: expected {message}"):
            Lesson("a.tsv", **options)

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


class TestPartial:
    """Known spans, known non-entities, and the rest open."""

    def known(self, source, **options):
        found = read(source, partial=True, **options)
        assert "?" not in {tag for row in found.tags for tag in row}
        gathered = Gathered(TagScheme.BIOES)
        gathered.add(found)
        tags = [gathered.tags[i] if i >= 0 else "?" for i in gathered.parts[0].tags]
        return tags, found

    def test_columns_and_tokens(self, tmp_path):
        path = tmp_path / "c.txt"
        path.write_text("Ada B-PER\nLovelace I-PER\nof O\nOslo ?\n\nit O\n", encoding="utf-8")
        tags, found = self.known(path)
        assert tags == ["B-PER", "E-PER", "O", "?", "O"] and found.open == {0: {3}}
        with pytest.raises(InputError, match=r"c\.txt:4: expected the tag O or B-.* got '\?'"):
            read(path)
        record = {"tokens": ["Oslo", "won"], "ner_tags": ["B-LOC", "?"]}
        assert self.known([record])[0] == ["S-LOC", "?"]
        with pytest.raises(InputError, match=r"got '\?'"):
            read([record])

    def test_texts(self):
        text = {"text": "Ada left Oslo.", "entities": [{"start": 0, "end": 3, "label": "PER"}]}
        for open_, want in (
            (True, ["S-PER", "?", "?", "?"]),
            ([[9, 13]], ["S-PER", "O", "?", "O"]),
            (False, ["S-PER", "O", "O", "O"]),
        ):
            assert self.known([{**text, "open": open_}])[0] == want
        for open_, warned in ((True, True), ([[9, 13]], True), ([], False), (1.5, False)):
            found = read([{**text, "open": open_}])
            assert any("leave words open" in line for line in found.warnings) is warned
            assert found.tags == [["B-PER", "O", "O", "O"]]
        for wrong in ("yes", [[9, 99]], [9, 13]):
            with pytest.raises(InputError, match='characters as "open"'):
                self.known([{**text, "open": wrong}])

    def test_what_is_held_out_takes_its_open_tokens_along(self):
        rows = [
            {"tokens": [str(i), "x"], "ner_tags": ["O", "?" if i % 2 else "O"]} for i in range(20)
        ]
        parts = hold_out(read(rows, partial=True), 1)
        for part in parts:
            assert part.open == {
                at: {1} for at, (word, _) in enumerate(part.sentences) if int(word) % 2
            }
        with pytest.raises(InputError, match="expected a dev corpus of which all is known"):
            Lesson(parts[0]).mapped()


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
        with pytest.raises(InputError, match=r"of its labels \(LOC\), got PER; map them"):
            gathered.add(corpus("Ada/B-PER"), Lesson("c", labels=["LOC"]))

    def test_a_known_span_ends_where_it_is_said_to_end(self):
        """In IOB2, where tags alone do not say it."""
        row = {"tokens": ["Ada", "X", "Bo", "Y"], "ner_tags": ["B-PER", "?", "B-PER", "?"]}
        gathered = Gathered(TagScheme.IOB2)
        gathered.add(read([row], partial=True))
        tags, _, known = targets(gathered, ["LOC", "PER"])
        for place in (1, 3):
            lacking = [t for t, p in zip(tags, known["allowed"][0, place], strict=True) if not p]
            assert lacking == ["I-PER"]

    def test_what_is_open_may_be_what_the_model_to_go_on_from_lacks(self):
        row = {"tokens": ["Ada", "bought", "Pixel"], "ner_tags": ["?", "O", "B-NEW"]}
        gathered = Gathered(TagScheme.BIOES)
        gathered.add(read([row], partial=True))
        tags = tag_set(["NEW", "PER"], gathered.scheme)
        found = Targets(gathered, tags)
        first, lengths = np.array([0]), np.array([3])
        tag_ids, _ = found.of(first, first, lengths, (1, 3))
        batch = Batch({"lengths": lengths}, tag_ids, first, np.arange(3))
        o, new = np.eye(len(tags))[[0, tags.index("S-NEW")]]
        found.soften(batch, first, np.array([[o, o, new]]))
        found.softened(frozenset(["PER"]))
        _, known = found.of(first, first, lengths, (1, 3))
        outside = [{t for t, p in zip(tags, row, strict=True) if p} for row in known["allowed"][0]]
        assert outside[:2] == [{t for t in tags if not t.endswith("PER")}, {"O"}]

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
        tags, _, known = targets(gathered, ["LOC", "ORG", "PER"])
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
            ({"weight": 0}, 'a number above 0, .* as "weight"'),
            (
                {"ner_tags": ["B-PER", "I-PER"], "probabilities": [None, None]},
                "well-formed tags of BIOES",
            ),
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
        with pytest.raises(InputError, match="expected a whole file of gzip"):
            list(read_silver(path, TagScheme.BIOES))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus of all labels, a larger one without LOC, where people are persons; silver."""
    folder = tmp_path_factory.mktemp("data")
    write_corpus(folder / "all.txt", sentences=60, seed=1)
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


def lessons(data, **choices) -> list[Lesson]:
    """All.txt, and part.txt with these choices."""
    part = {"map": {"person": "PER"}, **choices}
    return [Lesson(read(data / "all.txt")), Lesson(read(data / "part.txt"), **part)]


def opened(data, given, *, silver=(), start=None, **choices) -> Run:
    """A run that learns from these lessons, before its first epoch."""
    recipe = (preset("default") if start is None else start.recipe).updated(**{**SMALL, **choices})
    gathered = Gathered(recipe.scheme)
    for lesson in given:
        gathered.add(lesson.corpus, lesson)
    for lesson in silver:
        gathered.add_silver(read_silver(lesson.path, recipe.scheme), lesson)
    vectors = load_vectors(data / "vectors.txt") if start is None else start.vectors
    task = Task.prepare(
        recipe,
        gathered,
        read(data / "dev.txt"),
        vectors=vectors,
        coded=False,
        seed=1,
        start=start,
    )
    keras.utils.set_random_seed(1)
    return Run(task, seed=1, crf="own")


@pytest.fixture(scope="module")
def model(data, tmp_path_factory) -> Path:
    """Of PER and ORG, and of silver."""
    output = tmp_path_factory.mktemp("model") / "m"
    said = []
    fastner.train(
        [Lesson(data / "part.txt", {"person": "PER"})],
        Lesson(data / "dev.txt", {"LOC": ""}),
        silver=Lesson(data / "silver.jsonl.gz", {"LOC": "?"}, weight=0.5, share=0.5),
        vectors=data / "vectors.txt",
        output=output,
        notice=said.append,
        **{**SMALL, "epochs": 5, "variant_rate": 0.0},
    ).close()
    assert any(line.endswith("; an epoch shows 30 sentences") for line in said)
    return output


def test_a_model_says_what_it_was_taught_by(model):
    manifest = read_bundle(model).manifest
    assert manifest.labels == ["ORG", "PER"] and manifest.scores["dev_f1"] > 0.9
    common = {"labels": ["ORG", "PER"]}
    assert manifest.training["corpora"] == [
        {"name": "part.txt", "silver": False, "sentences": 200, "weight": 1.0, "share": 1.0}
        | common,
        {"name": "silver.jsonl.gz", "silver": True, "sentences": 60, "weight": 0.5, "share": 0.5}
        | common,
    ]


def test_missing_labels_are_learnt_from_the_corpora_that_have_them(data):
    """Where what is missing counts as O, the larger corpus without LOC wins."""
    found = []
    for labels in (None, ["LOC", "ORG", "PER"]):
        run = opened(data, lessons(data, labels=labels, share=0.5), epochs=6)
        for _ in range(6):
            run.train_epoch(None)
        found.append(run.score_dev()[0].per_label["LOC"])
    open_, closed = found
    assert open_.f1 > closed.f1 + 0.2


def test_resumes_with_several_corpora_and_a_share_of_silver(data):
    given = lessons(data, weight=0.5, share=0.2)
    choices = {"silver": [Lesson(data / "silver.jsonl.gz", share=0.5)], "silver_count": 2}
    whole = opened(data, given, **choices)
    assert whole.task.train.shown == 60 + 40 + 30
    whole.train_epoch(None)
    state = copy.deepcopy(whole.state())
    whole.train_epoch(None)
    resumed = opened(data, given, **choices)
    assert resumed.fingerprint() == whole.fingerprint()
    resumed.restore(state)
    resumed.train_epoch(None)
    assert resumed.history[1]["loss"] == whole.history[1]["loss"]
    for one, two in zip(resumed.state().network, whole.state().network, strict=True):
        np.testing.assert_array_equal(one, two)


def test_goes_on_from_a_model_with_one_more_label(data, model):
    """It begins as that model is, and learns what it says where the corpus says nothing."""
    start = Start.of(read_bundle(model))
    both = Lesson(read(data / "all.txt"), {"PER": "?", "ORG": "?"}, labels=["LOC"])
    run = opened(data, [both], start=start, epochs=3, epoch_updates=20)
    task = run.task
    assert task.tags == tag_set(["LOC", "ORG", "PER"], TagScheme.BIOES)
    dev = read(data / "dev.txt")
    with fastner.load(model, engine="onnxruntime") as tagger:
        before = tagger.tag_batch(dev.sentences)
    fresh = run.score_dev()[0]
    of_old = {label: fresh.per_label[label] for label in ("PER", "ORG")}
    want = score(only(dev.tags, ["PER", "ORG"]), before).per_label
    assert of_old == want and fresh.per_label["LOC"].predicted == 0
    # its own certain tags, and O of LOC where the corpus has them, are all that is left open
    batch = task.train.batch(np.arange(len(task.train)))
    assert batch.known["soft"].all()
    sums = batch.known["probabilities"].sum(axis=2)
    valid = np.arange(sums.shape[1]) < batch.inputs["lengths"][:, None]
    np.testing.assert_allclose(sums[valid], 1, atol=0.03)
    loc = [i for i, tag in enumerate(task.tags) if tag.endswith("LOC")]
    is_loc = np.array([row + ["O"] * (sums.shape[1] - len(row)) for row in both.corpus.tags])
    is_loc = np.char.endswith(is_loc, "LOC")
    taught = batch.known["probabilities"][:, :, loc].sum(axis=2)
    np.testing.assert_array_equal(taught[valid], is_loc[valid])
    for _ in range(3):
        run.train_epoch(None)
    after = run.score_dev()[0]
    assert after.per_label["LOC"].f1 > 0.5
    assert after.per_label["PER"].f1 > 0.9 and after.per_label["ORG"].f1 > 0.9


def test_what_cannot_be_gone_on_from(model, data):
    for wrong, message in (
        ({"hidden": (9,)}, r"expected the model's own hidden, \(12,\)"),
        ({"language": "de"}, "expected the model's language, en, got de"),
        ({"vectors": "v"}, "expected neither vectors nor text"),
    ):
        with pytest.raises(InputError, match=message):
            fastner.train(data / "all.txt", init_from=model, **wrong)


def test_a_corpus_that_annotates_nothing_is_not_suspected():
    rows, said = [(["it", "rained"], ["O", "O"])] * 5, []
    for labels, suspected in (([], False), (None, True)):
        with pytest.raises(InputError, match="expected entities to learn"):
            fastner.train([Lesson(rows, labels=labels)], [(["x"], ["B-X"])], notice=said.append)
        assert any("all tags are O" in line for line in said) is suspected
        said.clear()


def test_a_dev_corpus_has_no_weight(data):
    for option in ({"weight": 2}, {"share": 0.5}):
        with pytest.raises(InputError, match=r"dev\.txt: expected no weight or share of a dev"):
            fastner.train(data / "all.txt", Lesson(data / "dev.txt", **option))


def test_silver_alone_needs_a_dev_corpus(data):
    with pytest.raises(InputError, match="expected a dev corpus beside silver"):
        fastner.train([], silver=data / "silver.jsonl.gz", **SMALL)
