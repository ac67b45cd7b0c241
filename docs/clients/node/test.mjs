// Replays the golden cases of an exported directory in Node: node test.mjs DIRECTORY

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { load } from "./fastner.mjs"; // first: it turns off onnxruntime's telemetry
import * as ort from "onnxruntime-node";
import { parseLines, replay, replayTexts } from "./golden.mjs";

const directory = process.argv[2];
if (!directory) {
  console.error("usage: node test.mjs DIRECTORY (written by: fastner export MODEL -o DIRECTORY)");
  process.exit(2);
}
const tagger = await load(ort, directory);
const lines = async (name) => parseLines(await readFile(join(directory, name), "utf-8"));
const golden = tagger.tokenizer ? await lines("tokens.jsonl") : []; // none in version 1
const { texts, problems: cut } = replayTexts(tagger.tokenizer, golden);
const { cases, largest, problems: tagged } = await replay(tagger, await lines("golden.jsonl"));
const problems = [...cut, ...tagged];
for (const problem of problems.slice(0, 20)) console.error(problem);
console.log(
  `node ${process.versions.node}: ${texts} texts, ${cases} cases, ${problems.length} differences, ` +
    `emissions within ${largest.toExponential(1)}`,
);
process.exitCode = problems.length || !cases || (tagger.tokenizer && !texts) ? 1 : 0;
