// From text to words: cuts a text into sentences of tokens by the rules that an export ships, as
// fastner.tokenize does; Node and browsers. It imports nothing.
//
// The rules are stated in docs/onnx.md, "From text to words". Offsets count code points.

const LINES = ["auto", "sentences", "wrapped"];

// What a code point is: the classes of tokenizer.json, and three of Unicode.
const K = bits(
  `word space ends_word alone invisible pictograph modifier han hiragana katakana cluster
  cluster_mark stacker link_stop link_trim last full_stop closer opener continuer bullet mark format
  folded line_end page_end markup note upper lower alpha`,
);
const UNICODE = { upper: /\p{Uppercase}/u, lower: /\p{Lowercase}/u, alpha: /\p{L}/u };
const CASED = 0x20000; // no letter beyond has a case

// What a word is, in one language: the lists of tokenizer.json.
const W = bits(
  `title numbered abbreviation company street starter given_name verb role suffix marked_name
  function joiner mail_header greeting sign_off elision apostrophe block_tag final`,
);
const ACRONYM = 1 << 30; // an abbreviation that is in no list: U.S., or an initial
const ABBREVIATIONS =
  W.title | W.numbered | W.abbreviation | W.company | W.street | W.final;
const LONGEST_WORD = 24;

// What stands before a piece, and what it is. Above: the depth of > at the start of its line.
const GAP = 1; // white space
const LINE_BEFORE = 2; // a line end in it
const BLANK_BEFORE = 4; // two: a blank line
const CUT = 8; // the sentence before ends there, whatever it holds
const CELL = 16; // a cell of a table begins
const MAY_END = 32; // its last character may end a sentence
const OPENS = 64; // a sentence begins with it
const GONE = 128; // now part of a piece before
const OWN_LINE = 256; // the first piece of a heading or of a row of a table
const BLANK_BESIDE = 512; // a blank line right before it, with no markup between
const WIDE_GAP = 1024; // three blanks or more
const quoted = (depth) => depth << 16;
const depthOf = (state) => state >>> 16;

// What a line looks like, by itself.
const L = bits(`own ended code lower upper starter open comma prose title hyphen greeting`);

function bits(names) {
  return Object.fromEntries(names.split(/\s+/).map((name, i) => [name, 1 << i]));
}

export class Tokenizer {
  #data;
  #flags; // of each code point
  #pattern;
  #entities;
  #languages = new Map(); // those asked for so far

  // data: the object in tokenizer.json. language: of texts for which none is given.
  constructor(data, language = "en") {
    this.language = language;
    this.#data = data;
    this.#flags = flagsOf(data.classes);
    this.#pattern = new RegExp(data.pattern, "suy");
    this.#entities = new Map(Object.entries(data.entities));
    this.#rules(language);
  }

  // Sentences of {text, start, end, markup}. lines: "auto", "sentences" or "wrapped".
  tokenize(text, { language = this.language, lines = "auto", html = false } = {}) {
    if (typeof text !== "string") throw new TypeError(`expected a string, got ${typeof text}`);
    if (!LINES.includes(lines)) throw new RangeError(`expected lines out of ${LINES}, got ${lines}`);
    const rules = this.#rules(language);
    const units = unitOffsets(text);
    const raw = Array.from(text, (character) => character.codePointAt(0));
    const read = new Reading(rules, raw, html).run(lines !== "sentences");
    const split = new Splitter(rules, read, lines).run();
    return putTogether(split).map((tokens) =>
      tokens.map(({ begin, end, markup }) => {
        const [start, behind] = [read.begins[begin], read.ends[end - 1]];
        return { text: text.slice(units[start], units[behind]), start, end: behind, markup };
      }),
    );
  }

  // What else tokenizer.json says of a language.
  edges(language = this.language) {
    return this.#rules(language).edges;
  }

  #rules(language) {
    if (!this.#languages.has(language)) {
      const own = this.#data.languages[language];
      if (!own) {
        const known = Object.keys(this.#data.languages);
        throw new RangeError(`expected a language out of ${known}, got ${language}`);
      }
      const words = new Map();
      for (const [kind, list] of Object.entries(own.words)) {
        for (const word of list) words.set(word, (words.get(word) ?? 0) | named(W, kind));
      }
      this.#languages.set(language, {
        ...own,
        words,
        spacedClosers: new Set(own.spaced_closers),
        elisions: "elision" in own.words || "apostrophe" in own.words,
        flags: this.#flags,
        pattern: this.#pattern,
        entities: this.#entities,
      });
    }
    return this.#languages.get(language);
  }
}

function named(bits, name) {
  if (!(name in bits)) throw new Error(`tokenizer.json: expected names it knows, got ${name}`);
  return bits[name];
}

function flagsOf(classes) {
  const flags = new Uint32Array(0x110000);
  for (const [name, ranges] of Object.entries(classes)) {
    const bit = named(K, name);
    for (const [first, last] of ranges) {
      for (let point = first; point <= last; ++point) flags[point] |= bit;
    }
  }
  for (let point = 0; point < CASED; ++point) {
    const character = String.fromCodePoint(point);
    for (const [name, pattern] of Object.entries(UNICODE)) {
      if (pattern.test(character)) flags[point] |= K[name];
    }
  }
  return flags;
}

// The index of the UTF-16 unit at which each code point of the text begins, and the text's length:
// text.slice(units[start], units[end]) is what lies between two offsets.
export function unitOffsets(text) {
  const units = new Uint32Array(text.length + 1);
  let points = 0;
  for (let unit = 0; unit < text.length; ++points) {
    units[points] = unit;
    unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
  }
  units[points] = text.length;
  return units.subarray(0, points + 1);
}

const code = (character) => character.codePointAt(0);
const lowered = (c) => (c >= 65 && c <= 90 ? c | 32 : c);
const isLetter = (c) => lowered(c) >= 97 && lowered(c) <= 122;
const isDigit = (c) => c >= 48 && c <= 57;
const isLower = (c) => c >= 97 && c <= 122;
const isUpper = (c) => c >= 65 && c <= 90;
const isApostrophe = (c) => c === 39 || c === 0x2019;
const NEW_LINE = code("\n");
const RETURN = code("\r");
const BLANK = code(" ");
const STOP = code(".");
const SOFT_HYPHEN = 0xad;

