#!/usr/bin/env bash
# Trains `english` and writes its card: CoNLL-2003 as it is annotated, and everything else as the teacher of
# bench/teacher reads it (SILVER: its files). Run from the project's root, with the extras train,
# glove and clusters installed. The corpora have licences of their own: bring your own copies.
#
#     fastner/models/train_english.sh SILVER [CORPORA [OUTPUT [SEED]]]
set -euo pipefail
silver=${1:?expected the folder of silver files that bench/teacher/run.sh wrote}
corpora=${2:-../shared/data}
output=${3:-fastner/models/english}
seed=${4:-1}

# news of two decades and Wikipedia decide which epoch is kept, and fit the temperature
dev=$(mktemp --suffix .tsv)
trap 'rm -f "$dev"' EXIT
for part in conll2003/valid.txt conllpp2020/dev.tsv wikigold/dev.tsv; do
    awk 'NF { print $1 "\t" $NF; next } { print "" } END { print "" }' "$corpora/$part"
done >"$dev"

# shares are of an epoch, which shows 1.7 million words
texts=()
text() { # SHARE NAME…
    local share=$1 name file
    shift
    for name in "$@"; do
        for file in "$silver/$name"*.jsonl.gz; do
            texts+=(--silver "$file" "share=$share")
        done
    done
}
text 1 training-wikineural training-btc training-wnut17
text 0.4 gum-2024 politics-us ag-news-2004
text 0.3 bbc covid-tweets-2020 tweets
text 0.12 reuters

fastner train \
    --train "$corpora/conll2003/train.txt" "${texts[@]}" --dev "$dev" \
    --vectors glove-6b-50d --vector-dtype product --seed "$seed" --epochs 30 \
    --set dropout=0.2 --set batch_sentences=64 --set silver_count=6 --output "$output" \
    --description "English named entities (PER, LOC, ORG, MISC) in news, Wikipedia, web text and tweets: CoNLL-2003 English (Tjong Kim Sang & De Meulder 2003), and what three MPNet teachers, trained on it, WikiNEuRal, the Broad Twitter Corpus and WNUT-17, read in these and in unlabelled text. GloVe 6B 50d vectors, Brown clusters." \
    --license "Weights: CC BY-NC-SA 4.0, for WikiNEuRal (CC BY-NC-SA 4.0) is among what it learnt from; CoNLL-2003's text is licensed for research; Broad Twitter Corpus and WNUT-17: CC BY 4.0. Vectors: GloVe 6B 50d, PDDL 1.0. Clusters: spacy-lookups-data, MIT. Check whether your use is covered."
python -m bench.cards "$output" --corpora "$corpora"
