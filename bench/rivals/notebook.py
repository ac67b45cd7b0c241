"""The notebook that fastner grew out of: Keras' predict on padded arrays, then tfa's crf_decode.

The architecture is fastner's preset `notebook`; sentences are padded to 113 words of 10 characters
by a loop over a dict, as there. The weights are random, which changes no time; so it has no score.
"""

from __future__ import annotations

import os
from typing import Any

from bench.harness import version_of
from bench.rivals.worker import serve

WORDS, CHARACTERS, TAGS, VECTOR_WIDTH, VECTORS = 113, 10, 9, 50, 400_001


class Notebook:
    def imports(self, options: dict[str, Any]) -> None:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        import keras
        import numpy
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        from fastner.errors import DependencyError

        try:
            from fastner.training.tfa import crf_decode
        except DependencyError as error:
            raise ImportError(str(error)) from None
        from fastner.training.recipe import preset

        self._keras, self._numpy, self._tensorflow = keras, numpy, tensorflow
        self._crf_decode, self._recipe = crf_decode, preset("notebook")

    def load(self, options: dict[str, Any]) -> None:
        layers, recipe = self._keras.layers, self._recipe
        words = layers.Input((WORDS,), dtype="int32")
        characters = layers.Input((WORDS, CHARACTERS), dtype="int32")
        # every word a row, as TimeDistributed does in Keras 2; that of Keras 3 unrolls a loop over
        # the 113 words, whose first call alone took 82 s against 6 s
        x = self._keras.ops.reshape(characters, (-1, CHARACTERS))
        x = layers.Embedding(128, recipe.character_width)(x)
        *below, last = recipe.character_hidden
        for units in below:
            x = layers.GRU(units, return_sequences=True)(x)
        x = self._keras.ops.reshape(layers.GRU(last)(x), (-1, WORDS, last))
        vectors = layers.Embedding(VECTORS, VECTOR_WIDTH, trainable=False)(words)
        x = layers.Concatenate()([vectors, x])
        for units in recipe.hidden:
            x = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(x)
        for units in recipe.dense:
            x = layers.Dense(units, activation="tanh")(x)
        self._model = self._keras.Model([words, characters], layers.Dense(TAGS)(x))
        random = self._numpy.random.default_rng(0)
        self._transitions = self._tensorflow.constant(
            random.standard_normal((TAGS, TAGS)), self._tensorflow.float32
        )
        self._word_ids: dict[str, int] = {}
        self._character_ids = {chr(code): code - 30 for code in range(32, 127)}

    def describe(self) -> dict[str, Any]:
        return {
            "versions": version_of("tensorflow", "tensorflow-cpu", "keras", "tensorflow-addons"),
            "note": "random weights: speed only; 113 words at most",
        }

    def tag(self, sentences: list[list[str]], batch: int) -> list[list[str]]:
        numpy = self._numpy
        word_ids, character_ids = self._word_ids, self._character_ids
        words = numpy.zeros((len(sentences), WORDS), numpy.int32)
        characters = numpy.zeros((len(sentences), WORDS, CHARACTERS), numpy.int32)
        lengths = numpy.zeros(len(sentences), numpy.int32)
        for b, sentence in enumerate(sentences):
            lengths[b] = min(len(sentence), WORDS)
            for t, word in enumerate(sentence[:WORDS]):
                words[b, t] = word_ids.setdefault(word.lower(), len(word_ids) + 1)
                for c, character in enumerate(word[:CHARACTERS]):
                    characters[b, t, c] = character_ids.get(character, 1)
        scores = self._model.predict([words, characters], batch_size=batch, verbose=0)
        ids, _ = self._crf_decode(scores, self._transitions, lengths)
        return [
            [str(i) for i in row[:length]]
            for row, length in zip(ids.numpy().tolist(), lengths.tolist(), strict=True)
        ]


if __name__ == "__main__":
    serve(Notebook())
