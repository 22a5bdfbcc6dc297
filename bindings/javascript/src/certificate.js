/** The peer's certificate itself: its key, its time, and who signed it. */
import { sha256 } from "./bytes.js";
import { OID_DICE, OID_GENERATION, OID_QUOTE, OID_V2_MERKLE_ROOT } from "./oids.js";
import { duration, timeProblem } from "./time.js";
import { signedBy } from "./x509.js";

/**
 * Whether it is of a server of version 2: without a quote of one kind or the other, and saying what it says by the numbers of
 * that version (docs/attestation.md).
 * @param {import("./x509.js").Certificate} leaf
 */
export function isV2(leaf) {
  const has = (oid, size) => leaf.extension(oid).value?.length === size;
  const none = (oid) => leaf.extension(oid).count === 0;
  return none(OID_QUOTE) && none(OID_DICE) && has(OID_V2_MERKLE_ROOT, 32) && !has(OID_GENERATION, 8);
}

async function checkForm(v) {
  const { leaf, claims } = v;
  if (!leaf.known) return v.fail("certificate", "one of its extensions is malformed");
  if (leaf.unknownCritical) return v.fail("certificate", "it has an unknown critical extension");
  if (!(await leaf.key())) return v.fail("certificate", "its key is not on P-256");
  claims.spkiSha256 = await sha256(leaf.spki);
  return v.pass("certificate", "well-formed, with a P-256 key");
}

function checkTime(v) {
  const { leaf, claims } = v;
  const problem = timeProblem(leaf.notBefore, leaf.notAfter, v.now);
  if (problem) v.fail("certificate time", `it ${problem}`);
  else v.pass("certificate time", `within its time of validity, ${duration(v.now - leaf.notBefore)} old`);
  if (leaf.notBefore === null || leaf.notAfter === null) return;
  claims.notBefore = leaf.notBefore;
  claims.notAfter = leaf.notAfter;
  claims.age = v.now - leaf.notBefore;
}

/** NotAfter is not in the quote: who once got hold of an enclave's keys may make it what he likes. */
function checkLifetime(v) {
  const { notBefore, notAfter } = v.claims;
  const most = v.policy.maxLifetime;
  const words = `${duration(notAfter - notBefore)}, at most ${duration(most)} is expected`;
  if (most === 0) v.skip("certificate lifetime", "the caller has no maximum");
  else if (notBefore === null) v.fail("certificate lifetime", "it has no readable time of validity");
  else if (notAfter - notBefore > most) v.fail("certificate lifetime", words);
  else v.pass("certificate lifetime", words);
}

async function checkIssuer(v) {
  const { issuer } = v.policy;
  if (!issuer) {
    v.skip("certificate issuer", "not pinned by the caller; the quote vouches for the key");
    return;
  }
  const problem = await signedBy(v.leaf, issuer);
  if (problem) v.fail("certificate issuer", `not under the pinned issuer: ${problem}`);
  else v.pass("certificate issuer", "signed by the issuer that the caller pinned");
}

/** @param {import("./verification.js").Verification} v */
export async function checkCertificate(v) {
  await checkForm(v);
  checkTime(v);
  checkLifetime(v);
  await checkIssuer(v);
}
