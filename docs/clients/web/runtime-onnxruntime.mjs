// What the page runs a model on, as runtime.mjs: onnxruntime-web.

import * as ort from "./ort/ort.wasm.min.mjs";

export const name = `onnxruntime-web ${ort.env.versions.web}`;
export const options = { executionProviders: ["wasm"] };

export async function start() {
  ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
  ort.env.wasm.numThreads = 1; // more need headers that a plain static server does not send
  return ort;
}
