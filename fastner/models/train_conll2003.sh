#!/usr/bin/env bash
# Trains conll2003 and writes its card; run from the project's root, with the extras train, glove
# and clusters installed. The corpus is licensed: bring your own copy, beside those that the card
# is about.
set -euo pipefail
corpus=${1:-../shared/data/conll2003}
output=${2:-fastner/models/conll2003}
seed=${3:-1}
fastner train \
    --train "$corpus/train.txt" --dev "$corpus/valid.txt" --vectors glove-6b-50d \
    --vector-dtype product --seed "$seed" --output "$output" \
    --description "English named entities (PER, LOC, ORG, MISC), trained on the training split of CoNLL-2003 English (Tjong Kim Sang & De Meulder 2003) with GloVe 6B 50d vectors and Brown clusters." \
    --license "Weights: MIT. Vectors: GloVe 6B 50d, PDDL 1.0. Clusters: spacy-lookups-data, MIT. Trained on Reuters news text that is licensed for research: check whether your use is covered."
python -m bench.cards "$output" --corpora "$(dirname "$corpus")"
