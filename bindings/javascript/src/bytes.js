/** Bytes, and the texts that stand for them. Whatever is malformed gives null, never an exception. */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @param {string} text */
export const utf8 = (text) => encoder.encode(text);

/** The text of UTF-8 bytes, or null. @param {Uint8Array} bytes @returns {string | null} */
export function readUtf8(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** One character for each byte: for texts of strangers whose bytes count. @param {Uint8Array} bytes */
export function latin1(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

/** The caller's bytes as a Uint8Array over the same memory; null for anything else. @returns {Uint8Array | null} */
export function asBytes(value) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return null;
}

/** @param {Uint8Array} a @param {Uint8Array} b */
export function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** As memcmp: shorter ones first where one begins with the other. @param {Uint8Array} a @param {Uint8Array} b */
export function compare(a, b) {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** @param {...Uint8Array} parts */
export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** @param {Uint8Array} bytes */
export function hex(bytes) {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Bytes from digits of either case; with a size, exactly so many. @returns {Uint8Array | null} */
export function readHex(text, size = text.length / 2) {
  if (!Number.isInteger(size) || text.length !== 2 * size || !/^[0-9a-fA-F]*$/.test(text)) return null;
  const out = new Uint8Array(size);
  for (let i = 0; i < size; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** @param {Uint8Array} bytes */
export const base64 = (bytes) => btoa(latin1(bytes));

/** Base64 with its padding, in one line; strict also wants the unused bits to be zero. @returns {Uint8Array | null} */
export function readBase64(text, strict = false) {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const out = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return strict && base64(out) !== text ? null : out;
}

/** Base64url without padding. @param {Uint8Array} bytes */
export const base64url = (bytes) => base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** Base64url without padding, as there is one text for each. @returns {Uint8Array | null} */
export function readBase64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  const plain = text.replaceAll("-", "+").replaceAll("_", "/");
  return readBase64(plain + "=".repeat((4 - (plain.length % 4)) % 4), true);
}

/** @param {Uint8Array} b */
export const u16 = (b, at) => b[at] | (b[at + 1] << 8);
/** @param {Uint8Array} b */
export const u32 = (b, at) => u16(b, at) + u16(b, at + 2) * 65536;

/** Eight bytes, big endian. @param {Uint8Array} b */
export function bigEndian(b) {
  let number = 0n;
  for (let i = 0; i < 8; i++) number = (number << 8n) | BigInt(b[i]);
  return number;
}

const digest = (name) => async (data) => new Uint8Array(await crypto.subtle.digest(name, data));
/** @type {(data: Uint8Array) => Promise<Uint8Array>} */
export const sha256 = digest("SHA-256");
/** @type {(data: Uint8Array) => Promise<Uint8Array>} */
export const sha512 = digest("SHA-512");
