// Tags text with a model that `fastner export` wrote: cut, encode, run, decode; Node and browsers.
//
// It imports nothing but what lies beside it: the caller hands over its onnxruntime
// (onnxruntime-node, onnxruntime-web), or what stands in for it (../web/engine.mjs).
// The rules are those of docs/onnx.md. A sentence is an array of non-empty strings.

import { textEntities } from "./edges.mjs";
import { Reading } from "./reading.mjs";
import { Tokenizer } from "./text.mjs";

export { entities } from "./edges.mjs";

// onnxruntime-node reports to its maker, and writes below the user's home, unless it is told not to
// before it is imported: import this file first.
const environment = globalThis.process?.env;
if (environment) environment.ORT_DISABLE_TELEMETRY ??= "1";

const FORMAT = "fastner-onnx";
// Models of 1 take words as they stand, and none but words; those of 3 have lists of phrases.
const VERSIONS = [1, 2, 3];
const BATCH = 32; // sentences of one call
// Pools of threads spin, and follow the host rather than the container: run calls side by side.
const ONE_THREAD = { intraOpNumThreads: 1, interOpNumThreads: 1 };
const DIGIT = /\p{Nd}/u;
const DIGITS = /\p{Nd}/gu;
const LOWER = /\p{Lowercase}/u;
const UPPER = /\p{Uppercase}/u;
const TITLE = /\p{Lt}/u;

export class Tagger {
  #ort;
  #session;
  #wordIds; // Map of form -> id
  #characterIds; // Map of code point -> id
  #reading; // undefined where words are taken as they stand
  #gazetteers; // of each list, its phrases as a Set, and the most words of one

