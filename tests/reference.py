"""Slow, obvious oracles that the tests compare fastner with; imports nothing of fastner."""

import itertools
import math
import re

import numpy as np

# --- tags and scores ---------------------------------------------------------------------------


def conlleval_end_of_chunk(previous, tag, previous_type, type_):
    """conlleval's endOfChunk between two neighbours, with the rows that BIOES adds to it."""
    script = {"BB", "BO", "IB", "IO", "EE", "EI", "EO"}
    bioes = {"EB", "ES", "SB", "SI", "SE", "SS", "SO", "BS", "IS"}
    if previous != "O" and previous_type != type_:
        return True
    return previous + tag in script | bioes


def conlleval_start_of_chunk(previous, tag, previous_type, type_):
    """conlleval's startOfChunk between two neighbours, with the rows that BIOES adds to it."""
    script = {"BB", "IB", "OB", "OI", "EE", "EI", "OE"}
    bioes = {"EB", "ES", "SB", "SI", "SE", "SS", "OS", "BS", "IS"}
    if tag != "O" and previous_type != type_:
        return True
    return previous + tag in script | bioes


def _conlleval_rows(sentences):
    """(prefix, type) per token, with conlleval's O for the blank line after each sentence."""
    for tags in sentences:
        for tag in tags:
            prefix, _, type_ = tag.partition("-")
            yield prefix, type_, True
        yield "O", "", False


def conlleval_chunks(tags):
    """The set of (start, end, type) that conlleval sees in one sentence."""
    chunks, start, last = set(), None, ("O", "")
    for position, (prefix, type_, _) in enumerate(_conlleval_rows([tags])):
        if start is not None and conlleval_end_of_chunk(last[0], prefix, last[1], type_):
            chunks.add((start, position, last[1]))
            start = None
        if conlleval_start_of_chunk(last[0], prefix, last[1], type_):
            assert start is None
            start = position
        last = prefix, type_
    return chunks


def conlleval(gold, predicted):
    """The script's one pass over both columns: counts per type, right tags and tokens.

    Returns ({type: [gold, predicted, correct]}, right tags, tokens).
    """
    counts, right, tokens = {}, 0, 0
    in_correct = False
    last_gold = last_guess = ("O", "")
    for (gold_tag, gold_type, is_token), (guess, guess_type, _) in zip(
        _conlleval_rows(gold), _conlleval_rows(predicted), strict=True
    ):
        gold_ends = conlleval_end_of_chunk(last_gold[0], gold_tag, last_gold[1], gold_type)
        guess_ends = conlleval_end_of_chunk(last_guess[0], guess, last_guess[1], guess_type)
        gold_starts = conlleval_start_of_chunk(last_gold[0], gold_tag, last_gold[1], gold_type)
        guess_starts = conlleval_start_of_chunk(last_guess[0], guess, last_guess[1], guess_type)
        if in_correct:
            if gold_ends and guess_ends and last_gold[1] == last_guess[1]:
                in_correct = False
                counts.setdefault(last_gold[1], [0, 0, 0])[2] += 1
            elif gold_ends != guess_ends or gold_type != guess_type:
                in_correct = False
        if gold_starts and guess_starts and gold_type == guess_type:
            in_correct = True
        if gold_starts:
            counts.setdefault(gold_type, [0, 0, 0])[0] += 1
        if guess_starts:
            counts.setdefault(guess_type, [0, 0, 0])[1] += 1
        if is_token:
            tokens += 1
            right += gold_tag == guess and gold_type == guess_type
        last_gold, last_guess = (gold_tag, gold_type), (guess, guess_type)
    return counts, right, tokens


def precision_recall_f1(correct, gold, predicted):
    """Three fractions by their textbook definitions, 0 where undefined."""
    precision = correct / predicted if predicted else 0.0
    recall = correct / gold if gold else 0.0
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0


def paired_entities(gold, predicted):
    """One-to-one pairs of chunks that share a token: the best of all that are left, each time.

    Best: all tokens shared, then one type, then most tokens shared, then the furthest left.
    """
    gold, predicted, pairs = set(gold), set(predicted), set()
    while True:
        rated = []
        for one, two in itertools.product(gold, predicted):
            left, right = set(range(*one[:2])), set(range(*two[:2]))
            if left & right:
                rating = left == right, one[2] == two[2], len(left & right), -one[0], -two[0]
                rated.append((rating, one, two))
        if not rated:
            return pairs | {(one, None) for one in gold} | {(None, two) for two in predicted}
        _, one, two = max(rated)
        pairs.add((one, two))
        gold.remove(one)
        predicted.remove(two)


