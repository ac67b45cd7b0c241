// What the page runs a model on, as runtime.mjs: fastner's own kernels.

import { openEngine } from "./engine.mjs";

export const name = "own kernels";
export const options = {};

export async function start() {
  const response = await fetch(new URL("./engine.wasm", import.meta.url));
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  return openEngine(response.arrayBuffer());
}
