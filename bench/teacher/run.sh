#!/usr/bin/env bash
# From raw packages to silver files: fetches the language model, trains the teachers, scores them and
# tags text with their mean: OUTPUT/silver is what all corpora taught, OUTPUT/silver-conll2003 what
# CoNLL-2003 alone did. Run from the project's root, with PYTHON naming the Python of an environment
# as README.md beside this file makes it. Stopped at any time, it goes on where it was.
#
#     bench/teacher/run.sh OUTPUT [CORPORA]
set -euo pipefail
output=${1:?expected a folder to write to}
corpora=${2:-../shared/data}
python=${PYTHON:-python}
device=${DEVICE:-cpu}
seeds=${SEEDS:-1 2 3}
newsreaders=${NEWS_SEEDS:-11 12} # seeds of those that learn from CoNLL-2003 alone
words=${WORDS:-3000000} # of each kind of text
model=$output/mpnet

mkdir -p "$output"
"$python" -m bench.teacher.fetch "$model"
teach() { # SEED OPTION…
    "$python" -m bench.teacher.train --model "$model" --corpora "$corpora" --device "$device" \
        --epochs 4 --seed "$1" --output "$output/seed$1" "${@:2}"
}
for seed in $seeds; do teach "$seed" --room 2048; done
for seed in $newsreaders; do teach "$seed" --only conll2003; done

text=$corpora/unlabelled
news=("$text"/{ag-news-2004,bbc-2005,reuters-21578}.jsonl.gz)
tag() { # FOLDER SEEDS OPTION…
    local checkpoints=()
    for seed in $2; do checkpoints+=("$output/seed$seed/checkpoint.pt"); done
    local mean=(--model "$model" --device "$device" --checkpoint "${checkpoints[@]}")
    "$python" -m bench.teacher.score "${mean[@]}" --corpora "$corpora" | tee "$output/$1.txt"
    # news as CoNLL-2003 would annotate it
    "$python" -m bench.teacher.tag "${mean[@]}" --output "$output/$1" --words "$words" \
        --domain conll2003 "${news[@]}"
    [ $# -eq 2 ] || "$python" -m bench.teacher.tag "${mean[@]}" --output "$output/$1" \
        --words "$words" "${@:3}"
}
tag silver "$seeds" --training "$corpora" \
    "$text"/{tweets,covid-tweets-2020,gum-2024,politics-us}.jsonl.gz
tag silver-conll2003 "$newsreaders"