# ---- linear-chain CRF: emissions [T, K] of one sentence, T >= 1 --------------------------------


def crf_paths(emissions, start, transitions, end):
    """Every tag sequence: (K^T, T) int array, and its float32 score summed from left to right."""
    length, tags = emissions.shape
    paths = np.array(list(itertools.product(range(tags), repeat=length)), dtype=np.int64)
    score = start[paths[:, 0]] + emissions[0, paths[:, 0]]
    for t in range(1, length):
        score = score + transitions[paths[:, t - 1], paths[:, t]]
        score = score + emissions[t, paths[:, t]]
    return paths, score + end[paths[:, -1]]


def crf_ranked_paths(emissions, start, transitions, end):
    """crf_paths, best first; ties by lower last tag, then lower tag before it, and so on."""
    paths, scores = crf_paths(emissions, start, transitions, end)
    order = np.lexsort((*paths.T, -scores))
    return paths[order], scores[order]


def crf_viterbi(emissions, start, transitions, end, *, block=512):
    """Textbook Viterbi in float32: best path and score; lowest tag id at ties; NaN counts as -inf.

    Before tokens block, 2 * block, … the largest state, if finite, is subtracted from all.
    """

    def plain(array):
        return np.where(np.isnan(array), np.float32(-np.inf), array)

    with np.errstate(invalid="ignore"):
        state = plain(start + emissions[0])
        offset, back = 0.0, []
        for t in range(1, len(emissions)):
            if t % block == 0 and np.isfinite(state.max()):
                offset += float(state.max())
                state = state - state.max()
            scores = plain(state[:, None] + transitions)
            back.append(scores.argmax(axis=0))
            state = plain(scores.max(axis=0) + emissions[t])
        final = plain(state + end)
    path = [int(final.argmax())]
    for row in reversed(back):
        path.append(int(row[path[-1]]))
    return path[::-1], offset + float(final.max())


def crf_probabilities(emissions, start, transitions, end):
    """Every tag sequence with its probability, and log Z, from double-precision enumeration."""
    wide = [array.astype(np.float64) for array in (emissions, start, transitions, end)]
    paths, scores = crf_paths(*wide)
    top = scores.max()
    if top == -np.inf:
        return paths, np.zeros(len(paths)), -np.inf
    log_z = top + np.log(np.exp(scores - top).sum())
    return paths, np.exp(scores - log_z), log_z


def crf_entities(sequences, probabilities):
    """{(start, end, label): probability} of every entity that some sequence of tags holds."""
    entities = {}
    for tags, probability in zip(sequences, probabilities, strict=True):
        for entity in conlleval_chunks(tags):
            entities[entity] = entities.get(entity, 0.0) + probability
    return entities


# --- documents -----------------------------------------------------------------------------------


def document_emissions(sentences, emissions, labels):
    """Emissions, a [T, K] for each sentence of one document, with its names read alike.

    labels: that of each of the K tags. From the definition, one occurrence of a word at a time.
    """

    def name(word):
        lowered = [char.lower()[0] for char in word]
        if lowered == list(word):
            return None
        return word if len(word) <= 3 else "".join(lowered)

    def vote(row, label):
        weights = np.exp(row.astype(np.float64) - row.max())
        return sum(w for w, other in zip(weights, labels, strict=True) if other == label) / sum(
            weights
        )

    places = [(s, t) for s, words in enumerate(sentences) for t in range(len(words))]
    changed = [rows.copy() for rows in emissions]
    for s, t in places:
        word = name(sentences[s][t])
        others = [(a, b) for a, b in places if (a, b) != (s, t) and name(sentences[a][b]) == word]
        if word is None or not others:
            continue
        for k, label in enumerate(labels):
            mean = sum(vote(emissions[a][b], label) for a, b in others) / len(others)
            changed[s][t, k] += np.float32(0.5 * np.log(max(mean, 0.03)))
    return changed