  // config, rules: the objects in config.json and tokenizer.json, undefined for those who have words.
  // vocabulary, phrases: vocab.txt and, of a model with lists, gazetteers.txt as bytes. session: of
  // model.onnx.
  constructor(ort, session, config, vocabulary, rules, phrases) {
    checkFormat(config);
    this.#gazetteers = gazetteers(config, phrases);
    this.config = config;
    if (rules) this.tokenizer = new Tokenizer(rules, config.language);
    this.#ort = ort;
    this.#session = session;
    this.#wordIds = new Map();
    let id = 0;
    for (const word of lines(vocabulary)) this.#wordIds.set(word, ++id);
    this.#characterIds = new Map(config.characters.map((point, i) => [point, i + 2]));
    if (config.reading) {
      this.#reading = new Reading(
        config.reading,
        (reading) => this.wordIds(reading),
        (point) => this.#characterIds.has(point),
      );
    }
  }

  // By how much emissions may be apart from those of golden.jsonl: what runs them may round coarser.
  get tolerance() {
    return Math.max(this.config.tolerance, this.#session.tolerance ?? 0);
  }

  // The entities of a text: {text, label, start, end}, offsets in code points. Options are those of
  // tokenizer.tokenize.
  async tagText(text, options = {}) {
    if (!this.tokenizer) {
      throw new Error("expected an export with tokenizer.json, got none; export the model again");
    }
    const sentences = this.tokenizer
      .tokenize(text, options)
      .map((tokens) => tokens.filter((token) => !token.markup));
    const tags = await this.tagBatch(sentences.map((words) => words.map((word) => word.text)));
    const tagged = sentences.map((words, i) => ({ words, tags: tags[i] }));
    return textEntities(text, tagged, this.tokenizer.edges(options.language));
  }

  // The IOB2 tags of one sentence: ["B-PER", "I-PER", "O"].
  async tag(words) {
    return (await this.tagBatch([words]))[0];
  }

  // The IOB2 tags of every sentence, in order.
  async tagBatch(sentences, { batch = BATCH } = {}) {
    const results = sentences.map(() => []);
    const order = [...sentences.keys()].filter((i) => sentences[i].length > 0);
    order.sort((i, j) => sentences[i].length - sentences[j].length); // little padding
    for (let at = 0; at < order.length; at += batch) {
      const part = order.slice(at, at + batch);
      const { tagIds } = await this.run(part.map((i) => sentences[i]));
      part.forEach((i, row) => (results[i] = this.tagNames(tagIds[row])));
    }
    return results;
  }

  // Tag ids and path score of every sentence, and emissions [tokens * tags] with `emissions: true`.
  // At least one sentence, none of them empty.
  async run(sentences, { emissions = false } = {}) {
    const inputs = this.encode(sentences);
    const wanted = ["tag_ids", "scores", ...(emissions ? ["emissions"] : [])];
    const outputs = await this.#session.run(inputs, wanted);
    const [, longest] = outputs.tag_ids.dims;
    const tags = this.config.tags.length;
    return {
      tagIds: sentences.map((words, b) =>
        Array.from(outputs.tag_ids.data.subarray(b * longest, b * longest + words.length)),
      ),
      scores: Array.from(outputs.scores.data),
      emissions: emissions
        ? sentences.map((words, b) => {
            const begin = b * longest * tags;
            return outputs.emissions.data.slice(begin, begin + words.length * tags);
          })
        : undefined,
    };
  }

  // The graph's inputs, padded with 0 (character_lengths with 1).
  encode(given) {
    const sentences = given.map((words) => words.map((word) => this.read(word)));
    const spellings = sentences.map((words) => words.map((word) => this.characters(word)));
    const B = sentences.length;
    const T = Math.max(...sentences.map((words) => words.length));
    const C = spellings.flat().reduce((most, ids) => Math.max(most, ids.length), 1);
    const wordIds = new Int32Array(B * T * 3);
    const caseIds = new Int32Array(B * T);
    const characters = new Int32Array(B * T * C);
    const characterLengths = new Int32Array(B * T).fill(1);
    const lengths = new Int32Array(B);
    sentences.forEach((words, b) => {
      lengths[b] = words.length;
      words.forEach((word, t) => {
        const cell = b * T + t;
        wordIds.set(this.wordIds(word), cell * 3);
        caseIds[cell] = caseId(word);
        characters.set(spellings[b][t], cell * C);
        characterLengths[cell] = spellings[b][t].length;
      });
    });
    const tensor = (data, dims) => new this.#ort.Tensor("int32", data, dims);
    const inputs = {
      word_ids: tensor(wordIds, [B, T, 3]),
      case_ids: tensor(caseIds, [B, T]),
      characters: tensor(characters, [B, T, C]),
      character_lengths: tensor(characterLengths, [B, T]),
      lengths: tensor(lengths, [B]),
    };
    const L = this.#gazetteers.length;
    if (L) {
      const places = new Int32Array(B * T * L);
      given.forEach((words, b) => places.set(this.places(words).flat(), b * T * L));
      inputs.places = tensor(places, [B, T, L]);
    }
    return inputs;
  }

  // The place of each word, as it stands, in a phrase of each list: 1 alone, 2 first, 3 inside,
  // 4 last, else 0. Of each list, from left to right the longest phrase, then on behind it.
  places(words) {
    const rows = words.map(() => this.#gazetteers.map(() => 0));
    words = words.map((word) => (word.includes("\t") ? "" : word)); // no word of a phrase is either
    this.#gazetteers.forEach(({ phrases, longest }, list) => {
      for (let start = 0; start < words.length; ) {
        let end = Math.min(words.length, start + longest);
        while (end > start && !phrases.has(words.slice(start, end).join("\t"))) end--;
        for (let i = start; i < end; i++) {
          rows[i][list] = end - start === 1 ? 1 : i === start ? 2 : i === end - 1 ? 4 : 3;
        }
        start = Math.max(end, start + 1);
      }
    });
    return rows;
  }

  // What a word reads as, of which its ids are.
  read(word) {
    return this.#reading ? this.#reading.read(word) : word;
  }

  // The lines in vocab.txt of a reading's three forms; 0 for a form it lacks.
  wordIds(word) {
    return forms(word).map((form) => this.#wordIds.get(form) ?? 0);
  }

  // Ids of a reading's characters; of a long one its first and last halves.
  characters(word) {
    let points = Array.from(word, (character) => character.codePointAt(0));
    const most = this.config.max_characters;
    if (points.length > most) {
      const tail = Math.floor(most / 2);
      points = [...points.slice(0, most - tail), ...points.slice(points.length - tail)];
    }
    return points.map((point) => this.#characterIds.get(point) ?? 1);
  }

  // IOB2 tags of tag ids: S- becomes B-, E- becomes I-.
  tagNames(tagIds) {
    const iob2 = { S: "B", E: "I" };
    return tagIds.map((id) => {
      const tag = this.config.tags[id];
      return (iob2[tag[0]] ?? tag[0]) + tag.slice(1);
    });
  }
}

// Opens an exported directory in Node; options are onnxruntime's for a session. The bytes that run
// are those whose SHA-256 stands in config.json.
export async function load(ort, directory, options = ONE_THREAD) {
  const { readFile } = await import("node:fs/promises");
  const { join } = await import("node:path");
  const { webcrypto } = await import("node:crypto");
  return open(ort, (name) => readFile(join(directory, name)), options, webcrypto.subtle);
}

// Opens an exported directory that a web server has at `url`. Digests are checked where the browser
// can: in a secure context, which is HTTPS or localhost.
export async function loadUrl(ort, url, options = {}) {
  const read = async (name) => {
    const response = await fetch(new URL(name, url));
    if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  return open(ort, read, options, globalThis.crypto?.subtle);
}

// A Tagger of the files that `read` gives by name as bytes; subtle: SubtleCrypto, if there is any.
async function open(ort, read, options, subtle) {
  const config = parse(await read("config.json"));
  checkFormat(config);
  const names = ["vocab.txt", "model.onnx"];
  if (config.format.version > 1) names.push("tokenizer.json");
  if (config.format.version > 2) names.push("gazetteers.txt");
  const files = await Promise.all(names.map(read));
  if (subtle) {
    for (const [i, name] of names.entries()) await checkDigest(subtle, config, name, files[i]);
  }
  const [vocabulary, model, rules, phrases] = files;
  const session = await ort.InferenceSession.create(model, options);
  return new Tagger(ort, session, config, vocabulary, rules && parse(rules), phrases);
}

// The lines of a file, each of which a line feed ends.
function* lines(bytes) {
  // ignoreBOM: a byte-order mark may be part of the first word
  const text = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(bytes);
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    yield text.slice(at, end);
    at = end + 1;
  }
}

// The lists of gazetteers.txt, as config.json divides it.
function gazetteers(config, bytes) {
  const sizes = config.gazetteers ?? [];
  if (sizes.length > 0 !== Boolean(bytes)) {
    const [expected, got] = bytes ? ["no", "some"] : ["its", "none"];
    throw new Error(`expected ${expected} phrases beside config.json (gazetteers.txt), got ${got}`);
  }
  const rest = bytes ? lines(bytes) : undefined;
  return sizes.map(({ phrases: count }) => {
    const phrases = new Set();
    let longest = 0;
    for (let i = 0; i < count; i++) {
      const phrase = rest.next().value;
      phrases.add(phrase);
      longest = Math.max(longest, phrase.split("\t").length);
    }
    return { phrases, longest };
  });
}

function parse(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes));
}

