// Opens the page in headless Chromium, everything served from 127.0.0.1.
// CHROMIUM names the browser (default /usr/bin/chromium).

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";
import { assemble } from "./assemble.mjs";

const TYPES = { ".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const PATIENCE = 300_000; // ms; what takes this long hangs, also on a machine with other work
const FLAGS = `--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
  --disable-background-networking --disable-component-update --disable-sync`;

// The page with the model of an exported directory, on one of assemble's runtimes: its Playwright page, what went wrong in it so
// far, `started`, which waits until it has loaded its model or failed to, and `close`.
export async function openPage(exported, runtime) {
  const scratch = await mkdtemp(join(tmpdir(), "fastner-web-"));
  const site = join(scratch, "site");
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
  let context;
  const close = async () => {
    await context?.close();
    server.close();
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    await assemble(exported, site, runtime);
    await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
    context = await chromium.launchPersistentContext(join(scratch, "profile"), {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: FLAGS.split(/\s+/),
      viewport: { width: 900, height: 640 },
      timeout: PATIENCE,
    });
    context.setDefaultTimeout(PATIENCE);
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
    const started = () =>
      page.waitForFunction(
        () => globalThis.fastner || document.body.dataset.state === "failed",
      );
    await page.goto(`${origin}/`);
    return { page, complaints, started, close };
  } catch (error) {
    await close();
    throw error;
  }
}
