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
        const start = words[first].start + lists.invisibleBefore(words[first]);
        const end = words[behind - 1].end - lists.invisibleBehind(words[behind - 1]);
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
  constructor({ brackets, trimmed, ...lists }) {
    this.possessives = new Set(lists.possessives);
    this.given = new Set(lists.given);
    this.titles = new Set(lists.titles);
    this.greetings = new Set(lists.greetings);
    this.degrees = new Set(lists.degrees);
    this.people = new Set(lists.people);
    this.places = new Set(lists.places);
    this.invisible = new Set(lists.invisible);
    this.trimmed = new Set([...trimmed, ...lists.invisible]);
    this.closers = new Map();
    for (const [opener, closer] of brackets) {
      this.closers.set(opener, (this.closers.get(opener) ?? new Set()).add(closer));
    }
  }

  // The entity with its ends moved; one of which nothing is left is empty. free: whether the word
  // behind it belongs to no other.
  mend({ start, end, label }, words, free) {
    const person = this.people.has(label.toUpperCase());
    const place = this.places.has(label.toUpperCase());
    const given = end;
    for (let size = 0; size !== end - start && start < end; ) {
      size = end - start;
      [start, end] = this.trim(start, end, words);
      if (start === end) break;
      if (this.isDegree(end - 1, words)) --end;
      else if (this.isDegree(start, words)) ++start;
      else if (end - start > 1) {
        const first = words[start].text;
        const greets = (person || place) && start === 0 && this.greetings.has(first);
        if (greets || (person && this.titles.has(first))) ++start;
      }
    }
    const whole = start < end && end === given;
    if (free && whole && this.isPossessive(start, end, person, words)) ++end;
    return { start, end, label };
  }

  // Whether its last word and the one behind, an apostrophe or 's, are one name: of a person only
  // where the word is all there is, and not a name that people have.
  isPossessive(start, end, person, words) {
    const [word, next] = [words[end - 1], words[end]];
    if (person && end - start > 1) return false;
    if (!next || word.end !== next.start || !/^['’]s?$/.test(next.text)) return false;
    const name = word.text + next.text.replace("’", "'");
    return this.possessives.has(name) && !(person && this.given.has(name));
  }

  // How many invisible characters a word has at its start, and at its end, if others are left.
  invisibleBefore({ text }) {
    const characters = Array.from(text);
    const count = characters.findIndex((character) => !this.invisible.has(character));
    return Math.max(count, 0);
  }

  invisibleBehind({ text }) {
    return this.invisibleBefore({ text: Array.from(text).reverse().join("") });
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
