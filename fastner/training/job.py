"""`train`: from CoNLL-style corpora and word vectors to a bundle that `fastner.load` opens."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fastner.bundle.directory import check_replaceable
from fastner.bundle.manifest import ENGLISH
from fastner.bundle.vectors import DTYPES
from fastner.corpus import Corpus, read
from fastner.corpus.spans import Misaligned, Overlapping
from fastner.errors import DependencyError, InputError, TrainingError
from fastner.evaluation import plots
from fastner.files import check_output, normalised
from fastner.lists.rules import LANGUAGES
from fastner.scoring import Scores
from fastner.strict import MAX_STRING
from fastner.training.checkpoint import Checkpoint, refuse_unfinished
from fastner.training.publish import history_of, publish
from fastner.training.recipe import preset as preset_recipe
from fastner.training.run import Progress, Run
from fastner.training.task import Task
from fastner.training.vectors import GLOVE


def train(
    train: str | Path | Corpus,
    dev: str | Path | Corpus,
    *,
    vectors: str | Path,
    output: str | Path,
    preset: str = "default",
    crf: str = "own",
    seed: int = 1,
    resume: bool = False,
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
) -> Scores:
    """Trains a tagger and saves its bundle at `output`; returns its dev scores from the bundle.

    train, dev: files that `corpus.read` reads, with its options from `format` to `overlapping`, or
    corpora; dev decides when to stop and which weights to keep. notice is called with a line for
    what each was read as and for each of its warnings. vectors: see `load_vectors`, frequent words
    first; all their words stay known, or the first `max_words`; a gensim .kv file is a pickle,
    which may run code, and loads with `trust_pickle=True` only. preset and choices: a recipe and
    what to change in it, see `Recipe`. crf: "own", or "tfa" for the likelihood of
    tensorflow-addons. vector_dtype: how vectors are stored: float32, float16, int8 with a scale per
    row, or product: the words of the training corpus as int8, and all others product-quantized,
    which the network is then trained on (`product_quantize`). language: of the texts that the model
    is for, kept in it, by which they are split into words: one of `lists.rules.LANGUAGES`,
    where "xx" is any other. Words are read as at inference (`fastner.reading`), those of corpora,
    vectors and clusters alike.

    output: a new or empty directory, or that of a bundle, which is replaced; apart from the inputs.
    State is kept beside it (`OUTPUT.training`) after every epoch; `resume=True` goes on
    from there to the same model that an undisturbed run gives, and without it such a state is
    never overwritten. A KeyboardInterrupt ends training and exports the best weights so far. The
    same seed on the same machine gives the same model, whatever Keras is set to in this process or
    in its keras.json (floats, precision): training has its own settings, and gives back what it
    found, with the generators of `random` and `numpy.random`. Only the seed of Keras' backend stays
    `seed`. As these settings are the process's, train in no two threads at once. Its learning
    curves lie in the bundle (history.json), and as a picture beside it (`OUTPUT.history.png`) where
    matplotlib is installed.

    Raises InputError for bad corpora, vectors or choices, for an output that is an input and for
    the state of an unfinished run or a damaged one, OSError where the state cannot be saved,
    BundleError where `output` holds anything but a bundle, and TrainingError where training
    diverges, nothing was learnt before an interrupt, or the exported graphs differ from Keras.
    """
    target = normalised(output)  # what lies beside it is named after this
    state, picture = Path(f"{target}.training"), f"{target}.history.png"
    given = {"the training corpus": train, "the dev corpus": dev}
    inputs = {name: path for name, path in given.items() if not isinstance(path, Corpus)}
    if str(vectors) != GLOVE:
        inputs["the vectors"] = vectors
    for path, what in (
        (output, "output"),
        (state, "output's state"),
        (picture, "output's picture"),
    ):
        check_output(path, inputs, what=what)
    check_replaceable(target)
    for name, text in (("license", license), ("description", description)):
        if not isinstance(text, str) or len(text.encode("utf-8", "replace")) > MAX_STRING:
            raise InputError(f"expected {name} as a str of at most {MAX_STRING} bytes in UTF-8")
    if language not in LANGUAGES:
        raise InputError(f"expected language out of {', '.join(LANGUAGES)}, got {language!r}")
    if not resume:
        refuse_unfinished(state)
    recipe = preset_recipe(preset).updated(**choices)
    if vector_dtype not in DTYPES:
        raise InputError(f"expected vector_dtype out of {DTYPES}, got {vector_dtype!r}")
    corpora = [
        corpus
        if isinstance(corpus, Corpus)
        else read(
            corpus,
            format,
            word_column=word_column,
            tag_column=tag_column,
            tag_key=tag_key,
            tag_names=tag_names,
            misaligned=misaligned,
            overlapping=overlapping,
        )
        for corpus in (train, dev)
    ]
    if notice is not None:
        for corpus in corpora:
            for line in corpus.notices():
                notice(line)
    task = Task.prepare(
        recipe,
        *corpora,
        vectors=vectors,
        max_words=max_words,
        coded=vector_dtype == "product",
        trust_pickle=trust_pickle,
    )
    with _own_settings(seed):
        run = Run(task, seed=seed, crf=crf)
        checkpoint = Checkpoint(state, fingerprint=run.fingerprint())
        if resume:
            run.restore(checkpoint.load(run.largest_state()))
        try:
            while not run.finished():
                run.train_epoch(progress)
                checkpoint.save(run.state())
        except KeyboardInterrupt:
            if not run.best:
                raise TrainingError(
                    "interrupted before the first epoch was scored: there is nothing to export yet"
                ) from None
        scores = publish(
            run,
            Path(target),
            vector_dtype=vector_dtype,
            language=language,
            license=license,
            description=description,
            preset=preset,
        )
        checkpoint.remove()
    with suppress(DependencyError):  # matplotlib comes with the extra, but is not required
        plots.save(
            plots.history_figure(history_of(run), f"{os.fsdecode(output)}/history.json"), picture
        )
    return scores


@contextmanager
def _own_settings(seed: int) -> Iterator[None]:
    """Keras in float32 and all generators at `seed`, until the end of the block.

    The network's layers could say float32 themselves; the variables of Keras' optimizers, the
    learning rate among them, take the process's.
    """
    policy, floats = keras.config.dtype_policy(), keras.config.floatx()
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what Keras seeds
    try:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        keras.utils.set_random_seed(seed)
        yield
    finally:
        keras.config.set_floatx(floats)
        keras.config.set_dtype_policy(policy)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002 - what Keras seeds