// The text as the rules read it: without format characters, in ASCII instead of full-width forms,
// entities and tags of HTML as one character each. `begins` and `ends` say where in the raw text each
// character of it lies.
class Reading {
  constructor(rules, raw, html) {
    this.rules = rules;
    this.raw = raw;
    this.html = html;
    this.points = [];
    this.begins = [];
    this.ends = [];
    this.planned = []; // markup to come, the next one last: {begin, end, cut}
    this.soft = new Set(); // characters with a soft hyphen behind them
    this.lone = -1; // where format characters began that have no neighbour yet
    this.lastFlags = 0;
    this.flows = false;
    this.inPre = false;
    this.never = new Set(); // what does not come any more
  }

  // flows: whether in HTML with a tag a line end is a blank, unless a blank line is beside it or <pre>
  // around it.
  run(flows) {
    const { raw } = this;
    this.flows = flows && this.html && raw.some((c, i) => c === code("<") && this.tag(i));
    for (let i = 0; i < raw.length; ) {
      let end = 0;
      if (this.html && raw[i] === code("<")) {
        const tag = this.tag(i);
        if (tag) {
          end = tag.end;
          if (this.isPre(i)) this.inPre = raw[i + 1] !== code("/");
          this.endLone(i);
          this.putMarkup(i, end, tag.block);
        }
      } else if (this.html && raw[i] === code("&")) {
        const entity = this.entity(i);
        if (entity) {
          end = entity.end;
          this.put(entity.point, i, end);
        }
      }
      if (!end) {
        end = i + 1;
        this.put(raw[i], i, end);
      }
      i = end;
    }
    this.endLone(raw.length);
    this.planned.reverse();
    return this;
  }

  put(c, begin, end) {
    const { flags } = this.rules;
    if (flags[c] & K.format && !this.joinsPictograph(c)) {
      if (c === SOFT_HYPHEN && this.points.length) this.soft.add(this.points.length - 1);
      if (this.lone < 0) {
        if (this.points.length && !(this.lastFlags & K.space)) this.ends[this.ends.length - 1] = end;
        else this.lone = begin;
      }
      return;
    }
    if (flags[c] & K.space) {
      this.endLone(begin);
      if (this.flows && !this.inPre) {
        const isRaw = end === begin + 1; // no entity
        if (flags[c] & K.line_end && isRaw && this.isLoneLineEnd(begin)) c = BLANK;
        // blanks are one, or they would look like columns
        if (c === BLANK && this.points.at(-1) === BLANK) return;
      }
    }
    if (flags[c] & K.folded) c -= 0xfee0;
    this.points.push(c);
    this.begins.push(this.lone < 0 ? begin : this.lone);
    this.ends.push(end);
    this.lastFlags = flags[c];
    this.lone = -1;
  }

  joinsPictograph(c) {
    return (
      (c === 0x200d || c === 0xfe0e || c === 0xfe0f) &&
      this.points.length > 0 &&
      (this.lastFlags & (K.pictograph | K.modifier)) !== 0
    );
  }

  // A run of format characters between white space.
  endLone(end) {
    if (this.lone >= 0) this.putMarkup(this.lone, end, false);
    this.lone = -1;
  }

  putMarkup(begin, end, cut) {
    this.planned.push({ begin: this.points.length, end: this.points.length + 1, cut });
    this.points.push(code("<"));
    this.begins.push(begin);
    this.ends.push(end);
    this.lastFlags = 0;
  }

  spells(i, word) {
    return Array.from(word).every((character, k) => lowered(this.raw[i + k]) === code(character));
  }

  // Where `word` ends that comes next from i on; 0: never.
  behind(word, i) {
    if (this.never.has(word)) return 0;
    for (; i < this.raw.length; ++i) {
      if (this.raw[i] === code(word) && this.spells(i, word)) return i + word.length;
    }
    this.never.add(word);
    return 0;
  }

  flagsAt(i) {
    return i >= 0 && i < this.raw.length ? this.rules.flags[this.raw[i]] : 0;
  }

  isPre(tag) {
    const name = tag + (this.raw[tag + 1] === code("/") ? 2 : 1);
    const next = this.raw[name + 3];
    return this.spells(name, "pre") && !isLetter(next) && !isDigit(next);
  }

  // Whether the white space around the line end i holds no other.
  isLoneLineEnd(i) {
    for (let k = i + 1; this.flagsAt(k) & K.space; ++k) {
      if (this.flagsAt(k) & K.line_end && !this.isSecond(k)) return false;
    }
    for (let k = (this.isSecond(i) ? i - 1 : i) - 1; this.flagsAt(k) & K.space; --k) {
      if (this.flagsAt(k) & K.line_end) return false;
    }
    return true;
  }

  // The \n of \r\n.
  isSecond(i) {
    return this.raw[i] === NEW_LINE && this.raw[i - 1] === RETURN;
  }

  // The tag or comment that begins at i, and whether it ends a sentence.
  tag(i) {
    const { raw, rules } = this;
    if (this.spells(i, "<!--")) {
      const end = this.behind("-->", i + 4);
      if (end) return { end, block: false };
    }
    const name = raw[i + 1] === code("/") ? i + 2 : i + 1;
    const declares = raw[i + 1] === code("!") || raw[i + 1] === code("?");
    if (!isLetter(raw[name]) && !(declares && isLetter(raw[name + 1]))) return null;
    let q = name;
    let word = "";
    for (; word.length < 16 && (isLetter(raw[q]) || isDigit(raw[q])); ++q) {
      word += String.fromCodePoint(lowered(raw[q]));
    }
    const block = ((rules.words.get(word) ?? 0) & W.block_tag) !== 0;
    while (q < raw.length && raw[q] !== code("<") && raw[q] !== code(">")) {
      q = raw[q] === code("=") ? this.valueEnd(q + 1) : q + 1;
    }
    if (raw[q] !== code(">")) return null;
    ++q;
    let end = q;
    if (raw[i + 1] !== code("/") && raw[q - 2] !== code("/")) {
      if (word === "script" || word === "style") end = this.past(`</${word}`, q);
    }
    return { end, block };
  }

