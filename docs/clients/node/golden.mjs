// Replays golden.jsonl and tokens.jsonl through a Tagger; the same code in Node and in browsers.

import { caseId, entities } from "./fastner.mjs";
import { unitOffsets } from "./text.mjs";

const BATCH = 32;

// cases: the objects of golden.jsonl. Returns how many there were and all differences.
export async function replay(tagger, cases) {
  const { tolerance } = tagger;
  const { batch_invariant } = tagger.config;
  const problems = [];
  let largest = 0;
  const check = (number, what, expected, got) => {
    if (JSON.stringify(expected) !== JSON.stringify(got)) {
      const shown = `${JSON.stringify(expected)} != ${JSON.stringify(got)}`;
      problems.push(`case ${number}, ${what}: ${shown}`);
    }
  };
  const compare = async (numbers) => {
    const batch = numbers.map((number) => cases[number]);
    const outputs = await tagger.run(batch.map((c) => c.tokens), { emissions: true });
    batch.forEach((golden, row) => {
      const number = numbers[row];
      check(number, `tag_ids, ${batch.length} a batch`, golden.tag_ids, outputs.tagIds[row]);
      check(number, "tags", golden.tags, tagger.tagNames(outputs.tagIds[row]));
      const apart = Math.abs(outputs.scores[row] - golden.score);
      if (!(apart <= tolerance * golden.tokens.length)) {
        problems.push(`case ${number}: score ${apart} apart`);
      }
      (golden.emissions ?? []).flat().forEach((expected, i) => {
        largest = Math.max(largest, Math.abs(outputs.emissions[row][i] - expected));
      });
    });
  };
  for (const [number, golden] of cases.entries()) {
    const readings = golden.tokens.map((word) => tagger.read(word));
    check(number, "word_ids", golden.word_ids, readings.map((word) => tagger.wordIds(word)));
    check(number, "case_ids", golden.case_ids, readings.map(caseId));
    check(number, "characters", golden.characters, readings.map((word) => tagger.characters(word)));
    if (golden.places) check(number, "places", golden.places, tagger.places(golden.tokens));
    const opened = golden.tags.filter((tag) => tag.startsWith("B-")).length;
    check(number, "entities", opened, entities(golden.tags).length);
    await compare([number]);
  }
  if (batch_invariant) {
    for (let at = 0; at < cases.length; at += BATCH) {
      await compare([...cases.keys()].slice(at, at + BATCH));
    }
  }
  if (!(largest <= tolerance)) problems.push(`emissions: ${largest} apart`);
  return { cases: cases.length, largest, problems };
}

// texts: the objects of tokens.jsonl. Returns how many there were and all differences.
export function replayTexts(tokenizer, texts) {
  const problems = [];
  texts.forEach(({ text, options, sentences }, number) => {
    const units = unitOffsets(text);
    const got = tokenizer.tokenize(text, options).map((tokens) =>
      tokens.map(({ text: word, start, end, markup }) => {
        if (word !== text.slice(units[start], units[end])) problems.push(`text ${number}: ${word}`);
        return markup ? [start, end, true] : [start, end];
      }),
    );
    if (JSON.stringify(got) !== JSON.stringify(sentences)) {
      const spelled = (those) =>
        JSON.stringify(
          those.map((tokens) =>
            tokens.map(([start, end, markup]) => {
              const word = text.slice(units[start], units[end]);
              return markup ? { markup: word } : word;
            }),
          ),
        );
      problems.push(
        `text ${number}, ${JSON.stringify(options)}: ${spelled(sentences)} != ${spelled(got)}`,
      );
    }
  });
  return { texts: texts.length, problems };
}

// The objects of a JSON Lines text.
export function parseLines(text) {
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}
