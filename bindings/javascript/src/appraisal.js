/**
 * What the collateral says: signed by whom, valid when, about which platform, who is revoked, and at which TCB level the
 * platform and its quoting enclave are. Rules: Intel's "DCAP ECDSA Quote Verification" (sections on TCB levels).
 */
import { compare, equal, hex } from "./bytes.js";
import { readQeIdentity, readTcbInfo } from "./documents.js";
import { signatureHolds } from "./ecdsa.js";
import { DOCUMENT_SIZE_MAX } from "./json.js";
import { attempt } from "./malformed.js";
import { formatTime, timeProblem } from "./time.js";
import { DIGITAL_SIGNATURE, readCertificates, readRevocationList, signedBy } from "./x509.js";

const ADVISORIES_MAX = 128;
const INTEL_SIGNER = "8c4f5775d796503e96137f77c68a829a0056ac8ded70140b081b094490c57bff";

/** File names of collateral, and what stands in them. */
export const DOCUMENTS = Object.freeze({
  "tcb-info.json": "TCB info",
  "tcb-info-chain.pem": "the TCB info's chain",
  "qe-identity.json": "QE identity",
  "qe-identity-chain.pem": "the QE identity's chain",
  "root.crl": "the root's CRL",
  "pck.crl": "the PCK CA's CRL",
});

function staleAfter(v, until) {
  const { claims } = v;
  if (until > 0 && (claims.collateralUntil === null || until < claims.collateralUntil)) claims.collateralUntil = until;
}

/* ---- TCB info and QE identity: signature and time ---------------------------------------------------------------- */

/** The signer of a document, as the first of two in its chain, issued by the very root of the quote. */
async function signerProblem(v, chain) {
  if (chain?.length !== 2) return "its chain is not exactly a signer and a root";
  const [signer] = chain;
  const problem = await signedBy(signer, v.root);
  if (problem) return problem;
  const signsData = !signer.mayBeAuthority() && signer.may(DIGITAL_SIGNATURE);
  return signsData ? null : "its signer's certificate is not one that only signs data";
}

async function checkDocument(v, name, file, chainFile, read) {
  const { value: document, wrong } = await attempt(() => read(v.collateral.get(file)));
  if (wrong) {
    v.fail(name, `malformed: ${wrong}`);
    return null;
  }
  const chain = await readCertificates(v.collateral.get(chainFile));
  let problem = await signerProblem(v, chain);
  const signer = problem ? null : chain[0];
  if (signer && !(await signatureHolds(await signer.key(), document.signature, document.signed)))
    problem = "it is not signed by its signer's key";
  if (problem) v.fail(name, problem);
  else v.pass(name, "signed under the root");
  staleAfter(v, document.nextUpdate);
  const late = timeProblem(document.issued, document.nextUpdate, v.now);
  const expired = signer && timeProblem(signer.notBefore, signer.notAfter, v.now);
  if (late) v.fail(`${name} time`, `the document ${late}`);
  else if (expired) v.fail(`${name} time`, `the signer's certificate ${expired}`);
  else v.pass(`${name} time`, `valid until ${formatTime(document.nextUpdate)}`);
  return { ...document, signer };
}

/* ---- revocation -------------------------------------------------------------------------------------------------- */

async function checkList(v, name, file, issuer) {
  const list = await readRevocationList(v.collateral.get(file));
  const problem = list ? await list.problem(issuer) : "it is neither DER, hexadecimal nor PEM";
  if (problem) v.fail(name, problem);
  else v.pass(name, "signed by its issuer");
  if (!list?.hasUntil) return list;
  staleAfter(v, list.until ?? 0);
  const late = timeProblem(list.from, list.until, v.now);
  if (late) v.fail(`${name} time`, `the list ${late}`);
  else v.pass(`${name} time`, `valid until ${formatTime(list.until)}`);
  return list;
}

