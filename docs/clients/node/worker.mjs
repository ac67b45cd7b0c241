// Times an exported model in Node: answers one JSON request a line, as bench/rivals/worker.py does.
// {"do": "start", "options": {"directory": …}}, {"do": "sentences", "sentences": [[…]]},
// {"do": "tags", "batch": 32}, {"do": "run", "batch": 32}

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { load } from "./fastner.mjs";

// start: an async function of the options; gives the answer to "start", and `tags` and `run`, which
// take sentences and the size of a batch, and give all tags or the seconds of tagging.
export async function serve(start) {
  let model;
  let sentences = [];
  const handlers = {
    start: async ({ options }) => (model = await start(options)).answer,
    sentences: (request) => void (sentences = request.sentences),
    tags: async ({ batch }) => ({ tags: await model.tags(sentences, batch) }),
    run: async ({ batch }) => ({ seconds: await model.run(sentences, batch) }),
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
      answer = (await handlers[request.do](request)) ?? {};
    } catch (error) {
      answer = { error: error.message };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await model?.close?.();
}

async function start({ directory }) {
  const ort = await import("onnxruntime-node");
  const began = performance.now();
  const tagger = await load(ort, directory);
  const seconds = (performance.now() - began) / 1000;
  const versions = { node: process.versions.node, "onnxruntime-node": ort.env.versions.node };
  return {
    answer: { load_seconds: seconds, versions, note: "" },
    tags: (sentences, batch) => tagger.tagBatch(sentences, { batch }),
    run: async (sentences, batch) => {
      const began = performance.now();
      await tagger.tagBatch(sentences, { batch });
      return (performance.now() - began) / 1000;
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await serve(start);
