// From tags to the entities of a text: spans of words, mended at their edges by the lists that an
// export ships, as fastner does it in raw text; Node and browsers. The rules are in docs/onnx.md.

import { unitOffsets } from "./text.mjs";

// The entities of a text: {text, label, start, end}, offsets in code points. sentences: {words, tags},
// of the tokens that are no markup and their IOB2 tags. edges: of the language in tokenizer.json.
export function textEntities(text, sentences, edges) {
  const units = unitOffsets(text);
  const lists = new Edges(edges);
  return sentences.flatMap(({ words, tags }) =>
    entities(tags)
      .map((found) => lists.mend(found, words, tags[found.end] === "O"))
      .filter(({ start, end }) => start < end)
      .map(({ start: first, end: behind, label }) => {
        const [{ start }, { end }] = [words[first], words[behind - 1]];
        return { text: text.slice(units[start], units[end]), label, start, end };
      }),
  );
}

// The entities of one sentence's IOB2 tags: tokens start to end (half-open) and their label.
export function entities(tags) {
  const found = [];
  tags.forEach((tag, i) => {
    if (tag.startsWith("B-")) found.push({ start: i, end: i + 1, label: tag.slice(2) });
    else if (tag !== "O") found[found.length - 1].end = i + 1;
  });
  return found;
}

class Edges {
  constructor({ possessives, titles, degrees, people, trimmed, brackets }) {
    this.possessives = new Set(possessives);
    this.titles = new Set(titles);
    this.degrees = new Set(degrees);
    this.people = new Set(people);
    this.trimmed = new Set(trimmed);
    this.closers = new Map();
    for (const [opener, closer] of brackets) {
      this.closers.set(opener, (this.closers.get(opener) ?? new Set()).add(closer));
    }
  }

  // The entity with its ends moved; one of which nothing is left is empty. free: whether the word
  // behind it belongs to no other.
  mend({ start, end, label }, words, free) {
    const person = this.people.has(label.toUpperCase());
    if (free && !person && this.isPossessive(end - 1, words)) ++end;
    for (let size = 0; size !== end - start && start < end; ) {
      size = end - start;
      [start, end] = this.trim(start, end, words);
      if (start === end) break;
      if (this.isDegree(end - 1, words)) --end;
      else if (this.isDegree(start, words)) ++start;
      else if (person && size > 1 && this.titles.has(words[start].text)) ++start;
    }
    return { start, end, label };
  }

  // Whether this word and the one behind it, an apostrophe or 's, are one name.
  isPossessive(i, words) {
    const [word, next] = [words[i], words[i + 1]];
    if (!next || word.end !== next.start || !/^['’]s?$/.test(next.text)) return false;
    return this.possessives.has(word.text + next.text.replace("’", "'"));
  }

  // Behind a comma.
  isDegree(i, words) {
    return this.degrees.has(words[i].text) && i > 0 && words[i - 1].text === ",";
  }

  trim(start, end, words) {
    while (start < end && this.goes(words[start]) && !this.opensInside(start, end, words)) ++start;
    while (start < end && this.goes(words[end - 1]) && !this.closesInside(start, end, words)) --end;
    return [start, end];
  }

  goes({ text }) {
    return Array.from(text).every((character) => this.trimmed.has(character));
  }

  // Whether its first word is a bracket that closes before its last one.
  opensInside(start, end, words) {
    const closers = this.closers.get(words[start].text);
    return closers !== undefined && words.slice(start + 1, end - 1).some((w) => closers.has(w.text));
  }

  // Whether its last word is a bracket that was opened behind its first one.
  closesInside(start, end, words) {
    const last = words[end - 1].text;
    return words.slice(start + 1, end - 1).some((w) => this.closers.get(w.text)?.has(last));
  }
}