  // Behind the quoted value of an attribute at q, which may hold > but no <; q: there is none.
  valueEnd(q) {
    const { raw } = this;
    const quote = raw[q];
    if (quote !== code('"') && quote !== code("'")) return q;
    let end = q + 1;
    while (end < raw.length && raw[end] !== code("<") && raw[end] !== quote) ++end;
    return raw[end] === quote ? end + 1 : q;
  }

  // Behind the closing tag, if there is one.
  past(closing, q) {
    let end = this.behind(closing, q);
    if (!end) return q;
    while (end < this.raw.length && this.raw[end] !== code(">")) ++end;
    return Math.min(end + 1, this.raw.length);
  }

  entity(i) {
    const { raw, rules } = this;
    const text = String.fromCodePoint(...raw.slice(i + 1, i + 12));
    const number = /^#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,8}));/.exec(text);
    if (number) {
      let point = number[1] ? parseInt(number[1], 16) : parseInt(number[2], 10);
      if (point >= 0x80 && point < 0xa0) point = rules.entities.get(`#${point}`) ?? 0;
      if (!point || point >= 0x110000 || (point >= 0xd800 && point < 0xe000)) return null;
      return { point, end: i + 1 + number[0].length };
    }
    const name = /^([0-9A-Za-z]{1,10});/.exec(text);
    const point = name && rules.entities.get(name[1]);
    return point ? { point, end: i + 1 + name[0].length } : null;
  }
}

// One text on its way to sentences. Words are in `pieces`; `markup` holds what is stepped over.
class Splitter {
  constructor(rules, read, lines) {
    this.rules = rules;
    this.points = read.points;
    this.size = read.points.length;
    this.planned = read.planned;
    this.soft = read.soft;
    this.options = lines;
    this.string = read.points.map((point) => String.fromCodePoint(point)).join("");
    this.units = [0];
    for (const point of read.points) this.units.push(this.units.at(-1) + (point > 0xffff ? 2 : 1));
    this.pieces = [];
    this.markup = [];
    this.lineEnds = 0;
    this.emphasis = new Map();
    this.joined = -1; // the last word joined, and to what
    this.head = 0;
    this.limited = { limit: this.size, text: this.string };
  }

  run() {
    this.scan();
    this.openLines();
    if (this.lineEnds) this.partLines();
    this.endSentences();
    return this;
  }

  // --- Pieces ------------------------------------------------------------------------------------

  flagsAt(i) {
    return i >= 0 && i < this.size ? this.rules.flags[this.points[i]] : 0;
  }

  is(i, flags) {
    return (this.flagsAt(i) & flags) !== 0;
  }

  // The text's ends and white space alike.
  spaceAt(i) {
    return i < 0 || i >= this.size || this.is(i, K.space);
  }

  scan() {
    const { points, size, planned } = this;
    let state = LINE_BEFORE; // of the next word; survives markup
    let row = false; // in a line that begins with |
    let rule = false; // … and holds no word: |---|
    let lineBegins = true;
    let depth = 0;
    let beside = 0;
    for (let p = 0; p < size; ) {
      if (this.is(p, K.space)) {
        const begin = p;
        let lines = 0;
        let tab = false;
        do {
          if (this.is(p, K.line_end)) {
            lines += points[p] === RETURN && points[p + 1] === NEW_LINE ? 0 : 1;
          }
          if (this.is(p, K.page_end)) {
            state |= CUT;
            lines += 2;
          }
          tab ||= points[p] === 9;
          ++p;
        } while (this.is(p, K.space));
        if (lines > 1) beside = BLANK_BESIDE;
        if (lines) {
          if (state & LINE_BEFORE) ++lines; // markup alone stood on the line before
          state |= lines > 1 ? LINE_BEFORE | BLANK_BEFORE : LINE_BEFORE;
          row = rule = false;
          lineBegins = true;
          depth = 0;
        } else if (tab && begin && !lineBegins) {
          state |= CUT | CELL;
        }
        state |= p - begin > 2 ? GAP | WIDE_GAP : GAP;
        continue;
      }
      let end = 0;
      let stepsOver = false;
      if (lineBegins) rule = this.isRule(p);
      const plan = planned.at(-1);
      if (plan && plan.begin <= p) {
        planned.pop();
        if (plan.begin < p) continue; // swallowed by another
        end = plan.end;
        stepsOver = true;
        if (plan.cut) state |= CUT;
      } else if (lineBegins && points[p] === code(">")) {
        if (depth < 255) ++depth;
        end = p + 1;
        stepsOver = true;
      } else if (this.is(p, K.markup)) {
        row ||= lineBegins && points[p] === code("|");
        const found = this.markupEnd(p, row, state);
        end = found.end;
        state |= found.state;
        stepsOver = end !== 0;
        if (stepsOver && lineBegins && points[p] === code("#")) state |= OWN_LINE;
      }
      if (!end) end = this.pieceEnd(p, planned.length ? planned.at(-1).begin : size);
      if (stepsOver || rule) {
        let before = (state & (GAP | LINE_BEFORE)) | beside;
        if (!lineBegins) before &= ~LINE_BEFORE;
        this.markup.push({ begin: p, end, state: before });
        state &= ~GAP;
        if (points[p] !== code(">") || !stepsOver) lineBegins = false;
      } else {
        if (this.is(end - 1, K.last)) state |= MAY_END;
        state |= beside;
        if (state & LINE_BEFORE) {
          state |= quoted(depth);
          if (row) state |= OWN_LINE;
          if (this.pieces.length) ++this.lineEnds;
        }
        this.pieces.push({ begin: p, end, state });
        state = 0;
        lineBegins = false;
      }
      beside = 0;
      p = end;
    }
  }

