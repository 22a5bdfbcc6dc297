/**
 * The configuration: its root and other extensions of the certificate, and what the manifest lists. A manifest is
 * anybody's text until its leaves make the root that the certificate carries.
 */
import { checkApps } from "./apps.js";
import { equal, hex, latin1, utf8 } from "./bytes.js";
import { checkHandOver } from "./hand_over.js";
import { checkHistory } from "./history.js";
import { attempt } from "./malformed.js";
import { Manifest } from "./manifest.js";
import { OID_GENERATION, OID_INSTANCE, OID_MERKLE_ROOT, OID_V2_MERKLE_ROOT } from "./oids.js";
import { needsManifest } from "./policy.js";
import { FAILED, PASSED } from "./result.js";
import { checkLineage, checkUpgradeRule } from "./upgrades.js";

const UNBOUND = "not bound (no live handshake, no pinned issuer)";

/** @typedef {import("./verification.js").Verification} Verification */

/* ---- extensions ---------------------------------------------------------------------------------------------------- */

function checkRoot(v) {
  const root = v.extension(OID_MERKLE_ROOT, 32);
  if (!root) {
    v.fail("configuration root", "the certificate does not carry exactly one root of 32 bytes");
    return;
  }
  v.claims.merkleRoot = root;
  const voucher = v.live ? "handshake" : v.diceBound ? "evidence: extensions are bound" : "issuer";
  if (v.bound) v.pass("configuration root", `${hex(root)}, vouched for by the ${voucher}`);
  else v.skip("configuration root", `${hex(root)}; extensions: ${UNBOUND}`);
}

function checkExtension(v, { oid, value: expected }, index) {
  const { count, value } = v.leaf.extension(oid);
  let wrong = null;
  if (!value) wrong = count > 0 ? "stands more than once" : "is missing";
  else if (!equal(value, expected)) wrong = "has another value than the caller expects";
  else if (!v.bound) wrong = `has the expected value, but extensions are ${UNBOUND}`;
  else v.result.extensionNamesInstance ||= (v.isV2 ? [OID_V2_MERKLE_ROOT] : [OID_MERKLE_ROOT, OID_INSTANCE]).includes(oid);
  v.set("extension", index, wrong ? FAILED : PASSED, `${oid} ${wrong ?? "has the expected value"}`);
}

/* ---- the manifest -------------------------------------------------------------------------------------------------- */

async function checkManifest(v) {
  if (!v.manifestText) {
    if (needsManifest(v.policy)) v.fail("manifest", "none was given, and the caller's expectations need it");
    else v.skip("manifest", "none was given");
    return;
  }
  const { value: m, wrong } = await attempt(() => Manifest.read(v.manifestText));
  const root = v.claims.merkleRoot;
  if (wrong) v.fail("manifest", `malformed: ${wrong}`);
  else if (!root) v.fail("manifest", "there is no configuration root to prove it by");
  else if (!equal(m.root, root))
    v.fail("manifest", `its leaves make the root ${hex(m.root)}, not the certificate's ${hex(root)}`);
  else if (!m.agrees()) v.fail("manifest", "its instance, generation or root is not that of its leaves");
  else if (!v.bound) v.fail("manifest", `its leaves make the configuration root, but that is ${UNBOUND}`);
  else {
    v.pass("manifest", `its ${m.leaves.length} leaves make the configuration root`);
    v.manifest = m;
  }
}

/* ---- whose --------------------------------------------------------------------------------------------------------- */

function checkInstance(v) {
  const expected = v.policy.instance;
  const { value, differs } = v.lookTwice(OID_INSTANCE, "instance", 32);
  v.claims.instance = value;
  if (differs) v.fail("instance", `the certificate names another one than the manifest, ${hex(value)}`);
  else if (!expected && value) v.skip("instance", `${hex(value)} (not pinned by the caller)`);
  else if (!expected) v.skip("instance", "not known (and not pinned by the caller)");
  else if (!value) v.fail("instance", `neither certificate nor manifest names it, expected ${hex(expected)}`);
  else if (!equal(value, expected)) v.fail("instance", `${hex(value)}, expected ${hex(expected)}`);
  else v.pass("instance", hex(value));
}

