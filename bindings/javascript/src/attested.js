/**
 * What attestedFetch is on every platform: a policy that says whose enclave it is to be, connections of which each is
 * judged before anything else is sent, and nothing but the errors below.
 *
 * How a connection is made is the platform's transport: an object whose `open(address, judge)` connects, calls
 * judge(evidence) with what was shown (as verify takes it, without `now`), which throws NotVerified, and gives
 * {fetch, close}: a fetch for this address alone, of which every later connection is judged the same way.
 */
import { NoAnswer } from "./log.js";
import { PolicyError, namesInstance, readPolicy } from "./policy.js";
import { verify } from "./verify.js";

/** The enclave is none that the policy accepts: `result` says why, check by check. Nothing was sent to it. */
export class NotVerified extends Error {
  /** @param {import("./result.js").Result} result @param {string} [words] what is wrong beside that */
  constructor(result, words) {
    const reasons = result.failed.map(({ name, reason }) => `${name}: ${reason}`);
    super(words ?? (reasons.length > 0 ? reasons.join("; ") : "nothing says whose enclave it is"));
    this.name = "NotVerified";
    this.result = result;
  }
}

/** This platform cannot do that, and why. Nothing was connected to. */
export class NotSupported extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "NotSupported";
  }
}

/** An https URL without credentials. @param {string | URL} url */
function readAddress(url) {
  const address = URL.canParse(url) ? new URL(url) : null;
  if (address?.protocol !== "https:" || address.username || address.password)
    throw new TypeError("attestedFetch: expected an https URL");
  return address;
}

/** A policy, read or not. */
async function policyOf(given, options) {
  const read = Object.isFrozen(given) && Array.isArray(given.mrenclaves);
  const policy = read ? given : await readPolicy(given, options);
  if (!namesInstance(policy))
    throw new PolicyError("", "it does not say whose enclave it is to be (docs/policy.md); anyInstance takes any");
  return policy;
}

/** Collateral as it is given: documents, or what fetches them for a certificate. */
const collateralOf = (given, certificate) => (typeof given === "function" ? given(certificate) : given);

/**
 * @param {{open: Function}} transport
 * @param {string | URL} url
 * @param {import("./policy.js").Policy | string | object} given
 * @param {{anyInstance?: boolean, fresh?: boolean, collateral?: any, onResult?: (result: any) => void}} [options]
 */
export async function openAttested(transport, url, given, options = {}) {
  const address = readAddress(url);
  const policy = await policyOf(given, options);
  const seen = { result: null };
  const judge = async (evidence) => {
    const collateral = await collateralOf(options.collateral, evidence.certificate);
    const result = await verify(policy, { ...evidence, collateral });
    seen.result = result;
    options.onResult?.(result);
    if (result.verdict === "verified" || (result.verdict === "genuine" && policy.anyInstance)) return result;
    throw new NotVerified(result);
  };
  const { fetch, close } = await transport.open(address, judge, policy);
  const attested = async (resource, init) => {
    const target = new URL(typeof resource === "string" || resource instanceof URL ? resource : resource.url, address);
    if (target.origin !== address.origin)
      throw new TypeError(`attestedFetch: ${target.origin} is not ${address.origin}, which is judged`);
    try {
      const whole = typeof resource === "string" || resource instanceof URL;
      return await fetch(whole ? target : resource, init);
    } catch (error) {
      const cause = error?.cause;
      throw cause instanceof NotVerified || cause instanceof NoAnswer ? cause : error;
    }
  };
  return Object.defineProperties(attested, {
    result: { get: () => seen.result, enumerable: true },
    policy: { value: policy, enumerable: true },
    close: { value: close, enumerable: true },
  });
}
