"""The teacher: what annotations permit, batches of pieces, silver records; a tiny one."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "bench" / "teacher").is_dir():
    pytest.skip("bench/ is not beside tests/", allow_module_level=True)
sys.path.insert(0, str(ROOT))

from bench.teacher import average, data, silver
from bench.teacher.data import END, LONGEST, PAD, START, TAGS, Example, Pieces, TrainingCorpus

MISC = {"B-MISC", "I-MISC", "E-MISC", "S-MISC"}
ANY = np.uint32((1 << len(TAGS)) - 1)


def encode(words):
    """A piece for every two characters; the piece says where in its word it stands."""
    return [[10 + len(word) + i for i in range((len(word) + 1) // 2)] for word in words]


def example(words, document=-1):
    return Example(words, np.full(len(words), ANY), 1, document)


def permitted(sentence):
    return [{TAGS[i] for i in range(len(TAGS)) if bits >> i & 1} for bits in sentence.permitted]


def write(path, *sentences):
    text = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in row) for row in sentences)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


TWEETS = TrainingCorpus(
    "tweets.tsv", "wnut17", {"person": "PER", "product": "MISC"}, without="MISC"
)


def test_what_an_annotation_without_misc_permits(tmp_path):
    row = [("Ada", "B-person"), ("King", "I-person"), ("drank", "O"), ("green", "B-product")]
    row += [("tea", "I-product"), ("by", "O"), ("Xbox", "B-product"), ("@ada", "B-person")]
    write(tmp_path / "tweets.tsv", row)
    (found,) = data.examples(TWEETS, tmp_path)
    unknown = MISC | {"O"}
    wanted = [{"B-PER"}, {"E-PER"}, unknown, unknown, unknown, unknown, {"S-MISC"}, unknown]
    assert permitted(found) == wanted
    assert data.DOMAINS[found.domain] == "wnut17" and found.document == -1


def test_adjectives_may_be_misc_outside_longer_entities(tmp_path):
    row = [("Swiss", "B-ORG"), ("ate", "O"), ("Swiss", "O"), ("Swiss", "B-ORG"), ("Air", "I-ORG")]
    write(tmp_path / "wiki.tsv", row)
    corpus = TrainingCorpus("wiki.tsv", "wikineural", doubtful=True)
    (found,) = data.examples(corpus, tmp_path, frozenset({"Swiss"}))
    wanted = [{"S-ORG", "S-MISC"}, {"O"}, {"O", "S-MISC"}, {"B-ORG"}, {"E-ORG"}]
    assert permitted(found) == wanted


@pytest.mark.parametrize(
    ("word", "kind"),
    [("12", 0), ("we", 1), ("EU", 2), ("A.", 3), ("Rome", 4), ("McRae", 5), ("iPad", 6), ("4G", 3)],
)
def test_case_of_words(word, kind):
    assert data.case_of(word) == kind


def test_words_lie_where_the_batch_says():
    pieces = Pieces(encode)
    items = [
        [(4, example(["aaaa", "B"], 0)), (5, example(["Ccc"], 0))],
        [(0, example(["aaaaa"] * (LONGEST // 3 + 5)))],
        [(2, example(["d"]))],
    ]
    batch = data.batch_of(items, pieces)
    assert batch.order == [4, 5, 0, 2] and batch.rows.shape == batch.permitted.shape
    assert (batch.pieces[:, 0] == START).all() and batch.pieces.shape[1] <= LONGEST + 1
    # row 0: <s> aa aa B </s> Cc c </s>
    assert batch.pieces[0, :9].tolist() == [START, 14, 15, 11, END, 13, 14, END, PAD]
    assert batch.rows[:2].max() == 0 and batch.columns[1, 0] == 5
    assert {1, 2} == set(batch.rows[2].tolist()), "the long sentence goes on in a row of its own"
    flat = [example for item in items for _, example in item]
    for s, sentence in enumerate(flat):
        assert batch.lengths[s] == len(sentence.words)
        for t, word in enumerate(sentence.words):
            place = batch.rows[s, t], batch.columns[s, t]
            assert batch.pieces[place] == encode([word])[0][0]
            assert batch.cases[place] == batch.word_cases[s, t] == data.case_of(word)


def test_neighbours_of_a_document_are_read_together_and_no_others():
    sentences = [example(["a"] * 30, d) for d in (0, 0, 0, 1, -1, -1)]
    together = [[n for n, _ in item] for item in data.packed(sentences, Pieces(encode), lambda: 70)]
    assert together == [[0, 1], [2], [3], [4], [5]]


def test_an_epoch_holds_every_sentence_once_and_is_the_same_again():
    rng = np.random.default_rng(0)
    sentences = [example(["word"] * n, i // 7) for i, n in enumerate(rng.integers(1, 30, 200))]
    pieces = Pieces(encode)
    found = data.epoch(sentences, pieces, room=256, seed=(1, 0))
    numbers = sorted(n for batch in found for item in batch for n, _ in item)
    assert numbers == list(range(200))
    assert all(data.batch_of(batch, pieces).pieces.size <= 256 for batch in found)
    order = [[n for item in batch for n, _ in item] for batch in found]
    again = data.epoch(sentences, Pieces(encode), room=256, seed=(1, 0))
    assert order == [[n for item in batch for n, _ in item] for batch in again]
    other = data.epoch(sentences, pieces, room=256, seed=(1, 1))
    assert order != [[n for item in batch for n, _ in item] for batch in other]


def rows(*tags):
    """Probabilities that hold each tag for certain, or half and half."""
    found = np.zeros((len(tags), len(TAGS)), np.float32)
    for row, tag in zip(found, tags, strict=True):
        for name in tag.split("|"):
            row[TAGS.index(name)] = 1 / len(tag.split("|"))
    return found


def test_a_record_says_where_the_teacher_doubts():
    probabilities = rows("B-PER", "E-PER|I-PER", "O|S-LOC")
    found = silver.record(["Ada", "King", "left"], probabilities)
    assert found["ner_tags"][:2] == ["B-PER", "E-PER"]  # I- does not close: the tags are legal
    assert found["probabilities"] == [
        None, {"I-PER": 0.5, "E-PER": 0.5}, {"O": 0.5, "S-LOC": 0.5}
    ]  # fmt: skip
    assert np.allclose(silver.probabilities_of(found), probabilities)


def test_the_mean_of_silver_files(tmp_path):
    words = ["Paris", "Hilton"]
    paths = [tmp_path / f"{name}.jsonl.gz" for name in "abm"]
    silver.write(paths[0], [silver.record(words, rows("S-LOC", "O"))])
    silver.write(paths[1], [silver.record(words, rows("B-PER", "E-PER"))])
    (found,) = average.mean(paths[:2], [1, 3])
    assert found["ner_tags"] == ["B-PER", "E-PER"]
    assert found["probabilities"] == [
        {"S-LOC": 0.25, "B-PER": 0.75}, {"O": 0.25, "E-PER": 0.75}
    ]  # fmt: skip
    silver.write(paths[2], [silver.record(["Paris", "left"], rows("S-LOC", "O"))])
    with pytest.raises(ValueError, match=r"m\.jsonl\.gz, line 1: other words"):
        list(average.mean([paths[0], paths[2]], [1, 1]))
    silver.write(paths[2], [])
    with pytest.raises(ValueError, match="shorter"):
        list(average.mean([paths[0], paths[2]], [1, 1]))


# ---- with torch: skipped where the teacher's environment is not ----------------------------------


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    """A folder as fetch.py makes it, of a model with 16 dimensions that knows letters."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("model")
    names = ["<s>", "<pad>", "</s>", "[UNK]", *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {name: i for i, name in enumerate(names)}
    vocabulary |= {f"##{name}": len(names) + i for i, name in enumerate(names[4:])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = transformers.MPNetConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16,
    )  # fmt: skip
    transformers.MPNetModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def test_the_crf_is_that_of_fastner(language_model):
    torch = pytest.importorskip("torch")
    from bench.teacher.network import Teacher
    from fastner.crf import CRF

    teacher = Teacher(language_model)
    rng = np.random.default_rng(0)
    k = len(TAGS)
    for parameter in (teacher.start, teacher.transitions, teacher.end):
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(rng.normal(size=tuple(parameter.shape))))
    parts = [p.detach().numpy() for p in (teacher.start, teacher.transitions, teacher.end)]
    crf = CRF(*parts, allowed=data.legal())
    emissions = rng.normal(size=(3, 7, k)).astype(np.float32)
    lengths = np.array([7, 1, 4], np.int32)
    found = teacher.log_normalizer(torch.from_numpy(emissions), torch.from_numpy(lengths))
    assert np.allclose(found.detach().numpy(), crf.log_normalizer(emissions, lengths), atol=1e-4)


