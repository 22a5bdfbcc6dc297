/**
 * attestedFetch for browsers. A page cannot see the TLS certificate of its own connections, and so cannot judge them. What it
 * can judge is a key of the enclave's to which requests are encrypted beneath TLS (ohttp.js): who terminates TLS, or serves
 * the page's other files, sees that something is asked, and nothing of it.
 *
 * Who serves this very script could have changed it: a page proves nothing about its own server to somebody who has the page
 * from there.
 */
import { openAttested } from "./attested.js";
import { ohttpTransport } from "./ohttp.js";

export * from "./index.js";
export { NotSupported, NotVerified } from "./attested.js";
export { STEPS, inspect } from "./inspect.js";
export { ohttpTransport } from "./ohttp.js";

/**
 * @param {string | URL} url
 * @param {import("./policy.js").Policy | string | object} policy
 * @param {import("./index.d.ts").AttestedFetchOptions} [options]
 */
export async function attestedFetch(url, policy, options = {}) {
  return openAttested(options.transport ?? ohttpTransport(options), url, policy, options);
}
