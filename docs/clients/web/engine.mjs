// Runs what `fastner export` writes on fastner's own kernels, in WebAssembly (engine.cc).
//
// `openEngine` gives what stands in for onnxruntime in `load` and `loadUrl`. It runs this one graph
// only, whose weights it takes out of model.onnx, and no export with 8-bit recurrences or lists of
// phrases: those are onnxruntime's.

// By how much a number of emissions may be apart from the graph's: recurrences are in 16 bits.
const TOLERANCE = 4e-3;
const CASES = 8;
// What its makers give the parts of a row, as `Column` in engine.cc.
const [VECTORS, FORWARD, BACKWARD, CASE_TABLE, CATEGORY_TABLE] = [0, 1, 2, 3, 4];
const TYPES = {
  1: Float32Array,
  2: Uint8Array,
  3: Int8Array,
  4: Uint16Array,
  7: BigInt64Array,
  10: Uint16Array, // float16, as bits
};

// code: engine.wasm as bytes, or a promise of them.
export async function openEngine(code) {
  const module = await WebAssembly.compile(await code);
  return {
    Tensor,
    InferenceSession: { create: async (model) => new Session(await start(module), weights(model)) },
  };
}

class Tensor {
  constructor(type, data, dims) {
    Object.assign(this, { type, data, dims });
  }
}

async function start(module) {
  const { exports } = await WebAssembly.instantiate(module, {
    env: { emscripten_notify_memory_growth() {} },
    wasi_snapshot_preview1: {
      proc_exit() {
        throw new Error("the engine ended, as it does where memory is short");
      },
    },
  });
  exports._initialize();
  return exports;
}

class Session {
  tolerance = TOLERANCE;
  #wasm;
  #engine; // an address, as all that is called so
  #tags;

  constructor(wasm, w) {
    this.#wasm = wasm;
    this.#tags = w.tags;
    const { table, codes, centroids, gru, lstm } = w;
    const put = (data) => this.#put(data);
    // Row 0 belongs to no word: the rows behind it.
    const rows = (one) => (one ? put(one.data.subarray(one.dims[1] ?? 1)) : 0);
    // `Weights` of engine.cc, line by line.
    const numbers = [
      [Math.floor(Math.random() * 2 ** 32)],
      [...w.embedding.dims, gru.hidden],
      [lstm.features, lstm.hidden, w.tags],
      [w.words, table.dims[0] - 1, codes ? codes.dims[0] - 1 : 0],
      [table.dims[1], table.data.BYTES_PER_ELEMENT, codes?.dims[1] ?? 0, centroids?.dims[1] ?? 0],
      [w.cases.dims[1], w.categories.length],
    ];
    const addresses = [
      [rows(table), rows(w.scales), rows(codes)],
      [centroids ? put(centroids.data) : 0, put(w.unknown.data), rows(w.known)],
      [put(w.embedding.data), ...gru.arrays.map(put), ...lstm.arrays.map(put)],
      [put(w.top), put(w.bias.data)],
      [w.start, w.transitions, w.end, w.cases].map((one) => put(one.data)),
      [put(Int32Array.of(...w.columns, -1))],
      [put(Uint32Array.from(w.categories, (one) => put(one.data)))],
      [put(Int32Array.from(w.categories, (one) => one.dims[1]))],
    ];
    this.#engine = wasm.make_engine(put(Uint32Array.from([numbers, addresses].flat(2))));
  }

