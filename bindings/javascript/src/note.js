/**
 * Signed notes (C2SP signed-note) with Ed25519 keys and witnesses' cosignatures (tlog-cosignature), and checkpoints
 * (tlog-checkpoint). Strict: there is one way to write a number, a key and base64. Malformed ones give null.
 */
import { base64, bigEndian, concat, equal, hex, readBase64, readUtf8, sha256, utf8 } from "./bytes.js";

export const ED25519 = 0x01;
export const COSIGNATURE = 0x04;
const NOTE_SIZE_MAX = 64 << 10;
const SIGNATURES_MAX = 100;
const NAME_SIZE_MAX = 255;
const COSIGNED_SIZE_MAX = 4 << 10;

const isName = (name) => name !== "" && !/[\x00-\x1f+\s\x85]/u.test(name) && utf8(name).length <= NAME_SIZE_MAX;

/** @typedef {{name: string, type: number, key: Uint8Array, id: Uint8Array}} NoteKey */

/** @param {string} name @param {number} type @param {Uint8Array} key @returns {Promise<NoteKey | null>} */
export async function makeKey(name, type, key) {
  if (!isName(name) || (type !== ED25519 && type !== COSIGNATURE) || key.length !== 32) return null;
  const hash = await sha256(concat(utf8(`${name}\n`), Uint8Array.of(type), key));
  return { name, type, key, id: hash.subarray(0, 4) };
}

/** "NAME+ID+KEY" @param {NoteKey} k */
export const keyText = (k) => `${k.name}+${hex(k.id)}+${base64(concat(Uint8Array.of(k.type), k.key))}`;

/** @param {string} text @returns {Promise<NoteKey | null>} */
export async function parseKey(text) {
  const match = /^([^+]*)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})$/.exec(text);
  const typed = match && readBase64(match[3], true);
  if (!typed || typed.length !== 33) return null;
  const key = await makeKey(match[1], typed[0], typed.subarray(1));
  return key && hex(key.id) === match[2] ? key : null;
}

function readLine(line) {
  const match = /^— ([^ ]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line);
  const bytes = match && readBase64(match[2], true);
  return bytes && bytes.length > 4 && isName(match[1]) ? { name: match[1], bytes } : null;
}

/** {text, signatures}; null: too large, no UTF-8, without signatures, or a line of them is malformed. */
export function parseNote(data) {
  const all = data.length <= NOTE_SIZE_MAX ? readUtf8(data) : null;
  if (all === null || /[\x00-\x09\x0b-\x1f]/.test(all) || !all.endsWith("\n")) return null;
  const split = all.lastIndexOf("\n\n");
  if (split < 0 || split + 2 === all.length) return null;
  const lines = all.slice(split + 2, -1).split("\n");
  const signatures = lines.length <= SIGNATURES_MAX ? lines.map(readLine) : [null];
  return signatures.includes(null) ? null : { text: all.slice(0, split + 1), signatures };
}

async function ed25519Holds(key, signature, data) {
  try {
    const imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, imported, signature, data);
  } catch {
    return false; // not a point, or a WebCrypto that does not know Ed25519: then nothing holds
  }
}

/** What came of the first signature line of this key: "held", with a cosignature's time in seconds (BigInt), "missing",
 * or "false". @param {{text: string, signatures: {name: string, bytes: Uint8Array}[]}} note @param {NoteKey} k */
export async function verifyNote(note, k) {
  const line = note.signatures.find((s) => s.name === k.name && equal(s.bytes.subarray(0, 4), k.id));
  if (!line) return { outcome: "missing", time: 0n };
  const bytes = line.bytes.subarray(4);
  const cosigned = k.type === COSIGNATURE;
  if (bytes.length !== (cosigned ? 72 : 64)) return { outcome: "false", time: 0n };
  let data = utf8(note.text);
  let time = 0n;
  if (cosigned) {
    time = bigEndian(bytes);
    if (time >= 1n << 63n || data.length > COSIGNED_SIZE_MAX) return { outcome: "false", time: 0n };
    data = concat(utf8(`cosignature/v1\ntime ${time}\n`), data);
  }
  const holds = await ed25519Holds(k.key, bytes.subarray(cosigned ? 8 : 0), data);
  return holds ? { outcome: "held", time } : { outcome: "false", time: 0n };
}

/** The note's text as a checkpoint: {origin, size, root}; further lines are let be. @param {{text: string}} note */
export function parseCheckpoint(note) {
  const lines = note.text.slice(0, -1).split("\n");
  const [origin, size, root] = lines;
  if (lines.length < 3 || lines.includes("") || utf8(origin).length > NAME_SIZE_MAX) return null;
  const number = /^(0|[1-9][0-9]{0,18})$/.test(size) ? BigInt(size) : null;
  const hash = readBase64(root, true);
  if (number === null || number >= 1n << 63n || hash?.length !== 32) return null;
  return { origin, size: number, root: hash };
}