function checkGeneration(v) {
  const least = v.policy.minGeneration;
  const { number, differs } = v.lookTwiceNumber(OID_GENERATION, "generation");
  const words = `${number}, at least ${least} is expected`;
  v.claims.generation = number;
  if (differs) v.fail("generation", `the certificate has another number than the manifest, ${number}`);
  else if (least === 0n && number !== null) v.skip("generation", `${number} (the caller has no minimum)`);
  else if (least === 0n) v.skip("generation", "not known (and the caller has no minimum)");
  else if (number === null)
    v.fail("generation", `neither certificate nor manifest tells it; at least ${least} is expected`);
  else if (number < least) v.fail("generation", words);
  else v.pass("generation", words);
}

/** What is wrong with those that there are; null: nothing. */
async function administratorsProblem(v, names) {
  const expected = v.policy.administrators;
  for (const name of names) {
    const one = await v.manifest.administrator(name);
    if (!one) return `the leaf admin:${name} is malformed`;
    const known = expected?.keys.find((k) => equal(k.key, one.key));
    if (expected && known?.role !== one.role)
      return `${hex(one.key)} is one, as ${one.role}, which the caller does not expect`;
  }
  return null;
}

async function checkAdministrators(v) {
  const expected = v.policy.administrators;
  const name = "administrators";
  const threshold = v.manifest.threshold();
  const names = v.manifest.names("admin:");
  if (threshold === null) return v.fail(name, "the manifest does not say how many of them a change takes");
  const problem = await administratorsProblem(v, names);
  const words = `${names.length} of them, of whom ${threshold} are needed`;
  if (problem) v.fail(name, problem);
  else if (!expected) v.skip(name, `${words} (not pinned by the caller)`);
  else if (names.length !== expected.keys.length)
    v.fail(name, `${names.length} of them, expected ${expected.keys.length}`);
  else if (threshold !== expected.threshold)
    v.fail(name, `${threshold} of them are needed for a change, expected ${expected.threshold}`);
  else v.pass(name, words);
  v.result.administratorsNameInstance = v.passed(name) && names.length > 0;
  return undefined;
}

/* ---- for all apps -------------------------------------------------------------------------------------------------- */

function checkLimits(v) {
  const expected = v.policy.limits;
  const leaf = v.manifest.find("limits");
  const text = leaf ? latin1(leaf.subarray(0, 200)) : "none";
  if (expected === null) v.skip("limits", `${text} (not pinned by the caller)`);
  else if (leaf && equal(leaf, utf8(expected))) v.pass("limits", text);
  else v.fail("limits", `${text}; expected ${expected.slice(0, 200)}`);
}

function checkEgressCa(v) {
  const expected = v.policy.egressCa;
  const hash = v.manifest.find("egress-ca", 32);
  const text = hash ? hex(hash) : "none";
  const wanted = expected ? hex(expected) : "none";
  if (expected === undefined) v.skip("egress ca", `${text} (not pinned by the caller)`);
  else if (text === wanted) v.pass("egress ca", text);
  else v.fail("egress ca", `${text}, expected ${wanted}`);
}

/** @param {Verification} v */
export async function checkConfiguration(v) {
  checkRoot(v);
  v.policy.extensions.forEach((expected, index) => checkExtension(v, expected, index));
  if (v.policy.extensions.length === 0) v.skip("extension", "the caller expects none");
  await checkManifest(v);
  checkInstance(v);
  checkGeneration(v);
  await checkHistory(v);
  if (v.manifest) await checkAdministrators(v);
  checkLineage(v);
  if (v.manifest) await checkUpgradeRule(v);
  await checkHandOver(v);
  if (v.manifest) checkLimits(v);
  if (v.manifest) checkEgressCa(v);
  checkApps(v);
}
