// The page: tags what is typed and marks its entities.

import * as ort from "./ort/ort.wasm.min.mjs";
import { entities, loadUrl, tokenize } from "./fastner.mjs";

const [text, result, status] = ["#text", "#result", "#status"].map((id) =>
  document.querySelector(id),
);

ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // more need headers that a plain static server does not send

// How to show each label: hues as far apart as can be.
function hue(tagger, label) {
  const { labels } = tagger.config;
  return Math.round(210 + (360 * labels.indexOf(label)) / labels.length) % 360;
}

function mark(tagger, words, label) {
  const node = document.createElement("mark");
  node.style.setProperty("--hue", hue(tagger, label));
  node.dataset.label = label;
  const name = document.createElement("small");
  name.textContent = label;
  node.append(words, name);
  return node;
}

async function show(tagger, value) {
  const began = performance.now();
  const sentences = tokenize(value);
  const tags = await tagger.tagBatch(sentences.map((tokens) => tokens.map((token) => token.text)));
  const seconds = performance.now() - began;
  const nodes = [];
  let at = 0;
  let count = 0;
  sentences.forEach((tokens, i) => {
    for (const { start, end, label } of entities(tags[i])) {
      const from = tokens[start].start;
      const to = tokens[end - 1].end;
      nodes.push(value.slice(at, from), mark(tagger, value.slice(from, to), label));
      at = to;
      count += 1;
    }
  });
  result.replaceChildren(...nodes, value.slice(at));
  const words = sentences.reduce((sum, tokens) => sum + tokens.length, 0);
  status.textContent = `${words} words, ${count} entities, ${seconds.toFixed(1)} ms`;
}

try {
  const tagger = await loadUrl(ort, new URL("./model/", import.meta.url), {
    executionProviders: ["wasm"],
  });
  // One run at a time; after it, the latest text if that has changed.
  let shown = null;
  let busy = false;
  const update = async () => {
    if (busy) return;
    busy = true;
    try {
      while (shown !== text.value) {
        shown = text.value;
        await show(tagger, shown);
      }
    } finally {
      busy = false;
    }
  };
  text.addEventListener("input", update);
  await update();
  globalThis.fastner = tagger; // for the console, and for test.mjs
} catch (error) {
  status.textContent = `The model could not be loaded: ${error.message}`;
  throw error;
}
