// Replays the golden cases in headless Chromium, and types into the page:
// node test.mjs EXPORTED_DIRECTORY [engine|onnxruntime] [SCREENSHOT.png]

import assert from "node:assert/strict";
import { RUNTIMES } from "./assemble.mjs";
import { openPage } from "./browser.mjs";

const [exported, ...rest] = process.argv.slice(2);
const runtime = RUNTIMES.includes(rest[0]) ? rest.shift() : undefined; // else as assemble chooses
const [screenshot] = rest;
if (!exported) {
  console.error("usage: node test.mjs EXPORTED_DIRECTORY [engine|onnxruntime] [SCREENSHOT.png]");
  process.exit(2);
}
const { page, complaints, started, close } = await openPage(exported, runtime);
const state = () => page.evaluate(() => document.body.dataset.state);
try {
  await started();
  assert.deepEqual(complaints, []);
  assert.equal(await state(), "ready");
  if (screenshot) await page.screenshot({ path: screenshot });

  const { texts, cases, largest, problems } = await page.evaluate(async () => {
    const { parseLines, replay, replayTexts } = await import("./golden.mjs");
    const lines = async (name) => parseLines(await (await fetch(`./model/${name}`)).text());
    const tagger = globalThis.fastner;
    const { texts, problems: cut } = replayTexts(tagger.tokenizer, await lines("tokens.jsonl"));
    const { problems: tagged, ...counts } = await replay(tagger, await lines("golden.jsonl"));
    return { texts, ...counts, problems: [...cut, ...tagged] };
  });
  for (const problem of problems.slice(0, 20)) console.error(problem);

  // What is typed is shown whole, hostile text as text, with the marks that the tags say.
  const typed =
    "<b>Ada</b> & Grace Hopper moved from Oslo to New Zealand in 1996 .\n\nIt rained 😀";
  await page.fill("#text", typed);
  await page.waitForFunction(
    (value) => document.getElementById("result").textContent.includes(value),
    "It rained 😀",
  );
  const { text, elements, marks, counted } = await page.evaluate(() => {
    const copy = document.getElementById("result").cloneNode(true);
    for (const name of copy.querySelectorAll("small")) name.remove();
    const marks = [...copy.querySelectorAll("mark")];
    return {
      text: copy.textContent,
      elements: copy.querySelectorAll("*").length,
      marks: marks.map((node) => [node.textContent, node.dataset.label]),
      counted: [...document.querySelectorAll("#labels li")].map((item) => item.textContent),
    };
  });
  const expected = await page.evaluate(
    async (value) =>
      (await globalThis.fastner.tagText(value)).map(({ text: words, label }) => [words, label]),
    typed,
  );
  assert.equal(text, typed);
  assert.equal(elements, marks.length);
  assert.deepEqual(marks, expected);
  const labels = await page.evaluate(() => globalThis.fastner.config.labels);
  const count = (label) => marks.filter(([, one]) => one === label).length;
  assert.deepEqual(counted, labels.map((label) => `${label} ${count(label)}`));

  const example = page.locator("button").last();
  await example.click();
  const chosen = await example.getAttribute("data-text");
  assert.equal(await page.inputValue("#text"), chosen);
  await page.waitForFunction(
    (last) => document.getElementById("result").textContent.includes(last),
    chosen.split(" ")[0],
  );
  await page.fill("#text", "");
  await page.waitForFunction(() => document.getElementById("result").textContent === "");
  assert.deepEqual(complaints, []);

  // What is missing is said.
  const name = await page.evaluate(async () => (await import("./runtime.mjs")).name);
  for (const [missing, said] of [
    ["model/config.json", /model could not be loaded: .*config\.json: 404/],
    ["runtime.mjs", /page could not be started: serve the whole folder by HTTP/],
    ...(name === "own kernels"
      ? [["engine.wasm", /model could not be loaded: .*engine\.wasm: 404/]]
      : [["ort/ort.wasm.min.mjs", /page could not be started: serve the whole folder by HTTP/]]),
  ]) {
    await page.route(`**/${missing}`, (route) => route.fulfill({ status: 404 }));
    await page.reload();
    await started();
    assert.equal(await state(), "failed");
    assert.match(await page.textContent("#status"), said);
    await page.unroute(`**/${missing}`);
  }

  const browser = await page.evaluate(() => navigator.userAgent.match(/Chrome\/[\d.]+/)[0]);
  console.log(
    `${browser}, ${name}: ${texts} texts, ${cases} cases, ${problems.length} differences, ` +
      `emissions within ${largest.toExponential(1)}, ${marks.length} entities marked`,
  );
  process.exitCode = problems.length || !cases || !texts ? 1 : 0;
} finally {
  await close();
}