  // Outputs of the graph for its inputs, see docs/onnx.md: tensors by name, those that are wanted.
  async run(inputs, wanted) {
    const [sentences, longest, width] = inputs.characters.dims;
    const outputs = {
      tag_ids: { Numbers: Int32Array, dims: [sentences, longest] },
      scores: { Numbers: Float64Array, dims: [sentences] },
      emissions: { Numbers: Float32Array, dims: [sentences, longest, this.#tags] },
    };
    const taken = [];
    try {
      for (const name of ["word_ids", "case_ids", "characters", "character_lengths", "lengths"]) {
        taken.push(this.#put(inputs[name].data));
      }
      for (const output of Object.values(outputs)) {
        output.size = output.dims.reduce((product, size) => product * size);
        taken.push((output.at = this.#take(output.size * output.Numbers.BYTES_PER_ELEMENT)));
      }
      taken.push(this.#put(Int32Array.of(sentences, longest, width, ...taken)));
      if (!this.#wasm.run(this.#engine, taken.at(-1))) {
        throw new RangeError("expected ids in the ranges of docs/onnx.md, got others");
      }
      const got = wanted.map((name) => {
        const { Numbers, at, size, dims } = outputs[name];
        const data = new Numbers(this.#wasm.memory.buffer, at, size).slice();
        return [name, { data, dims }];
      });
      return Object.fromEntries(got);
    } finally {
      for (const at of taken) this.#wasm.free(at);
    }
  }

  #take(bytes) {
    const at = this.#wasm.malloc(Math.max(bytes, 1)) >>> 0; // nothing may lie nowhere
    if (at === 0) throw new RangeError(`the engine is out of memory: no room for ${bytes} bytes`);
    return at;
  }

  #put(data) {
    const at = this.#take(data.byteLength);
    new data.constructor(this.#wasm.memory.buffer, at, data.length).set(data);
    return at;
  }
}

// ---- the weights in model.onnx ------------------------------------------------------------------

// The arrays of the graph that fastner.deploy.graph writes: {data, dims} each. Throws for any other.
export function weights(model) {
  const { constants, makers, nodes } = readGraph(model);
  const maker = (name, operator) => {
    const node = makers.get(name);
    require(node?.operator === operator, `a ${operator} that makes ${name}`);
    return node.inputs;
  };
  const constant = (name, ...dims) => {
    const found = constants.get(name);
    const whole = (of) => of.data?.length === of.dims.reduce((count, size) => count * size, 1);
    const fits = found && whole(found) && found.dims.length === dims.length;
    const wanted = dims.map((size) => size ?? "any").join(", ");
    require(
      fits && dims.every((size, i) => size === undefined || size === found.dims[i]),
      `constant ${name} [${wanted}]`,
    );
    return found;
  };
  const optional = (name, ...dims) => constants.get(name) && constant(name, ...dims);
  const only = (operator) => {
    const found = nodes.filter((node) => node.operator === operator);
    require(found.length === 1, `one ${operator}`);
    return found[0].inputs;
  };
  // Arrays of a bidirectional layer.
  const layer = (operator, gates) => {
    const [source, w, r, b] = only(operator);
    const hidden = constant(r, 2, undefined, undefined).dims[2];
    const { data, dims } = constant(w, 2, gates * hidden, undefined);
    const arrays = [
      data,
      constant(r, 2, gates * hidden, hidden).data,
      constant(b, 2, 2 * gates * hidden).data,
    ];
    return { source, hidden, features: dims[2], arrays };
  };
  // Whether this is the first of both directions.
  const isForward = (name) => {
    const [, start] = maker(maker(name, "Squeeze")[0], "Slice");
    return Number(constant(start, 1).data[0]) === 0;
  };

  const gru = layer("GRU", 3);
  const lstm = layer("LSTM", 4);
  require(lstm.source === "time_first", "an LSTM that reads features alone");
  const embedding = constant(maker(gru.source, "Gather")[0], undefined, gru.features);

  const columns = [];
  const categories = [];
  let cases;
  for (const part of maker("features", "Concat")) {
    if (part === "vectors") columns.push(VECTORS);
    else if (makers.get(part)?.operator === "Squeeze") {
      columns.push(isForward(part) ? FORWARD : BACKWARD);
    } else {
      const [table, ids] = maker(part, "Gather");
      if (ids === "cases") {
        columns.push(CASE_TABLE);
        cases = constant(table, CASES, undefined);
      } else {
        const [, begin] = maker(maker(ids, "Squeeze")[0], "Slice"); // of a column of categories
        const lexicon = Number(constant(begin, 2).data[1]);
        columns.push(CATEGORY_TABLE + lexicon);
        categories[lexicon] = constant(table, undefined, undefined);
      }
    }
  }
  const kinds = CATEGORY_TABLE + categories.length;
  require(columns.length === kinds && new Set(columns).size === kinds, "a row of the usual parts");

  // The linear layer: emissions are a sum of two products and a bias.
  const tags = constant("start", undefined).dims[0];
  const top = new Float32Array(2 * lstm.hidden * tags);
  let bias;
  for (const names = ["lattice"]; names.length; ) {
    const name = names.pop();
    if (constants.has(name)) bias = constant(name, tags);
    else if (makers.get(name)?.operator === "Add") names.push(...maker(name, "Add"));
    else {
      const [states, kernel] = maker(name, "MatMul");
      const at = isForward(states) ? 0 : lstm.hidden * tags;
      top.set(constant(kernel, lstm.hidden, tags).data, at);
    }
  }
  require(bias, "a linear layer with a bias");

  const table = constant("vector_table", undefined, undefined);
  const width = table.dims[1];
  const codes = optional("code_table", undefined, undefined);
  const centroids = codes && constant("centroid_table", 256 * codes.dims[1], undefined);
  const parts = codes && Math.ceil(width / centroids.dims[1]);
  require(codes?.dims[1] === parts, "codes for whole vectors");
  const known = categories.length
    ? constant("category_table", undefined, categories.length)
    : undefined;
  const tables = [cases, ...categories].reduce((sum, one) => sum + one.dims[1], 0);
  require(lstm.features === width + 2 * gru.hidden + tables, "an LSTM that reads a row");
  return {
    gru,
    lstm,
    embedding,
    columns,
    cases,
    categories,
    known, // categories of words
    words: known ? known.dims[0] - 1 : 2 ** 31 - 1, // else what comes behind the vectors is nothing
    table,
    scales: optional("vector_scales", table.dims[0]),
    codes,
    centroids,
    unknown: constant("unknown_vector", width),
    tags,
    top,
    bias,
    start: constant("start", tags),
    transitions: constant("transitions", tags, tags),
    end: constant("end", tags),
  };
}

function require(condition, what) {
  if (!condition) {
    throw new Error(`model.onnx: expected ${what}, got another graph; run it by onnxruntime`);
  }
}

// Constants by name, nodes, and the node that makes each name; of an ONNX file, which is Protobuf.
function readGraph(model) {
  const text = (bytes) => new TextDecoder().decode(bytes);
  const [graph] = fields(model)[7] ?? [];
  require(graph, "a graph");
  const [, nodeFields = [], , , , tensorFields = []] = fields(graph);
  const constants = new Map();
  for (const tensor of tensorFields) {
    const [, dims = [], type, , , , , , name, raw] = fields(tensor);
    const Numbers = TYPES[type?.[0]];
    constants.set(text(name?.[0]), {
      dims: dims.flatMap((one) => (typeof one === "number" ? one : packed(one))),
      data: raw && Numbers && new Numbers(new Uint8Array(raw[0]).buffer), // aligned
    });
  }
  const nodes = nodeFields.map((node) => {
    const [, inputs = [], outputs = [], , operator] = fields(node);
    return { operator: text(operator?.[0]), inputs: inputs.map(text), outputs: outputs.map(text) };
  });
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  return { constants, makers, nodes };
}

// The fields of a message: of each number, its values in order, whole numbers or bytes.
function fields(bytes) {
  const found = [];
  const reader = new Reader(bytes);
  while (reader.more) {
    const key = reader.number();
    const kind = key % 8;
    const size = () => (kind === 2 ? reader.number() : kind === 1 ? 8 : 4);
    const value = kind === 0 ? reader.number() : reader.bytes(size());
    (found[Math.floor(key / 8)] ??= []).push(value);
  }
  return found;
}

// Whole numbers that stand one behind the other.
function packed(bytes) {
  const found = [];
  for (const reader = new Reader(bytes); reader.more; ) found.push(reader.number());
  return found;
}

class Reader {
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  get more() {
    return this.#at < this.#bytes.length;
  }

  // A whole number in groups of 7 bits, the lowest first.
  number() {
    for (let value = 0, scale = 1; ; scale *= 128) {
      require(this.more, "a whole file");
      const byte = this.#bytes[this.#at++];
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }

  bytes(count) {
    this.#at += count;
    require(this.#at <= this.#bytes.length, "a whole file");
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}