async function checkRevocation(v, tcbInfo, identity) {
  const rootList = await checkList(v, "root crl", "root.crl", v.root);
  const pckList = await checkList(v, "pck crl", "pck.crl", v.pckCa);
  if (!v.passed("root crl")) return;
  if (v.passed("pck crl")) {
    if (rootList.revokes(v.root)) v.fail("pck revocation", "the root's certificate is revoked");
    else if (rootList.revokes(v.pckCa)) v.fail("pck revocation", "the PCK CA's certificate is revoked");
    else if (pckList.revokes(v.pck))
      v.fail("pck revocation", "the PCK certificate is revoked: this platform is not to be trusted");
    else v.pass("pck revocation", "none of the three is in a list");
  }
  if (!v.passed("tcb info") || !v.passed("qe identity")) return;
  if (rootList.revokes(tcbInfo.signer)) v.fail("signer revocation", "the signer of the TCB info is revoked");
  else if (rootList.revokes(identity.signer)) v.fail("signer revocation", "the signer of the QE identity is revoked");
  else v.pass("signer revocation", "neither is in the root's list");
}

/* ---- the quoting enclave's identity ------------------------------------------------------------------------------- */

const equalMasked = (actual, expected, mask) => mask.every((m, i) => (actual[i] & m) === (expected[i] & m));

function checkIdentity(v, q) {
  const body = v.quote.quotingBody;
  const name = "quoting enclave's identity";
  if (!equal(body.mrsigner, q.mrsigner)) v.fail(name, "its MRSIGNER is not the one in the QE identity");
  else if (body.prodId !== q.prodId) v.fail(name, "its ISVPRODID is not the one in the QE identity");
  else if (!equalMasked(body.miscselect, q.miscselect, q.miscselectMask))
    v.fail(name, "its MISCSELECT is not the one in the QE identity");
  else if (!equalMasked(body.attributes, q.attributes, q.attributesMask))
    v.fail(name, "its ATTRIBUTES are not those in the QE identity");
  else v.pass(name, "as the QE identity says");
}

/** On hardware a PCK certifies whatever enclave has the provisioning attribute, which a machine's owner can give to one
 * of his own: that it is Intel's must be checked also when there is no collateral. */
function checkKnownIdentity(v) {
  const body = v.quote.quotingBody;
  const name = "quoting enclave's identity";
  if (v.claims.simulated) v.skip(name, "simulated in the host; its identity needs collateral");
  else if (hex(body.mrsigner) === INTEL_SIGNER && body.prodId === 1)
    v.pass(name, "Intel's quoting enclave (built-in signer and product)");
  else v.fail(name, "not Intel's quoting enclave");
}

/* ---- TCB levels --------------------------------------------------------------------------------------------------- */

/** The highest level that is met, whatever their order in the document. */
function highest(levels, meets, order) {
  const met = levels.filter(meets);
  return met.reduce((best, level) => (best === null || order(level, best) > 0 ? level : best), null);
}

const platformLevel = (platform, levels) =>
  highest(
    levels,
    (l) => l.components.every((least, i) => platform.components[i] >= least) && platform.pceSvn >= l.pceSvn,
    (a, b) => compare(a.components, b.components) || a.pceSvn - b.pceSvn,
  );

/** The status of both: a quoting enclave that is out of date or revoked brings the platform's down, any other not. */
function converge(platform, quoting) {
  if (quoting === "Revoked" || platform === "Revoked") return "Revoked";
  if (quoting !== "OutOfDate" && quoting !== "OutOfDateConfigurationNeeded") return platform;
  const plain = ["UpToDate", "SWHardeningNeeded", "OutOfDate"].includes(platform);
  return plain ? "OutOfDate" : "OutOfDateConfigurationNeeded";
}

