/** Binary HTTP (RFC 9292): requests of known length, and responses. Throws Malformed. */
import { concat, latin1, utf8 } from "./bytes.js";
import { malformed } from "./malformed.js";

const FIELDS_MAX = 256;

/** A variable-length integer (RFC 9000, section 16). @param {number} value */
function integer(value) {
  if (value < 1 << 6) return Uint8Array.of(value);
  if (value < 1 << 14) return Uint8Array.of(0x40 | (value >> 8), value & 0xff);
  return Uint8Array.of(0x80 | (value >> 24), (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff);
}

/** @param {Uint8Array} bytes */
const counted = (bytes) => concat(integer(bytes.length), bytes);
const text = (value) => counted(Uint8Array.from(value, (c) => c.charCodeAt(0)));

/**
 * @param {{method: string, authority: string, path: string, fields: [string, string][], content: Uint8Array}} request
 * @returns {Uint8Array}
 */
export function writeRequest({ method, authority, path, fields, content }) {
  const control = [method, "https", authority, path].map((part) => counted(utf8(part)));
  const lines = fields.flatMap(([name, value]) => [text(name), text(value)]);
  return concat(integer(0), ...control, counted(concat(...lines)), counted(content), integer(0));
}

class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get done() {
    return this.at === this.bytes.length;
  }

  take(size) {
    if (size > this.bytes.length - this.at) malformed("a message that is cut short");
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  integer() {
    const first = this.take(1)[0];
    const rest = this.take((1 << (first >> 6)) - 1);
    const value = rest.reduce((sum, byte) => sum * 256 + byte, first & 0x3f);
    return Number.isSafeInteger(value) ? value : malformed("a number that is too large");
  }

  counted() {
    return this.take(this.integer());
  }
}

function readFields(bytes) {
  const r = new Reader(bytes);
  const fields = [];
  while (!r.done) {
    if (fields.length === FIELDS_MAX) malformed("too many fields");
    const name = latin1(r.counted());
    const value = latin1(r.counted());
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) || /[\0\r\n]/.test(value)) malformed("a wrong field");
    fields.push([name, value]);
  }
  return fields;
}

/** A final response of known length. @param {Uint8Array} bytes */
export function readResponse(bytes) {
  const r = new Reader(bytes);
  if (r.integer() !== 1) malformed("no response of known length");
  const status = r.integer();
  if (status < 200 || status > 599) malformed("no final status");
  const fields = readFields(r.counted());
  const content = r.counted();
  if (!r.done) readFields(r.counted()); // trailers, which fetch does not show
  while (!r.done) if (r.take(1)[0] !== 0) malformed("something behind the response");
  return { status, fields, content };
}
