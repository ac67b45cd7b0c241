// Times an exported model in headless Chromium, for the same requests as ../node/worker.mjs:
// node worker.mjs [engine|onnxruntime]. Its load runs from opening the page to the model's session,
// WebAssembly's own start included.

import { serve } from "../node/worker.mjs";

const [runtime] = process.argv.slice(2);
await serve(async ({ directory }) => {
  const { openPage } = await import("./browser.mjs");
  const { page, complaints, started, close } = await openPage(directory, runtime);
  await started();
  if (complaints.length) throw new Error(complaints.join("; "));
  const { loaded, versions } = await page.evaluate(async () => {
    const { name } = await import("./runtime.mjs");
    return {
      loaded: performance.getEntriesByName("loaded")[0].startTime,
      versions: {
        chromium: navigator.userAgent.match(/Chrome\/([\d.]+)/)[1],
        with: name,
      },
    };
  });
  // Sentences stay in the page: what the browser's protocol takes is not in the time.
  let there = null;
  const send = async (sentences) => {
    if (there === sentences) return;
    await page.evaluate((value) => void (globalThis.sentences = value), sentences);
    there = sentences;
  };
  return {
    answer: { load_seconds: loaded / 1000, versions, note: "" },
    tags: async (sentences, batch) => {
      await send(sentences);
      return page.evaluate(
        (size) => globalThis.fastner.tagBatch(globalThis.sentences, { batch: size }),
        batch,
      );
    },
    run: async (sentences, batch) => {
      await send(sentences);
      return page.evaluate(async (size) => {
        const began = performance.now();
        await globalThis.fastner.tagBatch(globalThis.sentences, { batch: size });
        return (performance.now() - began) / 1000;
      }, batch);
    },
    close,
  };
});