  // The end of the piece that begins at p, in the text up to `limit`.
  pieceEnd(p, limit) {
    if (this.limited.limit !== limit) {
      this.limited = { limit, text: this.string.slice(0, this.units[limit]) };
    }
    if (this.rules.elisions) {
      const end = this.elisionEnd(p, limit);
      if (end) return end;
    }
    const { pattern } = this.rules;
    pattern.lastIndex = this.units[p];
    pattern.exec(this.limited.text);
    let end = p + 1;
    while (this.units[end] < pattern.lastIndex) ++end;
    return end;
  }

  plan(begin, end) {
    let place = this.planned.length;
    while (place && this.planned[place - 1].begin < begin) --place;
    this.planned.splice(place, 0, { begin, end, cut: false });
  }

  // Whether the line that begins at p parts rows of a table: |---|:--:| or ---|--- or +---+
  isRule(p) {
    let dash = false;
    let bar = false;
    for (; p < this.size && !this.is(p, K.line_end | K.page_end); ++p) {
      const character = String.fromCodePoint(this.points[p]);
      bar ||= character === "|" || character === "+";
      dash ||= character === "-" || character === "=";
      if (!"|+-=:".includes(character) && !this.is(p, K.space)) return false;
    }
    return dash && bar;
  }

  // The end of the markup that begins at p, 0: none does; and what it adds to the state.
  markupEnd(p, row, state) {
    const { points } = this;
    switch (String.fromCodePoint(points[p])) {
      case "|":
        if (!row && !(this.spaceAt(p - 1) && this.spaceAt(p + 1))) return { end: 0, state: 0 };
        return { end: p + 1, state: CUT | CELL };
      case "#": {
        if (!(state & LINE_BEFORE)) return { end: 0, state: 0 };
        let q = p;
        while (points[q] === code("#")) ++q;
        const heads =
          q - p <= 6 &&
          q < this.size &&
          this.spaceAt(q) &&
          !this.is(q, K.line_end | K.page_end);
        return { end: heads ? q : 0, state: 0 };
      }
      case "[":
        return { end: this.linkEnd(p, p), state: 0 };
      case "!":
        return { end: points[p + 1] === code("[") ? this.linkEnd(p, p + 1) : 0, state: 0 };
      default:
        return { end: this.emphasisEnd(p), state: 0 };
    }
  }

  // [text](target "title"): plans all but the text.
  linkEnd(p, bracket) {
    const { points, size } = this;
    const [OPEN, CLOSE, ROUND, ROUND_CLOSE, QUOTE] = Array.from('[]()"', code);
    const stops = (i, flags) =>
      i >= size || points[i] === OPEN || points[i] === CLOSE || this.is(i, flags);
    const round = (i) => points[i] === ROUND || points[i] === ROUND_CLOSE;
    let close = bracket + 1;
    while (!stops(close, K.line_end | K.page_end)) ++close;
    if (points[close] !== CLOSE || points[close + 1] !== ROUND) return 0;
    if (close === bracket + 1 && p === bracket) return 0;
    let q = close + 2;
    for (;;) {
      // the target, with brackets that it opens and closes
      while (!stops(q, K.space) && !round(q)) ++q;
      if (points[q] !== ROUND) break;
      let inner = q + 1;
      while (!stops(inner, K.space) && !round(inner)) ++inner;
      if (points[inner] !== ROUND_CLOSE) return 0;
      q = inner + 1;
    }
    const target = q;
    if (target === close + 2) return 0;
    let title = 0;
    if (points[q] === 32 && points[q + 1] === QUOTE) {
      title = ++q;
      for (++q; !stops(q, K.line_end | K.page_end) && points[q] !== QUOTE; ) ++q;
      if (points[q] !== QUOTE) return 0;
      ++q;
    }
    if (points[q] !== ROUND_CLOSE) return 0;
    this.plan(close, close + 1);
    this.plan(close + 1, close + 2);
    this.plan(close + 2, target);
    if (title) this.plan(title, q);
    this.plan(q, q + 1);
    return bracket + 1;
  }

  // Marks of emphasis * _ ~~ ` that open at p, where the same close behind a word; plans those.
  emphasisEnd(p) {
    const { points, size } = this;
    const c = points[p];
    let n = 1;
    while (n < 4 && points[p + n] === c) ++n;
    if (n > 3 || (c === code("~") && n !== 2)) return 0;
    if (p && (points[p - 1] === c || this.is(p - 1, K.word))) return 0;
    if (this.spaceAt(p + n)) return 0;
    const kind = `${c} ${n}`;
    // what is known: sought from anywhere in [from, until], the next that close are at `closes`
    if (!this.emphasis.has(kind)) {
      this.emphasis.set(kind, { from: 1, until: 0, closes: 0, openUntil: 0 });
    }
    const known = this.emphasis.get(kind);
    if (p < known.openUntil) return 0;
    const start = p + n + 1;
    if (start < known.from || start > known.until) {
      known.from = start;
      known.closes = 0;
      let lines = 0;
      let i = start;
      for (; i < size; ++i) {
        if (this.is(i, K.space)) {
          if (this.is(i, K.page_end)) break;
          const first = points[i] === RETURN && points[i + 1] === NEW_LINE;
          if (this.is(i, K.line_end) && !first && ++lines > 1) break;
          continue;
        }
        lines = 0;
        if (points[i] !== c || points[i - 1] === c || this.is(i - 1, K.space)) continue;
        let m = 1;
        while (m <= n && points[i + m] === c) ++m;
        if (m === n && !this.is(i + n, K.word)) {
          known.closes = i;
          break;
        }
      }
      known.until = i;
    }
    if (!known.closes) return 0;
    known.openUntil = known.closes + n;
    this.plan(known.closes, known.closes + n);
    return p + n;
  }

  // --- Words with an apostrophe, of the languages that have lists of them ---------------------------

  elisionEnd(p, limit) {
    const { points } = this;
    const word = (i) => i < limit && this.is(i, K.word);
    const run = (i) => {
      while (word(i)) ++i;
      return i;
    };
    if (isApostrophe(points[p]) && !this.is(p - 1, K.word)) {
      const q = run(p + 1);
      if (this.listed(p + 1, q, W.apostrophe)) return this.joinedEnd(q, limit);
    }
    const q = run(p);
    const elided =
      q > p && q + 1 < limit && isApostrophe(points[q]) && this.is(q + 1, K.word | K.space);
    return elided && this.listed(p, q, W.elision) ? q + 1 : 0;
  }

