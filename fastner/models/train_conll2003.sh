#!/usr/bin/env bash
# Trains `conll2003` and writes its card: labels of CoNLL-2003 English alone, and news that teachers trained on
# it have read (SILVER: their files). Run from the project's root, with the extras train, glove and
# clusters installed. The corpus is licensed: bring your own copy.
#
#     fastner/models/train_conll2003.sh SILVER [CORPUS [OUTPUT [SEED]]]
set -euo pipefail
silver=${1:?expected the folder of silver files that bench/teacher/run.sh wrote}
corpus=${2:-../shared/data/conll2003}
output=${3:-fastner/models/conll2003}
seed=${4:-1}

# shares are of an epoch, which shows 0.8 million words
texts=()
text() { # SHARE NAME
    local file
    for file in "$silver/$2"*.jsonl.gz; do
        texts+=(--silver "$file" "share=$1")
    done
}
text 0.12 reuters
text 0.25 bbc
text 0.3 ag-news

fastner train \
    --train "$corpus/train.txt" "${texts[@]}" --dev "$corpus/valid.txt" \
    --vectors glove-6b-50d --vector-dtype product --seed "$seed" --epochs 14 \
    --set dropout=0.4 --set silver_count=20 --output "$output" \
    --description "English named entities (PER, LOC, ORG, MISC) as CoNLL-2003 annotates them (Tjong Kim Sang & De Meulder 2003): its training split, and news text as MPNet teachers read it that were trained on that split alone. GloVe 6B 50d vectors, Brown clusters." \
    --license "Weights: MIT. Vectors: GloVe 6B 50d, PDDL 1.0. Clusters: spacy-lookups-data, MIT. Trained on Reuters news text that is licensed for research: check whether your use is covered."
python -m bench.cards "$output" --corpora "$(dirname "$corpus")"