# --- the network ---------------------------------------------------------------------------------


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(inputs, kernel, recurrent, bias):
    """The states [T, H] of Keras' GRU (reset_after=True) over `inputs` [T, D], in float64."""
    kernel, recurrent, bias = (np.asarray(a, np.float64) for a in (kernel, recurrent, bias))
    hidden = recurrent.shape[0]
    state, states = np.zeros(hidden), []
    for x in np.asarray(inputs, np.float64):
        from_input, from_state = x @ kernel + bias[0], state @ recurrent + bias[1]
        z = _sigmoid(from_input[:hidden] + from_state[:hidden])
        r = _sigmoid(from_input[hidden : 2 * hidden] + from_state[hidden : 2 * hidden])
        candidate = np.tanh(from_input[2 * hidden :] + r * from_state[2 * hidden :])
        state = z * state + (1 - z) * candidate
        states.append(state)
    return np.array(states)


def lstm(inputs, kernel, recurrent, bias):
    """The states [T, H] of Keras' LSTM over `inputs` [T, D], in float64."""
    kernel, recurrent, bias = (np.asarray(a, np.float64) for a in (kernel, recurrent, bias))
    hidden = recurrent.shape[0]
    state, memory, states = np.zeros(hidden), np.zeros(hidden), []
    for x in np.asarray(inputs, np.float64):
        gates = x @ kernel + state @ recurrent + bias
        i, f = _sigmoid(gates[:hidden]), _sigmoid(gates[hidden : 2 * hidden])
        g, o = np.tanh(gates[2 * hidden : 3 * hidden]), _sigmoid(gates[3 * hidden :])
        memory = f * memory + i * g
        state = o * np.tanh(memory)
        states.append(state)
    return np.array(states)


def _log2_gates(array, hidden):
    """Columns of the gates i f g o as what 2^x takes: -log2(e) of them, twice that for g."""
    factors = np.repeat([-1.0, -1.0, -2.0, -1.0], hidden) * 1.4426950408889634
    return factors * np.asarray(array, np.float64)


def fixed_projections(kernel, bias):
    """x W + b of words that are rows of W: whole numbers, multiples of 2^-9."""
    hidden = len(bias) // 4
    row, offset = (_log2_gates(512.0 * a, hidden).astype(np.float32) for a in (kernel, bias))
    return np.clip(np.rint(row + offset), -32767, 32767).astype(np.int64)


def fixed_weights(recurrent, bits):
    """U as whole numbers [H, 4H] of `bits`, and what a unit of each column is worth."""
    hidden = len(recurrent)
    matrix = _log2_gates(recurrent, hidden).astype(np.float32).astype(np.float64)
    top, limit = {8: (64, 2**23 - 1), 16: (32767, 2**18 - 1)}[bits]
    factors = np.minimum(
        top / np.abs(matrix).max(axis=0), (limit - hidden) / np.abs(matrix).sum(axis=0)
    )
    return np.rint(factors * matrix).astype(np.int64), 1 / factors


def _coarse_exp2(x):
    """2^x by the polynomial of degree 3 that the engine has."""
    x = np.clip(x, -60, 30)
    whole = np.rint(x)
    f = x - whole
    return 2**whole * (((0.0550089349 * f + 0.242210961) * f + 0.693282926) * f + 1)


def fixed_lstm(cell, words, bits):
    """The states [T, H] of words in the engine's whole numbers, before they are rounded.

    Also how far the nearest of them is from where it would be rounded otherwise.
    """
    kernel, recurrent, bias = cell
    hidden = len(recurrent)
    rows, (weights, units) = fixed_projections(kernel, bias), fixed_weights(recurrent, bits)
    top = {8: 127, 16: 8192}[bits]
    state, memory = np.zeros(hidden, np.int64), np.zeros(hidden)
    states, margin = [], 0.5
    for word in words:
        sums = state @ weights
        e = _coarse_exp2(rows[word] / 512 + sums * units / top)
        i, f, g, o = e.reshape(4, hidden)
        memory = memory / (1 + f) + (1 - g) / ((1 + i) * (1 + g))
        ec = _coarse_exp2(-2.885390082 * memory)
        exact = (1 - ec) / ((1 + ec) * (1 + o))
        state = np.rint(top * exact).astype(np.int64)
        margin = min(margin, (0.5 - np.abs(top * exact - state)).min())
        states.append(exact)
    return np.array(states), margin


def fixed_bilstm(cells, words, bits):
    """`fixed_lstm` of both directions, side by side."""
    (forward, one), (backward, two) = (
        fixed_lstm(cell, order, bits)
        for cell, order in zip(cells, (words, words[::-1]), strict=True)
    )
    return np.concatenate([forward, backward[::-1]], axis=1), min(one, two)