  // Behind word characters that end at q: what joints add, as in the pattern.
  joinedEnd(q, limit) {
    const { points } = this;
    const word = (i) => i < limit && this.is(i, K.word);
    const digit = (i) => i < limit && isDigit(points[i]);
    const at = (i) => (i < limit ? points[i] : -1);
    const behindJoint = (i) => {
      const [c, before] = [at(i), points[i - 1]];
      switch (c) {
        case code("-"):
        case code("&"):
        case 0x2010:
        case 0x2011:
          return word(i + 1) ? i + 1 : 0;
        case STOP:
          if (at(i + 1) === code("-")) return word(i + 2) ? i + 2 : 0;
          if (!word(i + 1)) return 0;
          if (isDigit(before) && digit(i + 1)) return i + 1;
          if (!isLower(before) && !isDigit(before)) return i + 1;
          if (this.is(i + 1, K.note)) return 0;
          return isUpper(at(i + 1)) && at(i + 2) !== STOP ? 0 : i + 1;
        case code(","):
        case code(":"):
        case code("/"):
        case 0x2013:
          return isDigit(before) && digit(i + 1) ? i + 1 : 0;
        default:
          return isApostrophe(c) && word(i + 1) && !this.isClitic(i, limit) ? i + 1 : 0;
      }
    };
    for (let joints = 0; joints < 64; ++joints) {
      let next = behindJoint(q);
      if (!next) break;
      while (word(next)) ++next;
      q = next;
    }
    const acronym = q >= 2 && points[q - 2] === STOP && isLetter(points[q - 1]);
    return at(q) === STOP && acronym && at(q + 1) !== STOP ? q + 1 : q;
  }

  // Whether 's, 'll … stands at p.
  isClitic(p, limit) {
    const text = String.fromCodePoint(...this.points.slice(p + 1, Math.min(p + 3, limit)));
    const [clitic] = /^(?:[smd]|ll|re|ve)/i.exec(text) ?? [];
    const behind = clitic && p + 1 + clitic.length;
    return behind !== undefined && !(behind < limit && this.is(behind, K.word));
  }

  // Whether the word [p, q), in lower case, is in a list.
  listed(p, q, kind) {
    if (q === p || q - p > 8) return false;
    const word = String.fromCodePoint(...this.points.slice(p, q).map(lowered));
    return ((this.rules.words.get(word) ?? 0) & kind) !== 0;
  }

  // --- Pieces as words -------------------------------------------------------------------------------

  length(i) {
    return this.pieces[i].end - this.pieces[i].begin;
  }

  first(i) {
    return this.points[this.pieces[i].begin];
  }

  firstFlags(i) {
    return this.flagsAt(this.pieces[i].begin);
  }

  last(i) {
    return this.points[this.pieces[i].end - 1];
  }

  lastFlags(i) {
    return this.flagsAt(this.pieces[i].end - 1);
  }

  textOf(i, less = 0) {
    const { begin, end } = this.pieces[i];
    return this.string.slice(this.units[begin], this.units[end - less]);
  }

  // Whether white space stands before piece i, or the text ends there.
  parted(i) {
    return i >= this.pieces.length || (this.pieces[i].state & (GAP | CUT | LINE_BEFORE)) !== 0;
  }

  isOne(i, character) {
    return this.length(i) === 1 && this.first(i) === code(character);
  }

  kind(i, less = 0) {
    if (i >= this.pieces.length || this.length(i) > LONGEST_WORD) return 0;
    return this.rules.words.get(this.textOf(i, less)) ?? 0;
  }

  // To the piece before.
  glue(dot) {
    const before = this.pieces[dot - 1];
    if (before.end !== this.pieces[dot].begin) return; // markup between
    before.end = this.pieces[dot].end;
    this.pieces[dot].state |= GONE;
  }

  closes(i) {
    return this.length(i) === 1
      ? (this.firstFlags(i) & K.closer) !== 0
      : this.length(i) === 2 && this.textOf(i) === "''";
  }

  opens(i) {
    return this.length(i) === 1
      ? (this.firstFlags(i) & K.opener) !== 0
      : this.length(i) === 2 && this.textOf(i) === "``";
  }

  // At least one cased letter, and none in upper case.
  isLowerCase(i) {
    let all = 0;
    for (let p = this.pieces[i].begin; p < this.pieces[i].end; ++p) all |= this.flagsAt(p);
    return (all & K.lower) !== 0 && !(all & K.upper);
  }

  isUpperCase(i) {
    for (let p = this.pieces[i].begin; p < this.pieces[i].end; ++p) {
      if (this.is(p, K.lower)) return false;
    }
    return true;
  }

  isNumber(i, digits) {
    if (i >= this.pieces.length || this.length(i) > digits) return false;
    return /^[0-9]+$/.test(this.textOf(i));
  }

  isVerb(i) {
    if (i >= this.pieces.length || !this.isLowerCase(i)) return false;
    if (this.length(i) > 3 && this.textOf(i).endsWith("ed")) return true;
    return (this.kind(i) & W.verb) !== 0;
  }

  // --- Lines -------------------------------------------------------------------------------------------

  openLines() {
    this.pieces.forEach((piece, i) => {
      if (!(piece.state & LINE_BEFORE)) return;
      if (this.marksItem(i)) piece.state |= CUT;
      if (piece.state & BLANK_BEFORE) piece.state |= CUT;
    });
  }

  // Whether a list marker begins the line, piece i; glues "1" ".".
  marksItem(i) {
    if (this.length(i) === 1 && this.firstFlags(i) & K.bullet) return this.parted(i + 1);
    if (!this.isNumber(i, 3) || this.parted(i + 1) || !this.parted(i + 2)) return false;
    if (this.isOne(i + 1, ")")) return true;
    if (!this.isOne(i + 1, ".")) return false;
    this.glue(i + 1);
    return true;
  }

