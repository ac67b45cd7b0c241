// Replays the golden cases in headless Chromium, and types into the page:
// node test.mjs EXPORTED_DIRECTORY [SCREENSHOT.png]
// CHROMIUM names the browser (default /usr/bin/chromium). Everything is served from 127.0.0.1.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";
import { assemble } from "./assemble.mjs";

const [exported, screenshot] = process.argv.slice(2);
if (!exported) {
  console.error("usage: node test.mjs EXPORTED_DIRECTORY [SCREENSHOT.png]");
  process.exit(2);
}
const TYPES = { ".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const FLAGS = `--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
  --disable-background-networking --disable-component-update --disable-sync`;

const scratch = await mkdtemp(join(tmpdir(), "fastner-web-"));
const site = join(scratch, "site");
await assemble(exported, site);
const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, "http://127.0.0.1").pathname);
  try {
    const body = await readFile(join(site, path.endsWith("/") ? `${path}index.html` : path));
    const type = TYPES[extname(path) || ".html"] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));

let context;
try {
  context = await chromium.launchPersistentContext(join(scratch, "profile"), {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS.split(/\s+/),
    viewport: { width: 900, height: 640 },
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const origin = `http://127.0.0.1:${server.address().port}`;
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(origin)) {
      complaints.push(`asked for ${request.url()}`);
    }
  });
  await page.goto(`${origin}/`);
  const started = () =>
    page.waitForFunction(
      () => globalThis.fastner || /could not/.test(document.getElementById("status").textContent),
      null,
      { timeout: 60_000 },
    );
  await started();
  assert.deepEqual(complaints, []);

  const { cases, largest, problems } = await page.evaluate(async () => {
    const { parseLines, replay } = await import("./golden.mjs");
    const text = await (await fetch("./model/golden.jsonl")).text();
    return replay(globalThis.fastner, parseLines(text));
  });
  for (const problem of problems.slice(0, 20)) console.error(problem);

  // What is typed is shown whole, hostile text as text, with the marks that the tags say.
  const typed = "<b>Ada</b> & Grace Hopper moved from Oslo to New Zealand in 1996 .\n\nIt rained 😀";
  await page.fill("#text", typed);
  const shown = () =>
    page.evaluate(() => {
      const copy = document.getElementById("result").cloneNode(true);
      for (const name of copy.querySelectorAll("small")) name.remove();
      const marks = [...copy.querySelectorAll("mark")];
      return {
        text: copy.textContent,
        elements: copy.querySelectorAll("*").length,
        marks: marks.map((node) => [node.textContent, node.dataset.label]),
      };
    });
  await page.waitForFunction(
    (value) => document.getElementById("result").textContent.includes(value),
    "It rained 😀",
  );
  const { text, elements, marks } = await shown();
  const expected = await page.evaluate(async (value) => {
    const { entities, tokenize } = await import("./fastner.mjs");
    const found = [];
    for (const tokens of tokenize(value)) {
      const tags = await globalThis.fastner.tag(tokens.map((token) => token.text));
      for (const { start, end, label } of entities(tags)) {
        found.push([value.slice(tokens[start].start, tokens[end - 1].end), label]);
      }
    }
    return found;
  }, typed);
  assert.equal(text, typed);
  assert.equal(elements, marks.length);
  assert.deepEqual(marks, expected);
  await page.fill("#text", "");
  await page.waitForFunction(() => document.getElementById("result").textContent === "");
  if (screenshot) {
    await page.reload();
    await started();
    await page.screenshot({ path: screenshot });
  }
  assert.deepEqual(complaints, []);
  const browser = await page.evaluate(() => navigator.userAgent.match(/Chrome\/[\d.]+/)[0]);
  console.log(
    `${browser}: ${cases} cases, ${problems.length} differences, ` +
      `emissions within ${largest.toExponential(1)}, ${marks.length} entities marked`,
  );
  process.exitCode = problems.length || !cases ? 1 : 0;
} finally {
  await context?.close();
  server.close();
  await rm(scratch, { recursive: true, force: true });
}
