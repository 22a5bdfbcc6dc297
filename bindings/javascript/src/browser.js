/**
 * attestedFetch for browsers. A page cannot see the TLS certificate of its own connections, and so cannot judge them: what
 * it can judge is a key to which requests are encrypted beneath TLS (Oblivious HTTP, RFC 9458), if the server serves
 * evidence that binds it. That needs a transport, which this version does not bring: without one, attestedFetch refuses.
 * verify and everything else works here as it does in Node.
 */
import { NotSupported, openAttested } from "./attested.js";

export * from "./index.js";
export { NotSupported, NotVerified } from "./attested.js";

/**
 * @param {string | URL} url
 * @param {import("./policy.js").Policy | string | object} policy
 * @param {{transport?: {open: Function}, anyInstance?: boolean, fresh?: boolean, collateral?: any}} [options]
 *   transport: as attested.js describes one
 */
export async function attestedFetch(url, policy, options = {}) {
  if (!options.transport)
    throw new NotSupported(
      "a browser does not show a page the TLS certificate of its connections, so that there is nothing to judge: this " +
        "needs requests that are encrypted to the enclave itself (options.transport)",
    );
  return openAttested(options.transport, url, policy, options);
}