def _recurrent_layer(cell, inputs, directions):
    """Per direction that there is, states [T, H] in the order of `inputs`."""
    forward, backward = directions
    result = [cell(inputs, forward.kernel, forward.recurrent, forward.bias)]
    if backward is not None:
        reverse = cell(inputs[::-1], backward.kernel, backward.recurrent, backward.bias)
        result.append(reverse[::-1])
    return result


def _dense_layer(layer, inputs):
    outputs = inputs @ layer.kernel.astype(np.float64) + layer.bias
    return {"tanh": np.tanh, "linear": np.array}[layer.activation](outputs)


def word_features(weights, vector, characters, case, categories):
    """The feature row [D] of one word, `characters` [its length]."""
    states = weights.character_embedding[characters]
    for directions in weights.character_grus:
        per_direction = _recurrent_layer(gru, states, directions)
        states = np.concatenate(per_direction, axis=1)
    # Forward ends at the last character, backward at the first.
    digest = [d[end] for d, end in zip(per_direction, (-1, 0), strict=False)]
    lexicons = [t[c] for t, c in zip(weights.lexicon_embeddings, categories, strict=True)]
    row = np.concatenate([vector, *digest, weights.case_embedding[case], *lexicons])
    return row if weights.projection is None else _dense_layer(weights.projection, row)


def sentence_emissions(weights, features):
    """The emissions [T, K] of one sentence of `features` [T, D]."""
    states = features
    for directions in weights.lstms:
        states = np.concatenate(_recurrent_layer(lstm, states, directions), axis=1)
    for layer in weights.dense:
        states = _dense_layer(layer, states)
    return states


def network_features(weights, words):
    """`word_features` of every word of the words graph's inputs: [U, D]."""
    count = len(words["vectors"])
    categories = words.get("categories", np.zeros((count, 0), np.int32))
    return np.array(
        [
            word_features(
                weights,
                words["vectors"][u],
                words["characters"][u, : words["character_lengths"][u]],
                words["cases"][u],
                categories[u],
            )
            for u in range(count)
        ]
    )


def network_emissions(weights, words, tokens, lengths):
    """The emissions [B, T, K] of sentences of `tokens` [B, T], zero past their ends."""
    rows = network_features(weights, words)
    result = np.zeros((*tokens.shape, weights.dense[-1].bias.shape[0]))
    for b, length in enumerate(lengths):
        result[b, :length] = sentence_emissions(weights, rows[tokens[b, :length]])
    return result


def phrase_places(lists, sentence):
    """The place of each word in a phrase of each list, [T, L]: the longest ones, left to right.

    lists: of phrases, each a tuple of words. 1 alone, 2 first, 3 inside, 4 last; 0 in none.
    """
    places = np.zeros((len(sentence), len(lists)), int)
    for column, phrases in enumerate(lists):
        start = 0
        while start < len(sentence):
            ends = [
                end
                for end in range(start + 1, len(sentence) + 1)
                if tuple(sentence[start:end]) in phrases
            ]
            if ends:
                end = max(ends)
                inside = [2, *[3] * (end - start - 2), 4]
                places[start:end, column] = inside if end - start > 1 else [1]
                start = end
            else:
                start += 1
    return places


# ---- words as numbers --------------------------------------------------------------------------


def bert(weights, ids, layers, heads):
    """Logits [T, K] of one sentence's pieces ids [T], in float64; Devlin et al. (2019).

    weights: a matrix [from, to] and a bias for each linear layer, named as in bench.rivals.bert.
    """
    weights = {name: array.astype(np.float64) for name, array in weights.items()}

    def linear(x, name):
        return x @ weights[name] + weights[name + ".bias"]

    def norm(x, name):
        x = x - x.mean(1, keepdims=True)
        x /= np.sqrt((x**2).mean(1, keepdims=True) + 1e-12)
        return x * weights[name + ".scale"] + weights[name + ".bias"]

    x = weights["words"][ids] + weights["positions"][: len(ids)] + weights["type"]
    x = norm(x, "norm")
    for n in range(layers):
        attended = []
        queries, keys, values = (
            np.split(linear(x, f"{n}.{name}"), heads, axis=1) for name in ("query", "key", "value")
        )
        for query, key, value in zip(queries, keys, values, strict=True):
            shares = np.exp(query @ key.T / np.sqrt(key.shape[1]))
            attended.append(shares / shares.sum(1, keepdims=True) @ value)
        x = norm(x + linear(np.hstack(attended), f"{n}.attended"), f"{n}.norm")
        inner = linear(x, f"{n}.inner")
        erf = np.array([[math.erf(v / math.sqrt(2)) for v in row] for row in inner])
        x = norm(x + linear(inner * (1 + erf) / 2, f"{n}.outer"), f"{n}.last")
    return linear(x, "classifier")