  // Ends sentences at the line ends that are no white space.
  partLines() {
    const { pieces } = this;
    const lines = [];
    pieces.forEach((piece, i) => {
      if (i && !(piece.state & LINE_BEFORE)) return;
      if (i) lines.at(-1).end = i;
      lines.push({ begin: i, end: pieces.length, word: i, looks: 0 });
    });
    for (let l = 1; l < lines.length; ++l) {
      const gaps = this.wideGaps(lines[l]);
      if (!gaps || gaps !== this.wideGaps(lines[l - 1])) continue;
      if (this.pieces[lines[l].begin].state & BLANK_BEFORE) continue;
      this.openCells(lines[l - 1]);
      this.openCells(lines[l]);
    }
    for (const line of lines) this.lookAt(line);
    const each = this.options === "sentences";
    for (let l = 1; l < lines.length; ++l) {
      const piece = pieces[lines[l].begin];
      const own = (lines[l - 1].looks | lines[l].looks) & L.own;
      const otherDepth = depthOf(piece.state) !== depthOf(pieces[lines[l - 1].begin].state);
      if (each || own || otherDepth) piece.state |= CUT;
    }
    if (each) return;
    for (let begin = 0, end; begin < lines.length; begin = end) {
      end = begin + 1;
      while (end < lines.length && !(pieces[lines[end].begin].state & CUT)) ++end;
      if (end - begin < 2) continue;
      const block = lines.slice(begin, end);
      const widest = block.reduce((most, line) => Math.max(most, this.width(line)), 0);
      const wrapped = this.options === "wrapped" || this.isWrapped(block, widest);
      for (let l = 1; l < block.length; ++l) {
        const alone = this.options === "auto" && this.standsAlone(block, l - 1, widest);
        if (!wrapped || alone) pieces[block[l].begin].state |= CUT;
        else this.joinHyphenated(block[l].begin);
      }
    }
  }

  // Columns are parted by wide gaps, as many in each of two lines.
  wideGaps({ begin, end }) {
    let gaps = 0;
    for (let i = begin + 1; i < end; ++i) if (this.pieces[i].state & WIDE_GAP) ++gaps;
    return gaps;
  }

  openCells({ begin, end }) {
    for (let i = begin + 1; i < end; ++i) {
      if (this.pieces[i].state & WIDE_GAP) this.pieces[i].state |= CUT | CELL;
    }
  }

  // What to know of a line alone.
  lookAt(line) {
    const { pieces } = this;
    const { begin, end } = line;
    let looks = 0;
    if (pieces[begin].state & OWN_LINE) looks |= L.own;
    let lower = 0;
    let upper = 0;
    let marks = 0;
    for (let i = begin; i < end; ++i) {
      const flags = this.firstFlags(i);
      if (flags & K.lower) ++lower;
      else if (flags & K.upper) ++upper;
      else if (!(flags & K.word)) ++marks;
      if (i > begin && pieces[i].state & CELL) looks |= L.own;
    }
    if (marks === end - begin && marks <= 2 && pieces[end - 1].end - pieces[begin].begin >= 3) {
      looks |= L.own; // a ruler: -----
    }
    if (this.kind(begin) & W.mail_header && end - begin > 1) {
      if (this.isOne(begin + 1, ":") && !this.parted(begin + 1)) looks |= L.own;
    }
    let stop = end - 1;
    while (stop > begin && !this.parted(stop) && this.closes(stop)) --stop;
    const c = String.fromCodePoint(this.last(stop));
    if (this.lastFlags(stop) & K.last || c === ":") looks |= L.ended;
    const mark = String.fromCodePoint(this.last(end - 1));
    if (";{}=<>\\".includes(mark) || this.first(begin) === code("}")) looks |= L.code;
    let word = begin;
    while (word + 1 < end && this.opens(word)) ++word;
    line.word = word;
    if (this.firstFlags(word) & K.lower) looks |= L.lower;
    if (this.firstFlags(word) & K.upper) looks |= L.upper;
    if (this.kind(word) & W.starter) looks |= L.starter;
    if (this.lastFlags(end - 1) & K.lower && this.kind(end - 1) & W.function) looks |= L.open;
    if (c === ",") looks |= L.comma;
    if (lower + upper >= 3 && lower * 2 >= lower + upper) looks |= L.prose;
    if (!lower) looks |= L.title;
    if (this.isHyphenated(end)) looks |= L.hyphen;
    if (end - begin <= 6 && c === "," && this.kind(begin) & (W.greeting | W.sign_off)) {
      looks |= L.greeting;
    }
    line.looks = looks;
  }

  width(line) {
    return this.pieces[line.end - 1].end - this.pieces[line.begin].begin;
  }

  // Whether it begins as a sentence does, or has a verb.
  isSentence({ begin, end, looks }) {
    if (looks & L.starter) return true;
    for (let i = begin; i < end; ++i) if (this.isVerb(i)) return true;
    return false;
  }

  // Whether it is a sentence that a name may run on from: She lives in San⏎Francisco
  stopsAtName(line, next) {
    const named = (this.firstFlags(line.end - 1) & K.upper) !== 0;
    return (next.looks & L.upper) !== 0 && named && this.isSentence(line);
  }

  // Whether a given name ends it, the name goes on in the next line, and that in prose: President
  // Joe⏎Biden met the leaders
  partsName(line, next) {
    if (line.end - line.begin < 2 || !(this.kind(line.end - 1) & W.given_name)) return false;
    return (next.looks & L.upper) !== 0 && !(next.looks & L.starter) && this.isSentence(next);
  }

