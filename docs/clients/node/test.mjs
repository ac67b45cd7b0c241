// Replays the golden cases of an exported directory in Node: node test.mjs DIRECTORY

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { load } from "./fastner.mjs"; // first: it turns off onnxruntime's telemetry
import * as ort from "onnxruntime-node";
import { parseLines, replay } from "./golden.mjs";

const directory = process.argv[2];
if (!directory) {
  console.error("usage: node test.mjs DIRECTORY (written by: fastner export MODEL -o DIRECTORY)");
  process.exit(2);
}
const tagger = await load(ort, directory);
const golden = parseLines(await readFile(join(directory, "golden.jsonl"), "utf-8"));
const { cases, largest, problems } = await replay(tagger, golden);
for (const problem of problems.slice(0, 20)) console.error(problem);
console.log(
  `node ${process.versions.node}: ${cases} cases, ${problems.length} differences, ` +
    `emissions within ${largest.toExponential(1)}`,
);
process.exitCode = problems.length || !cases ? 1 : 0;