def word_forms(word):
    """The forms under which a word is looked up, in order."""
    lowered = word.lower()
    return word, lowered, "".join("0" if c.isdecimal() else c for c in lowered)


def word_case(word):
    """Case class 0..7."""
    digits = sum(c.isdecimal() for c in word)
    if digits == len(word):
        return 1
    if digits * 2 > len(word):
        return 2
    if word.islower():
        return 3
    if word.isupper():
        return 4
    if word[0].isupper():
        return 5 if word[1:].islower() or len(word) == 1 else 6
    return 7 if digits > 0 else 0


def word_characters(word, character_ids, max_characters):
    """Ids of the word's characters, without padding; 1 where unknown."""
    if len(word) > max_characters:
        tail = max_characters // 2
        word = word[: max_characters - tail] + word[len(word) - tail :]
    return [character_ids.get(ord(c), 1) for c in word]


def encode_word(word, word_ids, vector_rows, categories, character_ids, max_characters):
    """(vector row, character ids, case, categories) of one word; categories: list of W lists."""
    ids = [word_ids[form] for form in word_forms(word) if form in word_ids]
    lexicons = len(categories[0]) if categories else 0
    found = [
        next((categories[i][lexicon] for i in ids if categories[i][lexicon]), 0)
        for lexicon in range(lexicons)
    ]
    return (
        next((i for i in ids if i < vector_rows), -1),
        word_characters(word, character_ids, max_characters),
        word_case(word),
        found,
    )


class SecondChance:
    """A cache of rows by word: a list of [word, row, used], and a hand that goes round."""

    def __init__(self, capacity):
        self.capacity, self.entries, self.hand = capacity, [], 0

    def find(self, word):
        return next((entry for entry in self.entries if entry[0] == word), None)

    def get(self, word):
        entry = self.find(word)
        if entry is not None:
            entry[2] = True
            return entry[1]

    def insert(self, word, row):
        if len(word) > 128 or self.find(word):
            return
        if len(self.entries) < self.capacity:
            self.entries.append([word, row, False])
            return
        while self.entries[self.hand][2]:
            self.entries[self.hand][2] = False
            self.hand = (self.hand + 1) % self.capacity
        self.entries[self.hand] = [word, row, False]
        self.hand = (self.hand + 1) % self.capacity


# ---- text: pieces, given the pattern of one and the classes of characters -----------------------


def text_read(text, classes):
    """The text as it is read, and the range that each character of it stands for.

    Format characters are left out: those behind a character that is no white space go with it,
    others with the next one; "<" stands for a run of them alone. Also: where such runs stand.
    """
    is_in = {name: re.compile(f"[{inside}]").match for name, inside in classes.items()}
    pending, read, ranges, alone = None, [], [], []

    def end_alone(end):
        if pending is not None:
            alone.append(len(read))
            read.append("<")
            ranges.append((pending, end))

    for i, char in enumerate(text):
        before = read[-1] if read else " "
        emoji = is_in["pictograph"](before) or is_in["modifier"](before)
        if alone and alone[-1] == len(read) - 1:
            emoji = False
        if is_in["format"](char) and not (char in "\u200d\ufe0e\ufe0f" and emoji):
            if pending is None and not is_in["space"](before):
                ranges[-1] = (ranges[-1][0], i + 1)
            elif pending is None:
                pending = i
            continue
        if is_in["space"](char):
            end_alone(i)
            pending = None
        read.append(chr(ord(char) - 0xFEE0) if is_in["folded"](char) else char)
        ranges.append((i if pending is None else pending, i + 1))
        pending = None
    end_alone(len(text))
    return "".join(read), ranges, alone