def run(*command):
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, check=True, capture_output=True,
        text=True,
    ).stdout  # fmt: skip


def test_training_goes_on_and_its_teacher_tags(language_model, tmp_path):
    tags = {"Ada": "B-PER", "Rome": "B-LOC", "IBM": "B-ORG"}
    sentences = [[(w, tags.get(w, "O")) for w in (n, "saw", "it")] for n in [*tags, "dogs"] * 9]
    for path in ("wikineural/en/train.tsv", "btc/train.tsv", "wikigold/dev.tsv"):
        write(tmp_path / path, *sentences)
    write(tmp_path / "wnut17/train.conll", [("Ada", "B-person"), ("ran", "O")])
    columns = "\n\n".join("\n".join(f"{w} X X {t}" for w, t in row) for row in sentences)
    (tmp_path / "conll2003").mkdir()
    (tmp_path / "conll2003/train.txt").write_text(columns + "\n", encoding="utf-8")
    train = ["bench.teacher.train", "--model", language_model, "--corpora", tmp_path]
    train += ["--output", tmp_path, "--room", 128, "--threads", 1, "--show", 1, "--float32"]
    assert "step 0 of" in run(*train, "--steps", 2)
    assert "step 2 of" in (after := run(*train, "--steps", 4)) and "step 4 of" in after
    trained = ["--model", language_model, "--checkpoint", tmp_path / "checkpoint.pt"]
    said = run("bench.teacher.score", *trained, "--corpora", tmp_path, "wikigold")
    assert "wikigold, any: " in said
    texts = [{"text": "Ada saw it. It ran."}, {"text": "Ada saw it. It ran."}, {"text": "a b"}]
    with gzip.open(tmp_path / "x.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(text) + "\n" for text in texts)
    silver_folder = tmp_path / "silver"
    tag = ["bench.teacher.tag", *trained, "--output", silver_folder, tmp_path / "x.jsonl.gz"]
    run(*tag, "--training", tmp_path)
    found = list(silver.read(silver_folder / "x.jsonl.gz"))
    words = [entry["tokens"] for entry in found]
    assert words == [["Ada", "saw", "it", "."], ["It", "ran", "."], ["a", "b"]]
    assert all(len(e["ner_tags"]) == len(e["probabilities"]) == len(e["tokens"]) for e in found)
    kept = [e["ner_tags"] for e in silver.read(silver_folder / "training-conll2003.jsonl.gz")]
    assert kept[:3] == [["S-PER", "O", "O"], ["S-LOC", "O", "O"], ["S-ORG", "O", "O"]]
    assert "is there" in run(*tag)
    with gzip.open(silver_folder / "x.jsonl.gz", "rt", encoding="utf-8") as lines:
        assert json.loads(next(lines))["scheme"] == "BIOES"
