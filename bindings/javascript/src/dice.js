/**
 * DICE evidence (extension 2.23.133.5.4.9): a second quote in the certificate, over claims that name its key, its times and
 * its other extensions (docs/attestation.md). A certificate whose evidence holds says what its enclave said, whoever hands
 * it over. The CBOR is of known types, of definite length and in its shortest form.
 */
import { bigEndian, concat, equal, readUtf8, sha256 } from "./bytes.js";
import { isAsGood } from "./evidence.js";
import { attempt, malformed } from "./malformed.js";
import { OID_DICE, OID_GENERATION, OID_MERKLE_ROOT } from "./oids.js";

const TAG = 60000n;
const SIZE_MIN = 256;
const SIZE_MAX = 8192;
const CLAIMS_MAX = 512;
const CLAIM_COUNT_MAX = 32n;
const HASHES = new Map([
  [1n, { name: "SHA-256", size: 32 }],
  [7n, { name: "SHA-384", size: 48 }],
  [8n, { name: "SHA-512", size: 64 }],
]);
/** Claims that are known, and their sizes; "pubkey-hash" is CBOR again. */
const SIZES = { "merkle-root": 32, generation: 8, "not-before": 8, "not-after": 8, extensions: 32 };
const UNSIGNED = 0;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAGGED = 6;

/** @typedef {import("./verification.js").Verification} Verification */

class Cbor {
  /** @param {Uint8Array} bytes @param {string} wrong what is said of anything that is not as it should be */
  constructor(bytes, wrong) {
    this.bytes = bytes;
    this.at = 0;
    this.wrong = wrong;
  }

  take(size) {
    if (size > this.bytes.length - this.at) malformed(this.wrong);
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  /** The head of the next item, which must be of this type. */
  head(type) {
    const [first] = this.take(1);
    const low = first & 31;
    if (first >> 5 !== type || low >= 28) malformed(this.wrong);
    if (low < 24) return BigInt(low);
    const size = 1 << (low - 24);
    const number = this.take(size).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    return number < (size === 1 ? 24n : 1n << BigInt(4 * size)) ? malformed(this.wrong) : number;
  }

  string(type) {
    const size = this.head(type);
    return size <= BigInt(this.bytes.length) ? this.take(Number(size)) : malformed(this.wrong);
  }

  end(wrong = this.wrong) {
    if (this.at !== this.bytes.length) malformed(wrong);
  }
}

/** {quote, claims} of the extension's value. Throws Malformed. @param {Uint8Array} bytes */
function readEvidence(bytes) {
  if (bytes.length < SIZE_MIN || bytes.length > SIZE_MAX) malformed("it is shorter or longer than evidence may be");
  const r = new Cbor(bytes, "it is not a tagged quote with its claims, or cut short, or goes on behind them");
  if (r.head(TAGGED) !== TAG || r.head(ARRAY) !== 2n) malformed(r.wrong);
  const quote = r.string(BYTES);
  const claims = r.string(BYTES);
  r.end();
  return claims.length > CLAIMS_MAX ? malformed("its claims are too long") : { quote, claims };
}

/** {hash, value} of the key's hash. */
function readKey(bytes) {
  const r = new Cbor(bytes, "its claim pubkey-hash is of another kind, or has another length");
  if (r.head(ARRAY) !== 2n) malformed(r.wrong);
  const hash = HASHES.get(r.head(UNSIGNED));
  const value = r.string(BYTES);
  r.end();
  return hash?.size === value.length ? { hash, value } : malformed(r.wrong);
}

/** The claims that are known, by name; others are let be. Throws Malformed. @param {Uint8Array} bytes */
function readClaims(bytes) {
  const r = new Cbor(bytes, "its claims are no map of names to bytes");
  const count = r.head(MAP);
  if (count > CLAIM_COUNT_MAX) malformed("it makes too many claims");
  const claims = new Map();
  for (let i = 0n; i < count; i++) {
    const name = readUtf8(r.string(TEXT)) ?? malformed(r.wrong);
    const value = r.string(BYTES);
    if (name !== "pubkey-hash" && !Object.hasOwn(SIZES, name)) continue;
    if (claims.has(name)) malformed("it makes a claim twice");
    if (name !== "pubkey-hash" && value.length !== SIZES[name]) malformed("a claim has another length");
    claims.set(name, name === "pubkey-hash" ? readKey(value) : value);
  }
  r.end("something is behind its claims");
  return claims.has("pubkey-hash") ? claims : malformed("it says nothing of a key (pubkey-hash)");
}

/** Null: each claim is true of this certificate. @param {Verification} v */
async function contradiction(v, claims) {
  const { leaf } = v;
  const { hash, value: named } = claims.get("pubkey-hash");
  const key = new Uint8Array(await crypto.subtle.digest(hash.name, leaf.spki));
  const isExtension = (name, oid, size) => {
    const value = v.extension(oid, size);
    return !claims.has(name) || (value !== null && equal(value, claims.get(name)));
  };
  const isTime = (name, time) =>
    !claims.has(name) || (time !== null && time >= 0 && bigEndian(claims.get(name)) === BigInt(time));
  if (!equal(key, named)) return "its claims are about another key";
  if (!isExtension("merkle-root", OID_MERKLE_ROOT, 32)) return "its claims are about another configuration root";
  if (!isExtension("generation", OID_GENERATION, 8)) return "its claims are about another generation";
  if (!isTime("not-before", leaf.notBefore)) return "its claims are about another NotBefore";
  if (!isTime("not-after", leaf.notAfter)) return "its claims are about another NotAfter";
  const others = leaf.extensions.filter((e) => e.oid !== OID_DICE).map((e) => e.bytes);
  const all = claims.get("extensions");
  if (all && !equal(all, await sha256(concat(...others)))) return "its claims are about other extensions";
  return null;
}

/** What the certificate has of it, for other checks; records none. @param {Verification} v */
export async function readDice(v) {
  const { count, value } = v.leaf.extension(OID_DICE);
  if (count === 0) return;
  const dice = { quote: null, reportData: null, wrong: null, bindsTime: false, bindsAll: false };
  const read = await attempt(async () => {
    const { quote, claims } = readEvidence(value ?? malformed("it stands more than once"));
    const known = readClaims(claims);
    const wrong = await contradiction(v, known);
    if (wrong) malformed(wrong);
    dice.quote = quote;
    dice.reportData = concat(await sha256(claims), new Uint8Array(32));
    dice.bindsTime = known.has("not-before") && known.has("not-after");
    dice.bindsAll = dice.bindsTime && known.has("extensions");
  });
  dice.wrong = read.wrong;
  v.dice = dice;
}

/** @param {Verification} v */
export async function checkDice(v) {
  const { dice } = v;
  const name = "dice evidence";
  if (!dice) return v.skip(name, "the certificate has none");
  if (dice.wrong) return v.fail(name, dice.wrong);
  if (!v.claims.spkiSha256 || !v.claims.mrenclave) return undefined; // it would prove something about nobody
  if (v.diceIsQuote && !v.passed("report data")) return undefined;
  const wrong = v.diceIsQuote ? null : await isAsGood(v, dice.quote, dice.reportData, "it is not over these claims");
  if (wrong) return v.fail(name, wrong);
  v.diceBound = dice.bindsAll;
  const times = dice.bindsTime ? " and both times" : "";
  return v.pass(
    name,
    v.diceBound ? "binds the key, both times and all other extensions" : `binds the key${times}; extensions: not bound`,
  );
}