def text_pieces(text, pattern, classes):
    """What stands between white space, as (begin, end, whether markup), in English plain text."""
    read, ranges, alone = text_read(text, classes)
    space, word = re.compile(f"[{classes['space']}]"), re.compile(pattern, re.VERBOSE | re.DOTALL)
    in_word = re.compile(f"[^{''.join(classes[name] for name in NO_WORD)}]")
    line_end = f"[{classes['line_end']}]"
    # \r\n is one line end: counted where it ends
    ends_line = re.compile(f"(?!\\r\\n){line_end}")
    page_end = re.compile(f"[{classes['page_end']}]")
    gap_of = re.compile(f"[{classes['space']}]+")
    line_of = re.compile(f"[^{classes['line_end']}{classes['page_end']}]*")
    rule_of = re.compile(f"[-|:+={classes['space']}]*")
    planned = {place: place + 1 for place in alone}
    open_until = {}
    result = []

    def at(i):
        return read[i] if 0 <= i < len(read) else ""

    def paragraph_end(i):
        lines = 0
        while i < len(read):
            if page_end.match(at(i)):
                return i
            lines += bool(ends_line.match(read, i))
            if lines > 1:
                return i
            if not space.match(at(i)):
                lines = 0
            i += 1
        return i

    def emphasis(p):
        run = re.compile(r"(\*+|_+|~+|`+)").match(read, p)
        if not run or len(run[0]) > 3 or (run[0][0] == "~" and len(run[0]) != 2):
            return 0
        marks, size = run[0], len(run[0])
        if at(p - 1) == marks[0] or (p and in_word.match(at(p - 1))):
            return 0
        if not at(p + size) or space.match(at(p + size)) or p < open_until.get(marks, 0):
            return 0
        for i in range(p + size + 1, paragraph_end(p + size + 1)):
            closes = read[i : i + size] == marks and marks[0] not in (at(i - 1), at(i + size))
            if closes and not space.match(at(i - 1)) and not in_word.match(at(i + size) or " "):
                open_until[marks] = planned[i] = i + size
                return p + size
        return 0

    def link(p):
        stop = f"\\[\\]{classes['line_end']}{classes['page_end']}"
        target = f"[^{classes['space']}\\[\\]()]"
        found = re.compile(
            rf"(!?\[)([^{stop}]*)(\])(\()((?:{target}|\({target}*\))+)(?: (\"[^\"{stop}]*\"))?(\))"
        ).match(read, p)
        if not found or not (found[2] or found[1] == "!["):
            return 0
        for group in (3, 4, 5, 6, 7):
            if found[group] is not None:
                planned[found.start(group)] = found.end(group)
        return found.end(1)

    p, begins_line, row, rule = 0, True, False, False
    blank = True  # nothing but quote marks since the line began
    while p < len(read):
        if space.match(read[p]):
            gap = gap_of.match(read, p)
            if ends_line.search(gap[0]) or page_end.search(gap[0]):
                begins_line, row, rule = True, False, False
                blank = True
            p = gap.end()
            continue
        for place in [place for place in planned if place < p]:
            del planned[place]
        end, markup = 0, False
        if begins_line:
            line = line_of.match(read, p)[0]
            rule = bool(rule_of.fullmatch(line))
            rule = rule and bool(re.search("[-=]", line) and re.search("[|+]", line))
        if p in planned:
            end, markup = planned.pop(p), True
        elif begins_line and read[p] == ">":
            end, markup = p + 1, True
        elif read[p] in "*_~`[!|#":
            if begins_line and read[p] == "|":
                row = True
            if read[p] == "|":
                edges = (not p or space.match(read[p - 1])) and space.match(at(p + 1) or " ")
                markup, end = row or bool(edges), p + 1
            elif read[p] == "#":
                hashes = re.compile(rf"#{{1,6}}(?=[{classes['space']}])").match(read, p)
                if (
                    hashes
                    and blank
                    and not re.match(
                        f"[{classes['line_end']}{classes['page_end']}]", at(hashes.end())
                    )
                ):
                    end, markup = hashes.end(), True
            elif read[p] in "[!":
                end = link(p)
                markup = bool(end)
            else:
                end = emphasis(p)
                markup = bool(end)
        if not markup:
            limit = min(planned, default=len(read))
            end = word.match(read, p, limit).end()
        if not (begins_line and read[p] == ">" and markup):
            begins_line = False
        if not (markup or rule):
            blank = False
        result.append((ranges[p][0], ranges[end - 1][1], markup or rule))
        p = end
    return result


NO_WORD = ("space", "invisible", "mark", "pictograph", "han", "hiragana", "katakana", "cluster")
NO_WORD += ("cluster_mark", "stacker")
