/** Which enclave may have an instance next, as the leaf `upgrade-rule` and a policy have it (docs/attestation.md). */
import { compare, hex } from "./bytes.js";
import { parseJson } from "./json.js";
import { attempt } from "./malformed.js";

const KINDS = ["none", "measurements", "signer"];
const MEASUREMENTS_MAX = 16;

function readMeasurements(list) {
  if (!list || list.items.length > MEASUREMENTS_MAX) return null;
  const hashes = list.items.map((item) => item.hex(32));
  if (hashes.includes(null)) return null;
  const sorted = hashes.sort(compare).map(hex);
  return new Set(sorted).size === sorted.length ? sorted.join(" ") : null;
}

function readSigner(object) {
  const mrsigner = object.member("mrsigner", "string")?.hex(32) ?? null;
  const product = object.member("product", "number")?.number(0xffff) ?? null;
  const svn = object.member("svn", "number")?.number(0xffff) ?? null;
  return mrsigner && product !== null && svn !== null ? `${hex(mrsigner)} ${product} ${svn}` : null;
}

/**
 * The rule, in a form in which equal ones are equal; null: it is none. "none" alone, "measurements" with a list, "signer"
 * with three members; and perhaps "publishers", but of none.
 * @param {import("./json.js").Value} object @returns {{kind: string, text: string} | null}
 */
export function readUpgradeRule(object) {
  if (object.type !== "object") return null;
  const kind = object.member("rule", "string")?.text(15) ?? "";
  const publishers = object.member("publishers", "boolean");
  const own = { none: 1, measurements: 2, signer: 4 };
  if (!KINDS.includes(kind) || object.members.size !== own[kind] + (publishers ? 1 : 0)) return null;
  if (publishers && kind === "none") return null;
  const rest =
    kind === "none" ? "" : kind === "signer" ? readSigner(object) : readMeasurements(object.member("measurements", "array"));
  return rest === null ? null : { kind, text: `${kind} ${publishers?.raw() === "true"} ${rest}` };
}

/** The same of a text. @param {Uint8Array} text */
export async function readUpgradeRuleText(text) {
  const { value } = await attempt(() => readUpgradeRule(parseJson(text)));
  return value;
}
