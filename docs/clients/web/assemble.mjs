// Puts all that the page needs into one folder for any static server:
// node assemble.mjs EXPORTED_DIRECTORY SITE [engine|onnxruntime]

import { copyFile, mkdir, readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { weights } from "./engine.mjs";

const PAGE = ["index.html", "page.mjs"];
const SCRIPTS = ["fastner.mjs", "text.mjs", "reading.mjs", "edges.mjs", "golden.mjs"];
const ENGINE = ["engine.mjs", "engine.wasm"];
const ONNXRUNTIME = ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];
const MODEL = "model.onnx vocab.txt config.json golden.jsonl tokenizer.json tokens.jsonl".split(" ");
export const RUNTIMES = ["engine", "onnxruntime"];
const here = dirname(fileURLToPath(import.meta.url));

// runtime: one of RUNTIMES; by default the engine, where it is built and can run this model. Returns
// why it is not then, or undefined.
export async function assemble(exported, site, runtime) {
  const why = runtime ? undefined : await whyNoEngine(exported);
  runtime ??= why ? "onnxruntime" : "engine";
  const config = JSON.parse(await readFile(join(exported, "config.json"), "utf-8"));
  const model = config.gazetteers ? [...MODEL, "gazetteers.txt"] : MODEL;
  const copies = [
    ...PAGE.map((name) => [here, name, ".", name]),
    ...SCRIPTS.map((name) => [join(here, "../node"), name, ".", name]),
    [here, `runtime-${runtime}.mjs`, ".", "runtime.mjs"],
    ...(runtime === "engine"
      ? ENGINE.map((name) => [here, name, ".", name])
      : ONNXRUNTIME.map((name) => [onnxruntime(), name, "ort", name])),
    ...model.map((name) => [exported, name, "model", name]),
  ];
  for (const [from, name, to, called] of copies) {
    await mkdir(join(site, to), { recursive: true });
    await copyFile(join(from, name), join(site, to, called));
  }
  return why;
}

// What keeps the engine from running this model, undefined if nothing does.
async function whyNoEngine(exported) {
  if (!existsSync(join(here, "engine.wasm"))) return "web/engine.wasm is not built: npm run engine";
  try {
    weights(await readFile(join(exported, "model.onnx")));
  } catch (error) {
    return error.message;
  }
}

function onnxruntime() {
  return dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [exported, site, asked] = process.argv.slice(2);
  if (!site || (asked && !RUNTIMES.includes(asked))) {
    console.error(`usage: node assemble.mjs EXPORTED_DIRECTORY SITE [${RUNTIMES.join("|")}]`);
    process.exit(2);
  }
  const why = await assemble(exported, site, asked);
  if (why) console.log(`It runs on onnxruntime-web: ${why}`);
  console.log(`python3 -m http.server --bind 127.0.0.1 --directory ${site}`);
}