  // Whether the lines are hard-wrapped prose rather than lines of their own.
  isWrapped(block, widest) {
    // whether one sentence runs over all lines
    const ended = block.map((line) => (line.looks & L.ended) !== 0);
    const oneSentence = ended.indexOf(true) === block.length - 1;
    let score = 0;
    for (let l = 0; l + 1 < block.length; ++l) {
      const [line, next] = [block[l], block[l + 1]];
      const fits = this.width(line) + 1 + this.length(next.word) <= widest;
      if (line.looks & L.hyphen) score += next.looks & L.lower ? 6 : 2;
      if (line.looks & L.open) score += 4;
      if (line.looks & L.code) score -= 4;
      if (line.looks & L.greeting) continue;
      if (this.textOf(line.word) === this.textOf(next.word)) score -= 4;
      if (widest >= 50 && !fits) score += 2;
      if (next.looks & L.lower) {
        score += widest >= 40 ? 5 : widest >= 25 && line.looks & L.prose ? 1 : -1;
      } else if (!(line.looks & L.ended)) {
        if (next.looks & L.starter) score -= 4;
        else if (oneSentence && (this.stopsAtName(line, next) || this.partsName(line, next))) {
          score += 3;
        }
        else if (!(line.looks & L.prose) || widest < 25) {
          score -= this.stopsAtName(line, next) ? 1 : 3;
        } else {
          if (oneSentence) score += 2;
          if (!fits) score += 1;
          else if (!this.isSentence(line)) score -= 2;
        }
      } else if (widest > 120) {
        score -= 1;
      }
    }
    return score > 0;
  }

  // Whether line l of wrapped prose is none of its lines: a heading, a greeting, a signature.
  standsAlone(block, l, widest) {
    const [line, next] = [block[l], block[l + 1]];
    if (line.looks & L.greeting) return true;
    if (next.looks & L.greeting) return (line.looks & L.ended) !== 0;
    if (next.looks & L.lower || this.kind(next.word) & W.suffix) return false;
    if (line.looks & (L.open | L.comma | L.hyphen)) return false;
    if (this.width(line) + 1 + this.length(next.word) + 12 > widest) return false;
    if (line.looks & L.ended) return this.last(line.end - 1) === code(":");
    if (this.partsName(line, next)) return false;
    if (line.looks & L.title) return true;
    if (next.looks & L.starter) return true;
    return l === 0 && !this.isSentence(line);
  }

  // Whether a word is hyphenated at the end of the line before piece i.
  isHyphenated(i) {
    const { pieces } = this;
    if (i >= pieces.length || !(this.firstFlags(i) & K.alpha)) return false;
    const joins = (this.kind(i) & W.joiner) !== 0;
    const hyphen = i - 1;
    for (let p = pieces[hyphen].end; p < pieces[i].begin; ++p) {
      if (!this.is(p, K.space)) return false; // markup between
    }
    if (this.softHyphenBehind(hyphen)) return (this.lastFlags(hyphen) & K.alpha) !== 0 && !joins;
    if (!this.isOne(hyphen, "-") && !this.isOne(hyphen, "\u2010")) return false;
    if (!hyphen || this.parted(hyphen)) return false;
    const word = hyphen - 1;
    if (pieces[word].end !== pieces[hyphen].begin) return false;
    if (!(this.lastFlags(word) & K.alpha) || joins) return false;
    if (this.firstFlags(i) & K.lower) return true;
    return this.length(word) > 1 && (this.firstFlags(i) & this.firstFlags(word) & K.upper) !== 0;
  }

  softHyphenBehind(i) {
    return this.soft.has(this.pieces[i].end - 1);
  }

  // Whether piece i is a hyphen right behind a word.
  hangs(i) {
    if (!i || !this.isOne(i, "-") || this.parted(i)) return false;
    return !(this.pieces[i - 1].state & GONE) && (this.lastFlags(i - 1) & K.alpha) !== 0;
  }

  // Over the line end before piece i.
  joinHyphenated(i) {
    const { pieces } = this;
    if (!this.isHyphenated(i)) {
      if (this.hangs(i - 1) && this.kind(i) & W.joiner) this.glue(i - 1); // pre-⏎and post-war
      return;
    }
    let word = i - 1;
    if (!this.softHyphenBehind(word)) {
      pieces[word].state |= GONE;
      --word;
    }
    if (word !== this.joined) this.head = word; // else it was joined itself
    pieces[this.head].end = pieces[i].end;
    pieces[this.head].state |= pieces[i].state & MAY_END;
    this.joined = i;
    pieces[i].state |= GONE;
  }

  // --- Sentences ---------------------------------------------------------------------------------------

  endSentences() {
    this.pieces.forEach((piece, i) => {
      if (piece.state & CUT) piece.state |= OPENS;
      if ((piece.state & (MAY_END | GONE)) === MAY_END) {
        const opened = this.endSentence(i);
        if (opened < this.pieces.length) this.pieces[opened].state |= OPENS;
      }
    });
  }

  // Where the sentence begins that follows one which ends in piece i; NaN: none does.
  endSentence(i) {
    const { pieces } = this;
    const size = pieces.length;
    const after = this.behindClosers(i + 1);
    if (this.length(i) === 1 && this.firstFlags(i) & K.full_stop) return after;
    const paragraphEnds = after === size || (pieces[after].state & (BLANK_BEFORE | CUT)) !== 0;
    let next = after;
    let wordFollows = after < size;
    while (wordFollows && this.opens(next)) wordFollows = !this.parted(++next);
    let kind = 0;
    if (this.isOne(i, ".")) {
      kind = this.dotKind(i, next, wordFollows, paragraphEnds);
      if (kind) this.glue(i);
    } else if (!(this.firstFlags(i) & K.last)) {
      kind = ACRONYM | (this.kind(i, 1) & ABBREVIATIONS); // U.S.
    }
    if (kind & (W.title | W.numbered) || after === size) return NaN;
    if (!this.parted(after)) {
      return !kind && after === i + 1 && this.runsTogether(i) ? after : NaN;
    }
    if (!wordFollows) return kind && !(kind & W.final) ? NaN : after;
    if (kind && !(kind & W.final)) return this.endsAfter(kind, i, next) ? after : NaN;
    if (this.length(i) > 3 && this.first(i) === STOP && isDigit(this.first(next))) {
      return NaN; // Contents ..... 1
    }
    if (this.firstFlags(next) & K.continuer) return NaN;
    if (this.firstFlags(next) & K.alpha && this.isLowerCase(next)) return NaN;
    return this.isInName(i, next) ? NaN : after;
  }

