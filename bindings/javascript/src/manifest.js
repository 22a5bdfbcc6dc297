/** A server's manifest: all leaves of its configuration's tree, in order (docs/attestation.md). */
import { concat, equal, hex, latin1, readHex, sha256, utf8 } from "./bytes.js";
import { parseJson } from "./json.js";
import { malformed } from "./malformed.js";
import { leafHash, merkleRoot } from "./merkle.js";

const FORMAT = "enclave-os-manifest/1";
const INT64_MAX = (1n << 63n) - 1n;
const NUL = Uint8Array.of(0);
export const ROLES = Object.freeze(["admin", "deploy", "monitor"]);

/** Decimal digits without a zero in front, or null. @param {string} text @param {bigint} most */
function readNumber(text, most) {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text)) return null;
  const number = BigInt(text);
  return number <= most ? number : null;
}

function readLeaf(item) {
  const label = item.member("label", "string")?.text();
  const value = item.member("value", "string");
  const bytes = value && value.hex((value.end - value.start) >> 1);
  if (!label || !bytes || !/^[!-~]+$/.test(label)) malformed("a leaf that is not a label and a value in hexadecimal");
  return { label, value: bytes };
}

export class Manifest {
  /** Throws Malformed. @param {Uint8Array} text */
  static async read(text) {
    const all = parseJson(text);
    const m = new Manifest();
    if (all.member("format", "string")?.text(64) !== FORMAT) malformed(`not of the format ${FORMAT}`);
    /* What it says of itself: worth nothing alone. */
    m.saidGeneration = all.member("generation", "number")?.number(INT64_MAX) ?? malformed("its generation is malformed");
    m.saidInstance = all.member("instance", "string")?.hex(32) ?? malformed("its instance is malformed");
    m.saidRoot = all.member("merkle_root", "string")?.hex(32) ?? malformed("its merkle_root is malformed");
    const items = all.member("leaves", "array")?.items ?? [];
    if (items.length === 0) malformed("it has no leaves");
    m.leaves = items.map(readLeaf);
    /** @type {Map<string, Uint8Array>} */
    m.byLabel = new Map(m.leaves.map(({ label, value }) => [label, value]));
    if (m.byLabel.size !== m.leaves.length) malformed("a label that stands twice");
    const hashes = m.leaves.map(({ label, value }) => leafHash(concat(utf8(label), NUL, value)));
    m.root = await merkleRoot(await Promise.all(hashes));
    return m;
  }

  /** A leaf's value, with a size only if it has that; else null. */
  find(label, size) {
    const value = this.byLabel.get(label);
    return value && (size === undefined || value.length === size) ? value : null;
  }

  /** The names behind prefix, in the order of the leaves. @param {string} prefix */
  names(prefix) {
    return this.leaves.filter((leaf) => leaf.label.startsWith(prefix)).map((leaf) => leaf.label.slice(prefix.length));
  }

  /** {key, role} of one of the leaves `admin:THUMBPRINT`; null: malformed. @param {string} thumbprint */
  async administrator(thumbprint) {
    const value = this.find(`admin:${thumbprint}`);
    const end = value.indexOf(0);
    if (end < 0) return null;
    const role = latin1(value.subarray(0, end));
    const key = await sha256(value.subarray(end + 1));
    return hex(key) === thumbprint && ROLES.includes(role) ? { key, role } : null;
  }

  /** The leaf `administrators`, "threshold=M"; null: malformed. */
  threshold() {
    const text = latin1(this.find("administrators") ?? new Uint8Array());
    const number = text.startsWith("threshold=") ? readNumber(text.slice(10), 0xffffffffn) : null;
    return number === null ? null : Number(number);
  }

  /** What the leaf `rule:NAME` says of an app, in lines that LF ends. A line that is not known is of a later version, and
   * skipped; one that is stands once, or the rule is malformed (null). @param {string} name */
  rule(name) {
    const lines = latin1(this.find(`rule:${name}`) ?? new Uint8Array()).split("\n");
    if (lines.pop() !== "") return null;
    const rule = { id: null, kind: null, publisher: null, version: null };
    const read = {
      id: (text) => readHex(text, 16),
      rule: (text) => (text.length < 12 ? text : null),
      key: (text) => readHex(text, 32),
      version: (text) => readNumber(text, (1n << 64n) - 1n),
    };
    const place = { id: "id", rule: "kind", key: "publisher", version: "version" };
    for (const line of lines) {
      const name = line.slice(0, Math.max(0, line.indexOf("=")));
      if (!Object.hasOwn(read, name)) continue;
      const value = read[name](line.slice(name.length + 1));
      if (value === null || rule[place[name]] !== null) return null;
      rule[place[name]] = value;
    }
    return rule.id && rule.kind !== null ? rule : null;
  }

  /** Whether what it says of itself is what its leaves say. */
  agrees() {
    const instance = this.find("instance", 32);
    const generation = this.find("generation", 8);
    if (!instance || !generation) return false;
    const said = readHex(this.saidGeneration.toString(16).padStart(16, "0"), 8);
    return equal(this.saidRoot, this.root) && equal(this.saidInstance, instance) && equal(said, generation);
  }
}
