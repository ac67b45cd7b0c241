// What a word reads as before it is looked up: the rule of docs/onnx.md, by the tables that
// config.json has at "reading".

const RULE = 1;
const ENTITY = /&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z0-9]+));/g;
const VISIBLE = /^[!-~]*$/;
const ASCII = /^[\0-\x7f]*$/;
const LOWER = /\p{Lowercase}/u;
const UPPER = /\p{Uppercase}/u;
const TITLE = /\p{Lt}/u;

export class Reading {
  #tables;
  #ids;
  #isKnown;

  // tables: config.reading. ids: gives the three ids of a reading. isKnown: whether the model knows
  // a code point.
  constructor(tables, ids, isKnown) {
    if (tables.rule !== RULE) {
      throw new Error(
        `expected words that are read by rule ${RULE}, got ${JSON.stringify(tables.rule)}; ` +
          "use the clients of the fastner that exported the model",
      );
    }
    this.#tables = tables;
    this.#ids = ids;
    this.#isKnown = isKnown;
    const space = inside(tables.spaces);
    this.space = new RegExp(`[${space}]`, "u");
    this.lineEnd = new RegExp(`[${inside(tables.line_ends)}]`, "u");
    this.hyphen = new RegExp(`(?<=[^${space}])([-\u2010\u00ad])([${space}]+)(?=[^${space}])`, "gu");
    this.dropped = new RegExp(`[${inside(tables.dropped)}]`, "gu");
    this.compatible = new RegExp(`[${inside(tables.compatible)}]`, "gu");
    this.marks = new RegExp(`[${inside(tables.marks)}]`, "gu");
  }

  read(word) {
    const at = word.indexOf("&");
    if (VISIBLE.test(word) && (at < 0 || !word.includes(";", at))) return word;
    const text = word.replace(ENTITY, (all, decimal, hexadecimal, name) =>
      this.#character(all, decimal, hexadecimal, name),
    );
    const joined = this.#normal(this.#atLineEnds(text, () => ""));
    let reading = this.#normal(this.#atLineEnds(text, (hyphen) => (hyphen === "\u00ad" ? "" : "-")));
    if (joined !== reading && this.#ids(joined).some((id) => id > 0)) reading = joined;
    const plain = this.#plain(reading);
    if (plain === reading) return reading;
    const row = this.#row(reading);
    const plainRow = this.#row(plain);
    const familiar = this.#unknown(plain) < this.#unknown(reading);
    if (!row && !plainRow) return familiar ? plain : reading;
    if (!row || !plainRow) return row ? reading : plain;
    const [times, of] = familiar ? this.#tables.familiar : this.#tables.common;
    return of * row > times * plainRow ? plain : reading;
  }

  #character(entity, decimal, hexadecimal, name) {
    if (name) return Object.hasOwn(this.#tables.entities, name) ? this.#tables.entities[name] : entity;
    const point = decimal ? parseInt(decimal, 10) : parseInt(hexadecimal, 16);
    const valid = (point > 0 && point < 0xd800) || (point >= 0xe000 && point <= 0x10ffff);
    return valid ? String.fromCodePoint(point) : entity;
  }

  // The word with every hyphen at a line end replaced, and the white space behind it gone.
  #atLineEnds(word, replaced) {
    return word.replace(this.hyphen, (all, hyphen, between) =>
      this.lineEnd.test(between) ? replaced(hyphen) : all,
    );
  }

  #normal(word) {
    if (VISIBLE.test(word)) return word;
    const text = this.#stripped(word.replace(this.dropped, "") || word);
    const same = text.replace(this.compatible, (letter) => letter.normalize("NFKC"));
    return this.#isLong(same) ? same : same.normalize("NFC");
  }

  #plain(word) {
    if (ASCII.test(word) || this.#isLong(word)) return word;
    const { plain } = this.#tables;
    const upper = UPPER.test(word) && !LOWER.test(word) && !TITLE.test(word);
    const letters = Array.from(word.normalize("NFD").replace(this.marks, ""), (letter) => {
      if (!Object.hasOwn(plain, letter)) return letter;
      return upper ? plain[letter].toUpperCase() : plain[letter];
    });
    return letters.join("").normalize("NFC") || word;
  }

  // Without white space at both ends, unless it is nothing else; all of it is of one UTF-16 unit.
  #stripped(word) {
    let begin = 0;
    let end = word.length;
    while (begin < end && this.space.test(word[begin])) ++begin;
    while (end > begin && this.space.test(word[end - 1])) --end;
    return word.slice(begin, end) || word;
  }

  #isLong(word) {
    return word.length > this.#tables.longest && Array.from(word).length > this.#tables.longest;
  }

  #unknown(word) {
    return Array.from(word).filter((letter) => !this.#isKnown(letter.codePointAt(0))).length;
  }

  // The id of the first form that owns a vector, or 0.
  #row(word) {
    return this.#ids(word).find((id) => id > 0 && id <= this.#tables.vector_rows) ?? 0;
  }
}

// The inside of a class of a regular expression, of ranges of code points.
function inside(ranges) {
  const escaped = (point) => `\\u{${point.toString(16)}}`;
  return ranges.map(([low, high]) => `${escaped(low)}-${escaped(high)}`).join("");
}
