/** The PCK chain that a quote carries: who its root is, whether it holds, and what its first certificate says. */
import { equal, hex, readHex } from "./bytes.js";
import { attempt } from "./malformed.js";
import { readPlatform } from "./platform.js";
import { signatureHolds } from "./ecdsa.js";
import { FLAG_DEBUG } from "./quote.js";
import { timeProblem } from "./time.js";
import { DIGITAL_SIGNATURE, readCertificates, signedBy } from "./x509.js";

/** Intel SGX Root CA's public key (x, y), as in the certificate that Intel publishes. */
export const INTEL_ROOT_KEY = readHex(
  "0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5" +
    "67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394",
);

/** Roots are compared by key and name, since a root may be reissued with the same key. */
const isPinned = (root, pins) =>
  pins.some((pin) => root.point && pin.point && equal(root.point, pin.point) && equal(root.subject, pin.subject));

function checkRoot(v) {
  const p = v.policy;
  const simulated = v.root.commonName.includes("SIMULATION");
  v.claims.simulated = simulated;
  if (simulated && !p.allowSimulation)
    v.fail("root", "the chain ends in a simulation root, and simulation is not allowed");
  else if (p.roots && !isPinned(v.root, p.roots)) v.fail("root", "the chain ends in another root than the caller's");
  else if (p.roots) v.pass("root", `pinned by the caller${simulated ? "; a SIMULATION, not hardware" : ""}`);
  else if (simulated)
    v.pass(
      "root",
      "a SIMULATION root taken from the quote itself, allowed by the caller: proves nothing about hardware, nor which " +
        "machine it is (pin its root.pem for that)",
    );
  else if (v.root.point && equal(v.root.point, INTEL_ROOT_KEY)) v.pass("root", "Intel SGX Root CA (built-in key)");
  else v.fail("root", "the chain's root is neither Intel's nor a simulation's");
}

async function chainProblem(v) {
  const problem =
    (await signedBy(v.pck, v.pckCa)) ?? (await signedBy(v.pckCa, v.root)) ?? (await signedBy(v.root, v.root));
  if (problem) return problem;
  if (v.pck.mayBeAuthority() || !v.pck.may(DIGITAL_SIGNATURE))
    return "the PCK certificate is not one that only signs data";
  return v.root.known.pathLength === 0 ? "the root allows no CA below it" : null;
}

function checkTimes(v) {
  const names = ["the PCK certificate", "the PCK CA's certificate", "the root's certificate"];
  for (const [i, x] of [v.pck, v.pckCa, v.root].entries()) {
    const problem = timeProblem(x.notBefore, x.notAfter, v.now);
    if (!problem) continue;
    v.fail("pck chain time", `${names[i]} ${problem}`);
    return;
  }
  v.pass("pck chain time", "all three are in their time of validity");
}

async function checkPlatform(v) {
  const { value: platform, wrong } = await attempt(() => readPlatform(v.pck));
  if (wrong) {
    v.fail("pck certificate", wrong);
    return;
  }
  v.claims.platform = platform;
  const words = `FMSPC ${hex(platform.fmspc)}, PCE id ${hex(platform.pceId)}, PCESVN ${platform.pceSvn}`;
  v.pass("pck certificate", words);
}

/** @param {import("./verification.js").Verification} v */
export async function checkChain(v) {
  const chain = await readCertificates(v.quote.chain);
  if (chain?.length !== 3) {
    v.fail("pck chain", "the quote does not carry exactly PCK, PCK CA and root as certificates");
    return;
  }
  [v.pck, v.pckCa, v.root] = chain;
  checkRoot(v);
  const problem = await chainProblem(v);
  if (problem) v.fail("pck chain", problem);
  else v.pass("pck chain", "PCK, PCK CA and root are signed by each other's keys");
  checkTimes(v);
  v.chainHolds = !problem && v.passed("root");
  await checkPlatform(v);
}

/** The PCK key vouches for the quoting enclave's report, that for the attestation key, which signs.
 * @param {import("./verification.js").Verification} v */
export async function checkQuotingEnclave(v) {
  const q = v.quote;
  const verdict = (name, ok, good, bad) => (ok ? v.pass(name, good) : v.fail(name, bad));
  if (v.pck) {
    const holds = await signatureHolds(await v.pck.key(), q.quotingSignature, q.quotingBody.bytes);
    verdict("quoting enclave's report", holds, "signed by the PCK key", "its signature is not the PCK key's");
  }
  verdict(
    "attestation key",
    await q.bindsAttestationKey(),
    "bound by the quoting enclave's report",
    "is not the one in the quoting enclave's report",
  );
  verdict(
    "quoting enclave's mode",
    !(q.quotingBody.flags & FLAG_DEBUG),
    "not debug",
    "a debug enclave: its attestation key is not secret",
  );
  verdict("quote signature", await q.isSigned(), "signed by the attestation key", "is not the attestation key's");
}
