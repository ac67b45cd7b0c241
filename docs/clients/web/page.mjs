// The page: tags what is typed and marks its entities.

import { loadUrl } from "./fastner.mjs";
import { options, start } from "./runtime.mjs"; // one of the two that assemble.mjs chooses from
import { unitOffsets } from "./text.mjs";

const [text, result, labels, status] = ["text", "result", "labels", "status"].map((id) =>
  document.getElementById(id),
);

// An element with a label's colour; the hues of all labels are as far apart as can be.
function coloured(name, tagger, label) {
  const all = tagger.config.labels;
  const node = document.createElement(name);
  node.style.setProperty("--hue", Math.round(210 + (360 * all.indexOf(label)) / all.length) % 360);
  return node;
}

function mark(tagger, words, label) {
  const node = coloured("mark", tagger, label);
  node.dataset.label = label;
  const name = document.createElement("small");
  name.textContent = label;
  node.append(words, name);
  return node;
}

// One item a label: its name and how many entities have it.
function legend(tagger, found) {
  return tagger.config.labels.map((label) => {
    const item = document.createElement("li");
    const name = coloured("b", tagger, label);
    name.textContent = label;
    item.append(name, ` ${found.filter((one) => one === label).length}`);
    return item;
  });
}

async function show(tagger, value) {
  const began = performance.now();
  const found = await tagger.tagText(value);
  const milliseconds = performance.now() - began;
  const units = unitOffsets(value);
  const nodes = [];
  let at = 0;
  for (const { text: words, label, start, end } of found) {
    nodes.push(value.slice(at, units[start]), mark(tagger, words, label));
    at = units[end];
  }
  result.replaceChildren(...nodes, ...(at < value.length ? [value.slice(at)] : []));
  labels.replaceChildren(...legend(tagger, found.map((one) => one.label)));
  status.textContent = `${units.length - 1} characters in ${milliseconds.toFixed(1)} ms`;
}

function fail(problem, error) {
  document.body.dataset.state = "failed";
  status.textContent = `${problem}: ${error.message}`;
  throw error;
}

const tagger = await start()
  .then((runtime) => loadUrl(runtime, new URL("./model/", import.meta.url), options))
  .catch((error) => fail("The model could not be loaded", error));
performance.mark("loaded"); // for worker.mjs

// One run at a time; after it, the latest text if that has changed.
let shown = null;
let busy = false;
async function update() {
  if (busy) return;
  busy = true;
  try {
    while (shown !== text.value) {
      shown = text.value;
      await show(tagger, shown);
    }
    document.body.dataset.state = "ready";
  } catch (error) {
    fail("This text could not be tagged", error);
  } finally {
    busy = false;
  }
}

text.addEventListener("input", update);
for (const example of document.querySelectorAll("button")) {
  example.addEventListener("click", () => {
    text.value = example.dataset.text;
    update();
  });
}
await update();
globalThis.fastner = tagger; // for the console, and for test.mjs
