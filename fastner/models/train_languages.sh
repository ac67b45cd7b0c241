#!/usr/bin/env bash
# Trains the models of other languages than English, or those that are named, each from the
# Wikipedia of its language (WikiNEuRal), where there are, its CoNLL news, and lists of names; then
# measures them and writes their cards. One that is there stays, one that was interrupted goes on.
# Run from the project's root, with the extras train and lists installed:
#
#     fastner/models/train_languages.sh [CORPORA [OUTPUT [SEED [LANGUAGE …]]]]
#
# The corpora are licensed: bring your own copies, in folders as bench/sets.py names them.
set -euo pipefail
corpora=${1:-../shared/data}
output=${2:-fastner/models}
seed=${3:-1}
shift $(($# < 3 ? $# : 3))

# name, code, numbers of a word's vector (so that the model is at most 3 MB), epochs, whether it
# has lists of names, and its news
languages="
german     de 44 12 lists CoNLL-2003 German (Tjong Kim Sang & De Meulder 2003)
spanish    es 50 10 none  CoNLL-2002 Spanish (Tjong Kim Sang 2002)
french     fr 60 12 lists
portuguese pt 60 12 lists
italian    it 60 12 lists
dutch      nl 50 10 none  CoNLL-2002 Dutch (Tjong Kim Sang 2002)
polish     pl 50 12 lists
russian    ru 50 12 lists
"
license="Weights: CC BY-NC-SA 4.0, as is WikiNEuRal (Tedeschi et al. 2021), from which they learnt: no commercial use."

lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT

train() { # NAME CODE WIDTH EPOCHS LISTS [NEWS]
    local name=$1 code=$2 width=$3 epochs=$4 news=${6:-} also="" text="" names=" and context alone" list
    local learnt=(--train "$corpora/wikineural/$code/train.tsv")
    if [ -n "$news" ]; then
        learnt+=(--train "$corpora/conll-$code/train.tsv")
        also=" and news, $news"
        text=" Trained on news text that is licensed for research as well."
    fi
    if [ "$5" = lists ]; then
        python -m bench.name_lists "$code" "$lists/$code" </dev/null
        for list in PLACE GIVEN FAMILY; do learnt+=(--lexicon "$list=$lists/$code/$list.txt"); done
        names=", their context, and lists of places (GeoNames) and of people's names (Faker)"
        text=" Lists: GeoNames, CC BY 4.0; Faker, MIT.$text"
    fi
    [ ! -e "$output/$name.training" ] || learnt+=(--resume)
    [ -e "$output/$name" ] || fastner train "${learnt[@]}" --dev "$corpora/wikineural/$code/dev.tsv" --language "$code" \
        --set vector_width="$width" --set unknown_rate=0.25 --set word_count=2 --set 'character_hidden=[50]' \
        --vector-dtype int8 --epochs "$epochs" --seed "$seed" --output "$output/$name" \
        --description "${name^} named entities (PER, LOC, ORG, MISC), learnt from Wikipedia, WikiNEuRal (Tedeschi et al. 2021), which machines annotated$also. All vectors are its own: words that these corpora lack are known by their characters$names. Of other kinds of text expect lower scores." \
        --license "$license$text Check whether your use is covered." </dev/null
    python -m bench.cards "$output/$name" --corpora "$corpora"
}

while read -r name code width epochs names news; do
    [ -z "$name" ] || [[ $# -gt 0 && " $* " != *" $name "* ]] || train "$name" "$code" "$width" "$epochs" "$names" "$news"
done <<<"$languages"
