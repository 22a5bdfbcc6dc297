/** What an instance may become, and what it has been: its upgrade rule, and the images that have had it before. */
import { equal, hex, latin1 } from "./bytes.js";
import { OID_LINEAGE } from "./oids.js";
import { readUpgradeRuleText } from "./upgrade_rule.js";


/** @typedef {import("./verification.js").Verification} Verification */

/** @param {Verification} v */
export async function checkUpgradeRule(v) {
  const expected = v.policy.upgradeRule;
  const leaf = v.manifest.find("upgrade-rule");
  const text = leaf ? latin1(leaf.subarray(0, 300)) : "not told";
  const shown = leaf && (await readUpgradeRuleText(leaf));
  const name = "upgrade rule";
  if (leaf && !shown) v.fail(name, "the leaf upgrade-rule is malformed");
  else if (!expected) v.skip(name, `${text} (not pinned by the caller)`);
  else if (!shown) v.fail(name, "the manifest does not tell it");
  else if (shown.text !== expected.text) v.fail(name, `${text}; the caller expects another, ${expected.kind}`);
  else v.pass(name, text);
}

/** The certificate's measurements, one after the other; null: malformed. @param {Verification} v */
export function lineageOf(v) {
  const { count, value } = v.leaf.extension(OID_LINEAGE);
  if (count === 0) return new Uint8Array();
  return value && value.length > 0 && value.length % 32 === 0 ? value : null;
}

/** @param {Verification} v */
export function checkLineage(v) {
  const p = v.policy;
  const name = "lineage";
  const list = lineageOf(v);
  if (!list) return v.fail(name, "what the certificate says of it is malformed");
  const told = v.manifest?.find("lineage") ?? new Uint8Array();
  const images = Array.from({ length: list.length / 32 }, (_, i) => list.subarray(32 * i, 32 * i + 32));
  const unknown = images.find((image) => ![...p.mrenclaves, ...p.predecessors].some((one) => equal(one, image)));
  if (!v.bound) v.skip(name, "extensions: not bound (no live handshake, no pinned issuer)");
  else if (v.manifest && !equal(told, list)) v.fail(name, "the certificate has another one than the manifest");
  else if (p.mrenclaves.length + p.predecessors.length === 0)
    v.skip(name, `${images.length} images have had it before (not pinned by the caller)`);
  else if (unknown) v.fail(name, `${hex(unknown)} has had the instance before, which the caller does not expect`);
  else if (images.length === 0) v.pass(name, "no other image has had it before");
  else v.pass(name, `${images.length} have had it before, each of which the caller expects`);
  return undefined;
}
