/**
 * A strict JSON reader (RFC 8259) for documents from others: UTF-8 only, no duplicate names, no escapes in names, size,
 * depth and number of values bounded. JSON.parse would take the last of two members of a name, and forget where in the
 * text a value stands, which is what signatures are over.
 */
import { latin1, readHex, readUtf8 } from "./bytes.js";
import { malformed } from "./malformed.js";

export const DOCUMENT_SIZE_MAX = 1 << 20;
const DEPTH_MAX = 16;
const VALUES_MAX = 65536; // names count, too
const MEMBERS_MAX = 64; // of one object

/** @typedef {"null" | "boolean" | "number" | "string" | "array" | "object"} Type */

/** A value and where it stands: bytes[start .. end), of strings without the quotes. */
export class Value {
  /** @param {Uint8Array} bytes @param {Type} type */
  constructor(bytes, type, start) {
    this.bytes = bytes;
    this.type = type;
    this.start = start;
    this.end = start;
    /** @type {Value[]} */
    this.items = [];
    /** @type {Map<string, Value>} */
    this.members = new Map();
  }

  /** Its bytes as they stand there, one character for each. */
  raw() {
    return latin1(this.bytes.subarray(this.start, this.end));
  }

  /** The member of that name, if it has the type; else null. @param {Type} [type] */
  member(name, type) {
    const value = this.members.get(name);
    return value && (!type || value.type === type) ? value : null;
  }

  /** A string without escapes, of at most so many bytes; else null. */
  text(most = DOCUMENT_SIZE_MAX) {
    if (this.type !== "string" || this.end - this.start > most) return null;
    const text = readUtf8(this.bytes.subarray(this.start, this.end));
    return text === null || text.includes("\\") ? null : text;
  }

  /** A string with its escapes undone; null if one is not of a character from U+0001 to U+007F. */
  unescaped() {
    if (this.type !== "string") return null;
    const text = readUtf8(this.bytes.subarray(this.start, this.end));
    if (text === null) return null;
    const simple = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
    let right = true;
    const out = text.replace(/\\(u[0-9a-fA-F]{4}|.)/g, (_, escape) => {
      if (escape.length === 1) return simple[escape] ?? escape;
      const code = Number.parseInt(escape.slice(1), 16);
      right = right && code > 0 && code < 0x80;
      return String.fromCharCode(code);
    });
    return right ? out : null;
  }

  /** A whole number from 0 to most, written without fraction or exponent; else null. @param {bigint | number} most */
  number(most) {
    if (this.type !== "number" || this.end - this.start > 20) return null;
    const text = this.raw();
    if (!/^[0-9]+$/.test(text)) return null;
    const number = BigInt(text);
    return number <= BigInt(most) ? number : null;
  }

  /** Exactly size bytes in hexadecimal; else null. */
  hex(size) {
    return this.type === "string" && this.end - this.start === 2 * size ? readHex(this.raw(), size) : null;
  }
}

const isSpace = (c) => c === 0x20 || c === 0x09 || c === 0x0a || c === 0x0d;
const isDigit = (c) => c >= 0x30 && c <= 0x39;
const isHexDigit = (c) => isDigit(c) || ((c | 0x20) >= 0x61 && (c | 0x20) <= 0x66);
const code = (c) => c.charCodeAt(0);

class Parser {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.count = 0;
  }

  is(c) {
    return this.bytes[this.at] === code(c);
  }

  skipSpace() {
    while (isSpace(this.bytes[this.at])) this.at++;
  }

  add(type, start) {
    if (this.count++ === VALUES_MAX) malformed("too many values");
    return new Value(this.bytes, type, start);
  }

  escape() {
    const c = this.bytes[this.at++];
    if (c === code("u")) {
      for (let i = 0; i < 4; i++) if (!isHexDigit(this.bytes[this.at++])) malformed("a malformed escape");
    } else if (c === undefined || !'"\\/bfnrt'.includes(String.fromCharCode(c))) {
      malformed("a malformed escape");
    }
  }

  string() {
    const value = this.add("string", ++this.at);
    while (!this.is('"')) {
      const c = this.bytes[this.at++];
      if (c === undefined) malformed("a string without an end");
      if (c < 0x20) malformed("a control character in a string");
      if (c === code("\\")) this.escape();
    }
    value.end = this.at++;
    return value;
  }

  digits() {
    if (!isDigit(this.bytes[this.at])) malformed("a malformed number");
    while (isDigit(this.bytes[this.at])) this.at++;
  }

  number() {
    const value = this.add("number", this.at);
    if (this.is("-")) this.at++;
    if (this.is("0")) this.at++;
    else this.digits();
    if (this.is(".")) {
      this.at++;
      this.digits();
    }
    if (this.is("e") || this.is("E")) {
      this.at++;
      if (this.is("+") || this.is("-")) this.at++;
      this.digits();
    }
    value.end = this.at;
    return value;
  }

  word() {
    for (const word of ["null", "true", "false"]) {
      const end = this.at + word.length;
      if (latin1(this.bytes.subarray(this.at, end)) !== word) continue;
      const value = this.add(word === "null" ? "null" : "boolean", this.at);
      this.at = value.end = end;
      return value;
    }
    return malformed("something that is no value");
  }

  /** What a container has in it, by one that takes an element; up to its closing bracket. */
  list(value, close, take) {
    this.at++;
    for (let count = 0; ; count++) {
      this.skipSpace();
      if (this.is(close)) break;
      if (count > 0) {
        if (!this.is(",")) malformed("neither a comma nor an end");
        this.at++;
        this.skipSpace();
      }
      take();
    }
    value.end = ++this.at;
    return value;
  }

  member(value, depth) {
    if (!this.is('"')) malformed("an object's member without a name");
    if (value.members.size === MEMBERS_MAX) malformed("an object with too many members");
    const name = this.string().raw();
    if (name.includes("\\")) malformed("a name with an escape");
    if (value.members.has(name)) malformed("a name that stands twice in an object");
    this.skipSpace();
    if (!this.is(":")) malformed("a name without a value");
    this.at++;
    this.skipSpace();
    value.members.set(name, this.value(depth));
  }

  value(depth) {
    if (this.at >= this.bytes.length) malformed("cut short");
    if (this.is('"')) return this.string();
    if (this.is("-") || isDigit(this.bytes[this.at])) return this.number();
    if (!this.is("{") && !this.is("[")) return this.word();
    if (depth === DEPTH_MAX) malformed("too deep");
    const value = this.add(this.is("{") ? "object" : "array", this.at);
    if (value.type === "object") return this.list(value, "}", () => this.member(value, depth + 1));
    return this.list(value, "]", () => value.items.push(this.value(depth + 1)));
  }
}

/** All of a text. Throws Malformed. @param {Uint8Array} bytes */
export function parseJson(bytes) {
  if (bytes.length > DOCUMENT_SIZE_MAX) malformed("too large");
  if (readUtf8(bytes) === null) malformed("a string that is not UTF-8");
  const parser = new Parser(bytes);
  parser.skipSpace();
  const value = parser.value(0);
  parser.skipSpace();
  if (parser.at !== bytes.length) malformed("something after its end");
  return value;
}
