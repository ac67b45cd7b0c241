#!/usr/bin/env bash
# Trains the models of other languages than English, or those that are named, each from the
# Wikipedia of its language (WikiNEuRal), where there are, its CoNLL news, lists of names, in Russian
# vectors of words, and in Italian the Wikipedia of four languages that share names with it; then
# measures them and writes their cards. One that is there stays, one that was interrupted goes on.
# Run from the project's root, with the extras train, lists and navec installed:
#
#     fastner/models/train_languages.sh [CORPORA [OUTPUT [SEED [LANGUAGE …]]]]
#
# The corpora are licensed: bring your own copies, in folders as bench/sets.py names them.
set -euo pipefail
corpora=${1:-../shared/data}
output=${2:-fastner/models}
seed=${3:-1}
shift $(($# < 3 ? $# : 3))

# name, code, numbers of a word's vector (so that the model is at most 3 MB), occurrences that give a
# word one of its own, what it knows of words, and its news
languages="
german     de 44 2 lists CoNLL-2003 German (Tjong Kim Sang & De Meulder 2003)
spanish    es 50 2 lists CoNLL-2002 Spanish (Tjong Kim Sang 2002)
french     fr 60 2 lists
portuguese pt 60 2 lists
italian    it 60 2 neighbours
dutch      nl 50 2 lists CoNLL-2002 Dutch (Tjong Kim Sang 2002)
polish     pl 50 2 lists
russian    ru 50 3 navec
"
weights="Weights: CC BY-NC-SA 4.0, as is WikiNEuRal (Tedeschi et al. 2021), from which they learnt: no commercial use."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

train() { # NAME CODE WIDTH COUNT KNOWS [NEWS]
    local name=$1 code=$2 width=$3 count=$4 knows=$5 news=${6:-}
    local learnt=(--train "$corpora/wikineural/$code/train.tsv") dtype=int8 dropout=0.5 epochs=12
    local also="" licenses="" other list lists
    local words="All vectors are its own: words that these corpora lack are known by their characters, their context"
    case $knows in
    lists)
        lists=(PLACE GIVEN FAMILY)
        words+=", and lists of places (GeoNames) and of people's names (Faker)"
        licenses+=" Lists: GeoNames, CC BY 4.0; Faker, MIT."
        ;;
    neighbours)
        lists=(GIVEN FAMILY)
        for other in es fr; do learnt+=(--train "$corpora/wikineural/$other/train.tsv" share=0.5); done
        for other in pt en; do learnt+=(--train "$corpora/wikineural/$other/train.tsv" share=0.4); done
        dtype=product dropout=0.4 epochs=13
        also=", and from those of Spanish, French, Portuguese and English, which share names with it"
        words+=", and lists of people's names (Faker)"
        licenses+=" Lists: Faker, MIT."
        ;;
    navec)
        lists=(GIVEN FAMILY)
        python -m bench.russian_vectors "$scratch/navec.txt" --width "$width" </dev/null
        learnt+=(--vectors "$scratch/navec.txt")
        dtype=product
        words="48,000 words have vectors from news (navec), others are known by their characters, their context, and lists of people's names (Faker)"
        licenses+=" Vectors: navec, MIT. Lists: Faker, MIT."
        ;;
    esac
    python -m bench.name_lists "$code" "$scratch/$code" </dev/null
    for list in "${lists[@]}"; do learnt+=(--lexicon "$list=$scratch/$code/$list.txt"); done
    if [ -n "$news" ]; then
        learnt+=(--train "$corpora/conll-$code/train.tsv")
        also=" and news, $news"
        licenses+=" Trained on news text that is licensed for research as well."
    fi
    [ ! -e "$output/$name.training" ] || learnt+=(--resume)
    [ -e "$output/$name" ] || fastner train "${learnt[@]}" --dev "$corpora/wikineural/$code/dev.tsv" --language "$code" \
        --set vector_width="$width" --set unknown_rate=0.25 --set word_count="$count" --set 'character_hidden=[50]' \
        --set dropout="$dropout" --vector-dtype "$dtype" --epochs "$epochs" --seed "$seed" --output "$output/$name" \
        --description "${name^} named entities (PER, LOC, ORG, MISC), learnt from Wikipedia, WikiNEuRal (Tedeschi et al. 2021), which machines annotated$also. $words. Of other kinds of text expect lower scores." \
        --license "$weights$licenses Check whether your use is covered." </dev/null
    python -m bench.cards "$output/$name" --corpora "$corpora"
}

while read -r name code width count knows news; do
    [ -z "$name" ] || [[ $# -gt 0 && " $* " != *" $name "* ]] || train "$name" "$code" "$width" "$count" "$knows" "$news"
done <<<"$languages"