  // Behind the quotes and brackets that close at piece `after`, and references: [4]
  behindClosers(after) {
    const { pieces } = this;
    for (;;) {
      if (this.parted(after)) {
        const spaced =
          after < pieces.length &&
          this.length(after) === 1 &&
          this.rules.spacedClosers.has(this.first(after)) &&
          !(pieces[after].state & (LINE_BEFORE | CUT));
        if (!spaced) return after;
        ++after;
        continue;
      }
      const opens = this.opens(after) && this.parted(after + 1);
      if (
        this.closes(after) ||
        this.isNote(after) ||
        (opens && !this.isOne(after, "(") && !this.isOne(after, "["))
      ) {
        ++after;
        continue;
      }
      const behind = this.referenceEnd(after);
      if (!behind) return after;
      after = behind;
    }
  }

  // Behind one to three words in square brackets, [4] or [citation needed]; 0: none.
  referenceEnd(i) {
    const size = this.pieces.length;
    if (!this.isOne(i, "[") || this.parted(i + 1)) return 0;
    let end = i + 1;
    while (end < size && end < i + 4 && this.firstFlags(end) & K.word) ++end;
    if (end === i + 1) {
      // or one mark: [*]
      if (this.length(end) !== 1) return 0;
      ++end;
    }
    return end < size && !this.parted(end) && this.isOne(end, "]") ? end + 1 : 0;
  }

  // The number of a note, ¹.
  isNote(i) {
    for (let p = this.pieces[i].begin; p < this.pieces[i].end; ++p) {
      if (!this.is(p, K.note)) return false;
    }
    return true;
  }

  // What the full stop i shortens; 0: nothing.
  dotKind(i, next, wordFollows, paragraphEnds) {
    const { pieces } = this;
    if (!i || this.parted(i) || pieces[i - 1].end !== pieces[i].begin) return 0;
    if (pieces[i - 1].state & GONE) return 0; // the rest of a hyphenated word
    if (this.length(i - 1) === 1 && this.firstFlags(i - 1) & K.upper) {
      return paragraphEnds ? 0 : ACRONYM; // an initial
    }
    const number = this.rules.ordinals && this.isNumber(i - 1, 2);
    if (number && wordFollows && !paragraphEnds && this.firstFlags(next) & K.alpha) {
      return this.endsAfter(ACRONYM, i, next) ? 0 : ACRONYM; // Band 3. Es …
    }
    let found = this.kind(i - 1) & ABBREVIATIONS;
    if (found & W.numbered && (paragraphEnds || !wordFollows || !isDigit(this.first(next)))) {
      found &= ~W.numbered;
    }
    return found;
  }

  // Whether a sentence ends with the abbreviation that ends in piece i, before the word `next`.
  endsAfter(kind, i, next) {
    const { pieces } = this;
    const word = this.kind(next);
    if (!this.parted(next + 1) && this.isOne(next + 1, ".")) return false; // the A. of "J. A. Roe"
    if (word & W.starter) return true;
    if (!(this.firstFlags(next) & K.upper) || this.length(next) < 2 || !this.parted(next + 1)) {
      return false;
    }
    const verb = this.isVerb(next + 1);
    if (kind & W.street) {
      // Main St. Mary left, but St. Mary left
      let before = i >= 2 ? i - 2 : i;
      while (before && pieces[before].state & GONE) --before;
      const named = this.firstFlags(before) & K.upper && !(this.kind(before) & W.starter);
      return verb && (word & W.given_name) !== 0 && i >= 2 && named;
    }
    if (word & W.given_name) return (kind & ~ACRONYM) !== 0; // but J. Mary Roe
    return (kind & W.company) !== 0 && verb && !(word & W.role) && !this.isUpperCase(next);
  }

  // Whether the full stop i stands between sentences that no white space parts: He wrote.Then
  runsTogether(i) {
    if (!this.isOne(i, ".") || !i || this.parted(i)) return false;
    const next = i + 1;
    for (let p = this.pieces[i - 1].begin; p < this.pieces[i - 1].end; ++p) {
      if (!this.is(p, K.lower)) return false;
    }
    if (!(this.firstFlags(next) & K.upper) || !this.parted(next + 1)) return false;
    return this.length(next) > 1 || (this.kind(next) & W.starter) !== 0;
  }

  // Whether piece i is the mark of a name: Yahoo! Inc.
  isInName(i, next) {
    if (!i || this.parted(i) || !(this.isOne(i, "!") || this.isOne(i, "?"))) return false;
    if (!(this.firstFlags(i - 1) & K.upper)) return false;
    const word = this.kind(next);
    return (word & W.suffix) !== 0 || (this.kind(i - 1) & W.marked_name && !(word & W.starter));
  }
}

// Sentences of words and markup, in order: {begin, end, markup}.
function putTogether({ pieces, markup }) {
  const sentences = [];
  let tokens = [];
  const endSentence = () => {
    if (tokens.length) sentences.push(tokens);
    tokens = [];
  };
  const put = ({ begin, end }, isMarkup) => tokens.push({ begin, end, markup: isMarkup });
  let m = 0;
  let any = false; // word yet
  for (const word of [...pieces, null]) {
    if (word && word.state & GONE) continue;
    const before = (mark) => mark !== undefined && (!word || mark.begin < word.begin);
    let ends = word !== null && any && (word.state & (OPENS | BLANK_BESIDE)) === OPENS;
    // what stands before a blank line is none of the next sentence
    for (let k = m; ends && before(markup[k]); ++k) ends = !(markup[k].state & BLANK_BESIDE);
    for (; before(markup[m]); ++m) {
      const next = before(markup[m + 1]) ? markup[m + 1].state : (word?.state ?? LINE_BEFORE);
      const { state } = markup[m];
      if (state & BLANK_BESIDE) {
        endSentence();
        ends = false;
      }
      // the sentence begins with what a line begins with, or what leans on its first word
      if (ends && (state & LINE_BEFORE || (state & GAP && !(next & LINE_BEFORE)))) {
        endSentence();
        ends = false;
      }
      put(markup[m], true);
    }
    if (!word) break;
    if (ends || word.state & BLANK_BESIDE) endSentence();
    put(word, false);
    any = true;
  }
  endSentence();
  return sentences;
}
