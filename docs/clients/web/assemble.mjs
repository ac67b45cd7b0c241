// Puts all that the page needs into one folder for any static server:
// node assemble.mjs EXPORTED_DIRECTORY SITE

import { copyFile, mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const RUNTIME = ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];
const SCRIPTS = ["fastner.mjs", "text.mjs", "reading.mjs", "edges.mjs", "golden.mjs"];
const MODEL = "model.onnx vocab.txt config.json golden.jsonl tokenizer.json tokens.jsonl".split(" ");
const here = dirname(fileURLToPath(import.meta.url));

export async function assemble(exported, site) {
  const runtime = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  const config = JSON.parse(await readFile(join(exported, "config.json"), "utf-8"));
  const model = config.gazetteers ? [...MODEL, "gazetteers.txt"] : MODEL;
  const copies = [
    ...["index.html", "page.mjs"].map((name) => [here, name, "."]),
    ...SCRIPTS.map((name) => [join(here, "../node"), name, "."]),
    ...RUNTIME.map((name) => [runtime, name, "ort"]),
    ...model.map((name) => [exported, name, "model"]),
  ];
  for (const [from, name, to] of copies) {
    await mkdir(join(site, to), { recursive: true });
    await copyFile(join(from, name), join(site, to, name));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [exported, site] = process.argv.slice(2);
  if (!site) {
    console.error("usage: node assemble.mjs EXPORTED_DIRECTORY SITE");
    process.exit(2);
  }
  await assemble(exported, site);
  console.log(`python3 -m http.server --bind 127.0.0.1 --directory ${site}`);
}
