"""`train`: from tagged corpora, with word vectors or without, to a tagger and its bundle."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from fastner.bundle import read_bundle
from fastner.bundle.directory import check_replaceable
from fastner.bundle.manifest import ENGLISH
from fastner.bundle.vectors import DTYPES
from fastner.corpus import Corpus, Readable, read
from fastner.corpus.items import Options
from fastner.corpus.signs import NO_ENTITY
from fastner.corpus.spans import Misaligned, Overlapping
from fastner.errors import DependencyError, InputError, TrainingError
from fastner.evaluation import plots
from fastner.files import check_output, normalised
from fastner.lists.rules import LANGUAGES
from fastner.models.names import directory_of
from fastner.strict import MAX_STRING
from fastner.tagger import Tagger
from fastner.tags import labels_of
from fastner.training.checkpoint import Checkpoint, check_writable, refuse_unfinished
from fastner.training.conversion import tf
from fastner.training.gazetteers import Listed, list_files, read_gazetteers
from fastner.training.holdout import hold_out
from fastner.training.lessons import Gathered, Lesson, lessons_of
from fastner.training.publish import history_of, publish
from fastner.training.recipe import preset as preset_recipe
from fastner.training.run import Progress, Run
from fastner.training.silver import read_silver
from fastner.training.start import Start
from fastner.training.summary import check_labels, summary
from fastner.training.task import Task
from fastner.training.unlabelled import Paths, train_vectors
from fastner.training.vectors import GLOVE, WordVectors, load_vectors


def train(
    train: Readable | Corpus | Lesson | Sequence[Any],
    dev: Readable | Corpus | Lesson | None = None,
    *,
    silver: Lesson | str | os.PathLike[str] | Sequence[Any] = (),
    init_from: str | os.PathLike[str] | None = None,
    lexicon: Mapping[str, Listed] | None = None,
    vectors: str | Path | None = None,
    text: Paths = (),
    output: str | Path | None = None,
    force: bool = False,
    resume: bool = False,
    preset: str = "default",
    crf: str = "own",
    seed: int = 1,
    max_words: int | None = None,
    vector_dtype: str = "float32",
    format: str = "auto",
    word_column: int | None = None,
    tag_column: int | None = None,
    tag_key: str | None = None,
    tag_names: Sequence[str] | None = None,
    misaligned: Misaligned = "split",
    overlapping: Overlapping = "error",
    language: str = ENGLISH,
    license: str = "unknown",
    description: str = "",
    trust_pickle: bool = False,
    progress: Callable[[Progress], None] | None = None,
    notice: Callable[[str], None] | None = None,
    **choices: Any,
) -> Tagger:
    """Trains a tagger, saves its bundle at `output`, if that is given, and returns it.

    train, dev: what `corpus.read` reads, with its options from `format` to `language`: paths,
    pairs (text, [(start, end, label), …]) or (words, tags), records, data frames; or corpora. dev
    decides when to stop and which weights to keep; without it a fifth of train is held out, whole
    documents drawn by `seed` (`hold_out`). train may be several: a list of `Lesson`s, which say
    what each corpus annotates and counts, of corpora, or of paths of files. Then a corpus says
    nothing of labels that others have and it lacks, unless its lesson names them. silver: files
    that a teacher has tagged (`silver.read_silver`), or lessons of such; train may be [] then.

    init_from: a model to go on from (`Start`), as `fastner.load` takes it: its recipe, vectors and
    weights, with its labels and those of train. Where a corpus says nothing of a label of the
    model, the model's own marginals are learnt, unless the recipe's `rehearse` is False.

    lexicon: lists of phrases by name, {"ORG": "companies.txt", "FIRST": ["Ada", "Noor"]}, as a
    further feature of each word: whether it is a phrase of the list, begins, is inside or ends one
    (`lists.gazetteers`). A name need not be a label. A list is a path, with a phrase a line, or
    phrases, each as text, as a list of words or as a `Path` of more. They become part of the model.
    One to go on from brings its own.

    vectors: see `load_vectors`; all their words stay known, or the first `max_words`; what gensim
    saves is a pickle, which may run code, and loads with `trust_pickle=True` only. text: files of
    unlabelled text to train vectors on in their place (`train_vectors`). A word of train that has
    no vector gets a random one, which is trained; so does every word where none are given.
    preset and choices: a recipe and what to change in it, see `Recipe`. crf: "own", or "tfa" for
    the likelihood of tensorflow-addons. vector_dtype: how vectors are stored: float32, float16,
    int8 with a scale per row, or product: the words of the training corpus as int8, and all others
    product-quantized, which the network is then trained on (`product_quantize`); where none are
    given, the commonest tenth as int8, and the others product-quantized in the end. language: of
    the texts that the model is for, kept in it, by which they are split into words: one of
    `lists.rules.LANGUAGES`, where "xx" is any other. Words are read as at inference
    (`fastner.reading`), those of corpora, vectors and clusters alike; vectors should come in order
    of frequency.

    progress is called at every step and epoch, and may raise KeyboardInterrupt to end training.
    notice is called with lines: what each corpus was read as, what is learnt from, what is odd, and
    why training ended.

    output: a new or empty directory apart from the inputs, or, with force, that of a bundle, which
    is replaced. State is kept beside it (`OUTPUT.training`) after every epoch; `resume=True` goes
    on from there to the same model that an undisturbed run gives, and without it such a state is
    overwritten with force only. A KeyboardInterrupt ends training, exports the best weights so far
    and keeps the state. The same seed on the same CPU gives the same model, whatever Keras is
    set to in this process or in its keras.json (floats, precision): training has its own settings,
    and gives back what it found, with the generators of `random` and `numpy.random`. Only the seed
    of Keras' backend stays `seed`. As these settings are the process's, train in no two threads at
    once. Its learning curves lie in the bundle (history.json), and as a picture beside it
    (`OUTPUT.history.png`) where matplotlib is installed.

    Raises InputError for bad corpora, vectors or choices, for an output that is an input or a
    finished model and for the state of an unfinished run or a damaged one, OSError where output or
    state cannot be saved, BundleError where `output` holds anything but a bundle, and TrainingError
    where training diverges, nothing was learnt before an interrupt, or the exported graphs differ
    from Keras.
    """
    start = None
    if init_from is not None:
        if vectors is not None or text or preset != "default":
            raise InputError(
                "expected neither vectors nor text nor preset beside the model to go on from, "
                "which brings its own"
            )
        if lexicon is not None:
            raise InputError(
                "expected no lexicon beside the model to go on from, which keeps the lists that it "
                "has; train a new model with it"
            )
        init_from = directory_of(init_from)
        start = Start.of(read_bundle(init_from))
    recipe = (start.recipe if start else preset_recipe(preset)).updated(**choices)
    if start is not None:
        start.check(recipe, language)
    if vector_dtype not in DTYPES:
        raise InputError(f"expected vector_dtype out of {DTYPES}, got {vector_dtype!r}")
    for name, said in (("license", license), ("description", description)):
        if not isinstance(said, str) or len(said.encode("utf-8", "replace")) > MAX_STRING:
            raise InputError(f"expected {name} as a str of at most {MAX_STRING} bytes in UTF-8")
    if language not in LANGUAGES:
        raise InputError(f"expected language out of {', '.join(LANGUAGES)}, got {language!r}")
    if vectors is not None and text:
        raise InputError("expected vectors or text to train some on, got both; give one of them")
    gazetteers = start.gazetteers if start else ()
    if lexicon is not None:
        gazetteers = read_gazetteers(lexicon, language)
    texts = [text] if isinstance(text, (str, os.PathLike)) else list(text)
    lessons, silvers = lessons_of(train), lessons_of(silver)
    if not (lessons or silvers):
        raise InputError("expected at least one sentence to learn from, got no corpus")
    tested = dev if dev is None or isinstance(dev, Lesson) else Lesson(dev)
    if tested is not None and (tested.weight, tested.share) != (1, 1):
        raise InputError(f"{tested.name}: expected no weight or share of a dev corpus, got one")
    place = None
    if output is not None:
        given = {"the dev corpus": tested and tested.corpus}
        for what, several in (("training", lessons), ("silver", silvers)):
            for number, lesson in enumerate(several, 1):
                of = f" {number}" if len(several) > 1 else ""
                given[f"the {what} corpus{of}"] = lesson.corpus
        given |= {f"text {path}": path for path in texts}
        given |= {f"the list {path}": path for path in list_files(lexicon or {})}
        given["the model to go on from"] = init_from
        if vectors is not None and str(vectors) != GLOVE:
            given["the vectors"] = vectors
        inputs = {k: v for k, v in given.items() if isinstance(v, (str, os.PathLike))}
        place = _Place.of(output, inputs, force=force, resume=resume)
    elif resume:
        raise InputError("expected the output of the run to go on with, got none; give output")

    def say(line: str) -> None:
        if notice is not None:
            notice(line)

    options = Options(
        word_column, tag_column, tag_key, tag_names, misaligned, overlapping, language, partial=True
    )
    learnt = []
    for lesson in lessons:
        bare = lesson.labels is not None and not lesson.labels
        corpus = _corpus(lesson.corpus, format, options, say, bare=bare)
        learnt.append(replace(lesson, corpus=corpus))
    if tested is not None:
        tested = replace(tested, corpus=_corpus(tested.corpus, format, options, say))
    elif not learnt:
        raise InputError("expected a dev corpus beside silver alone, got none; give dev (--dev)")
    else:
        first, held_out = hold_out(_tagged(learnt[0]), seed)
        tested = replace(learnt[0], corpus=held_out, weight=1.0, share=1.0)
        learnt[0] = replace(learnt[0], corpus=first)
    gathered = Gathered(recipe.scheme)
    for lesson in learnt:
        gathered.add(_tagged(lesson), lesson)
    for lesson in silvers:
        gathered.add_silver(read_silver(lesson.path, recipe.scheme), lesson)
    check_labels(gathered)
    measured = tested.mapped()
    if dev is not None and (absent := tested.absent(_tagged(tested).tags)):
        say(f"warning: {measured.path}: labels to map that no entity has: {', '.join(absent)}")
    dev_labels = tested.labels
    if dev_labels is None and (start is not None or len(gathered.parts) > 1):
        dev_labels = set(labels_of(tag for row in measured.tags for tag in row))
        if dev is None:  # which of them the few sentences held out have is chance
            dev_labels |= gathered.parts[0].labels
    known: WordVectors | None
    if texts:
        known = train_vectors(
            texts,
            [sentence for lesson in learnt for sentence in _tagged(lesson).sentences],
            width=recipe.vector_width,
            seed=seed,
            language=language,
        )
    elif vectors is not None:
        known = load_vectors(vectors, limit=max_words, trust_pickle=trust_pickle)
    else:
        known = None if start is None else start.vectors
    task = Task.prepare(
        recipe,
        gathered,
        measured,
        dev_labels=dev_labels,
        vectors=known,
        coded=vector_dtype == "product",
        seed=seed,
        language=language,
        start=start,
        gazetteers=gazetteers,
    )
    for line in summary(task, gathered, known.notes if known else ()):
        say(line)
    del known, gathered, learnt
    with _own_settings(seed):
        run = Run(task, seed=seed, crf=crf)
        checkpoint = None
        if place is not None:
            checkpoint = Checkpoint(place.state, fingerprint=run.fingerprint())
            if resume:
                run.restore(checkpoint.load(run.largest_state()))
        try:
            while not run.finished():
                run.train_epoch(progress)
                if checkpoint is not None:
                    checkpoint.save(run.state())
        except KeyboardInterrupt:
            if not run.best:
                raise TrainingError(
                    "interrupted before the first epoch was scored: there is nothing to export yet"
                ) from None
        say(run.ending())
        if not run.best_f1:
            say(
                f"warning: no entity of {measured.path} is found: this model is of no use; give "
                "more sentences, or check that train and dev are tagged alike"
            )
        bundle, scores = publish(
            run,
            None if place is None else place.model,
            vector_dtype=vector_dtype,
            language=language,
            license=license,
            description=description,
            preset=preset,
        )
        if checkpoint is not None and run.finished():
            checkpoint.remove()
        elif checkpoint is not None:
            say(f"the state of this run stays in {checkpoint.folder}: resume goes on from there")
    if progress is not None:
        progress(run.last_progress(scores))
    if place is not None:
        with suppress(DependencyError):  # matplotlib comes with the extra, but is not required
            title = f"{os.fsdecode(place.given)}/history.json"
            plots.save(plots.history_figure(history_of(run), title), place.picture)
    return Tagger(bundle)


class _Place(NamedTuple):
    """Where a model goes, and what lies beside it."""

    given: str | Path
    model: Path
    state: Path
    picture: str

    @classmethod
    def of(
        cls,
        output: str | Path,
        inputs: Mapping[str, str | os.PathLike[str]],
        *,
        force: bool,
        resume: bool,
    ) -> _Place:
        """That of an output that may be written; its one path names what lies beside it."""
        target = normalised(output)
        place = cls(output, Path(target), Path(f"{target}.training"), f"{target}.history.png")
        for path, what in (
            (output, "output"),
            (place.state, "output's state"),
            (place.picture, "output's picture"),
        ):
            check_output(path, inputs, what=what)
        check_replaceable(target)
        if not (resume or force):
            refuse_unfinished(place.state)
            if os.path.lexists(target) and os.listdir(target):
                raise InputError(
                    f"{os.fsdecode(output)}: expected a new or empty directory as output, got a "
                    "finished model; choose another, or replace it with force (--force)"
                )
        check_writable(place.model, place.state)
        return place


def _corpus(
    given: Readable | Corpus,
    format: str,
    options: Options,
    say: Callable[[str], None],
    *,
    bare: bool = False,
) -> Corpus:
    """What is given, read where it is no corpus yet; says what it was read as, and its warnings.

    bare: it annotates nothing, so that all of its tags are O.
    """
    corpus = given
    if not isinstance(corpus, Corpus):
        chosen = {f.name: getattr(options, f.name) for f in fields(options) if f.name != "findings"}
        corpus = read(corpus, format, **chosen)
    for line in corpus.notices():
        if not (bare and NO_ENTITY in line):
            say(line)
    return corpus


def _tagged(lesson: Lesson) -> Corpus:
    """The corpus of a lesson that was read, with sentences."""
    corpus = lesson.corpus
    assert isinstance(corpus, Corpus)
    corpus.require_sentences()
    if corpus.scheme is None:
        raise InputError(
            f"{corpus.path}: expected entities to learn, got words without tags; name the column "
            "or key of the tags, or check that the file is annotated"
        )
    return corpus


@contextmanager
def _own_settings(seed: int) -> Iterator[None]:
    """Keras in float32 and all generators at `seed`, until the end of the block.

    The network's layers could say float32 themselves; the variables of Keras' optimizers, the
    learning rate among them, take the process's. So do matrix products, see `_whole_products`.
    """
    policy, floats = keras.config.dtype_policy(), keras.config.floatx()
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what Keras seeds
    try:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        keras.utils.set_random_seed(seed)
        with _whole_products():
            yield
    finally:
        keras.config.set_floatx(floats)
        keras.config.set_dtype_policy(policy)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002 - what Keras seeds


@contextmanager
def _whole_products() -> Iterator[None]:
    """Matrix products of float32 as such, not in TF32, until the end of the block.

    Backends multiply in TF32 on GPUs that have it, unless told otherwise: factors of 10 bits, which
    is coarser than the parity that the graphs of a network are held to.
    """
    if keras.backend.backend() == "jax":
        import jax

        with jax.default_matmul_precision("float32"):
            yield
        return
    setting = tf.config.experimental
    before = setting.tensor_float_32_execution_enabled()
    setting.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        setting.enable_tensor_float_32_execution(before)