function checkStatus(v, tcbInfo, identity) {
  const { claims, quote } = v;
  const name = "tcb status";
  const platform = platformLevel(claims.platform, tcbInfo.levels);
  const quoting = highest(identity.levels, (l) => quote.quotingBody.svn >= l.svn, (a, b) => a.svn - b.svn);
  if (!platform) return v.fail(name, "the platform is below every level of the TCB info");
  if (!quoting) return v.fail(name, "the quoting enclave is below every level of the QE identity");
  claims.tcbStatus = converge(platform.status, quoting.status);
  claims.tcbDate = platform.date;
  claims.advisories = [...new Set([...platform.advisories, ...quoting.advisories])].slice(0, ADVISORIES_MAX);
  const list = claims.advisories.length > 0 ? `; advisories: ${claims.advisories.join(", ")}` : "";
  const levels =
    `(platform ${platform.status}, level of ${formatTime(platform.date).slice(0, 10)}; ` +
    `quoting enclave ${quoting.status})${list}`;
  if (v.policy.acceptedTcb.has(claims.tcbStatus)) v.pass(name, `${claims.tcbStatus} ${levels}`);
  else v.fail(name, `${claims.tcbStatus}, which the caller does not accept ${levels}`);
}

function checkPlatform(v, info) {
  const { platform } = v.claims;
  if (!equal(platform.fmspc, info.fmspc))
    v.fail("platform", `the TCB info is about FMSPC ${hex(info.fmspc)}, the platform is ${hex(platform.fmspc)}`);
  else if (!equal(platform.pceId, info.pceId))
    v.fail("platform", `the TCB info is about PCE id ${hex(info.pceId)}, the platform has ${hex(platform.pceId)}`);
  else v.pass("platform", `FMSPC ${hex(platform.fmspc)}`);
  return v.passed("platform");
}

/** Two documents may both be valid by their dates: which knows of more is said by their number alone. */
function checkFreshness(v, { evaluationNumber: tcb }, { evaluationNumber: qe }) {
  const least = v.policy.minEvaluationNumber;
  const name = "collateral freshness";
  v.claims.evaluationNumber = Math.min(tcb, qe);
  if (least === 0) v.skip(name, `${tcb} and ${qe} (the caller has no minimum)`);
  else if (tcb >= least && qe >= least) v.pass(name, `${tcb} and ${qe}, at least ${least} is expected`);
  else v.fail(name, `the TCB info is number ${tcb}, the QE identity ${qe}; at least ${least} is expected`);
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

const NEED_COLLATERAL = [
  ...["tcb info", "tcb info time", "qe identity", "qe identity time", "root crl", "root crl time", "pck crl"],
  ...["pck crl time", "pck revocation", "signer revocation", "platform", "tcb status", "collateral freshness"],
];

function isComplete(v) {
  for (const [file, words] of Object.entries(DOCUMENTS)) {
    const document = v.collateral.get(file);
    if (document && document.length <= DOCUMENT_SIZE_MAX) continue;
    v.fail("collateral", `${document ? "too large" : "missing"}: ${words}`);
    return false;
  }
  v.pass("collateral", "all six documents are there");
  return true;
}

function withoutCollateral(v) {
  if (v.policy.requireCollateral) v.fail("collateral", "none was given, and the caller requires it");
  else v.skip("collateral", "none was given: revocation and TCB level are unknown");
  for (const name of NEED_COLLATERAL) v.skip(name, "needs collateral");
  if (v.policy.minEvaluationNumber > 0) v.fail("collateral freshness", "needs collateral, and none was given");
  checkKnownIdentity(v);
}

/** @param {import("./verification.js").Verification} v */
export async function checkCollateral(v) {
  if (!v.collateral) return withoutCollateral(v);
  v.result.hasCollateral = true;
  if (!isComplete(v) || !v.chainHolds) return undefined;
  const tcbInfo = await checkDocument(v, "tcb info", "tcb-info.json", "tcb-info-chain.pem", readTcbInfo);
  const identity = await checkDocument(v, "qe identity", "qe-identity.json", "qe-identity-chain.pem", readQeIdentity);
  await checkRevocation(v, tcbInfo, identity);
  if (v.passed("qe identity")) checkIdentity(v, identity);
  if (v.passed("tcb info") && v.passed("qe identity")) checkFreshness(v, tcbInfo, identity);
  if (v.passed("tcb info") && v.claims.platform && checkPlatform(v, tcbInfo) && v.passed("qe identity"))
    checkStatus(v, tcbInfo, identity);
  return undefined;
}