async function checkDigest(subtle, config, name, bytes) {
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  const actual = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const expected = config.sha256?.[name];
  if (actual !== expected) {
    throw new Error(
      `${name}: expected SHA-256 ${expected} as in config.json, got ${actual}: damaged; ` +
        "export the model again",
    );
  }
}

function checkFormat(config) {
  if (config?.format?.name !== FORMAT || !VERSIONS.includes(config.format.version)) {
    throw new Error(
      `expected config.json of format ${FORMAT} ${VERSIONS.join(", ")}, got ` +
        `${JSON.stringify(config?.format)}; export the model again`,
    );
  }
}

// The forms that a reading is looked up by: itself, lower case, lower case with digits as 0.
export function forms(word) {
  const lower = word.toLowerCase();
  return [word, lower, lower.replace(DIGITS, "0")];
}

// The case class of a reading, an index into config.cases.
export function caseId(word) {
  const [first, ...rest] = word; // by code point
  const tail = rest.join("");
  const digits = [first, ...rest].filter((character) => DIGIT.test(character)).length;
  const isLower = (text) => LOWER.test(text) && !UPPER.test(text) && !TITLE.test(text);
  if (digits === rest.length + 1) return 1;
  if (2 * digits > rest.length + 1) return 2;
  if (isLower(word)) return 3;
  if (UPPER.test(word) && !LOWER.test(word) && !TITLE.test(word)) return 4;
  if (UPPER.test(first)) return isLower(tail) ? 5 : 6;
  return digits > 0 ? 7 : 0;
}
