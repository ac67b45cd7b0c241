#!/usr/bin/env bash
# From raw packages to silver files: fetches the language model, trains the teachers, scores them and
# tags text with their mean. Run from the project's root, with PYTHON naming the Python of an
# environment as README.md beside this file makes it. Stopped at any time, it goes on where it was.
#
#     bench/teacher/run.sh OUTPUT [CORPORA]
set -euo pipefail
output=${1:?expected a folder to write to}
corpora=${2:-../shared/data}
python=${PYTHON:-python}
seeds=${SEEDS:-1 2}
words=${WORDS:-400000} # of each kind of text

mkdir -p "$output"
"$python" -m bench.teacher.fetch "$output/mpnet"
checkpoints=()
for seed in $seeds; do
    "$python" -m bench.teacher.train --model "$output/mpnet" --corpora "$corpora" \
        --output "$output/seed$seed" --seed "$seed"
    checkpoints+=("$output/seed$seed/checkpoint.pt")
done
teacher=(--model "$output/mpnet" --checkpoint "${checkpoints[@]}")
"$python" -m bench.teacher.score "${teacher[@]}" --corpora "$corpora" | tee "$output/scores.txt"

tag=("$python" -m bench.teacher.tag "${teacher[@]}" --output "$output/silver")
"${tag[@]}" --training "$corpora"
text=$corpora/unlabelled
# what a model of news knows least comes first, and news last, as CoNLL-2003 would annotate it
"${tag[@]}" --words "$words" "$text"/{tweets,covid-tweets-2020,gum-2024,politics-us}.jsonl.gz
"${tag[@]}" --words "$words" --domain conll2003 \
    "$text"/{ag-news-2004,bbc-2005,reuters-21578}.jsonl.gz
