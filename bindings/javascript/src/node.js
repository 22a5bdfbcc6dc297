/**
 * attestedFetch for Node: the fetch of undici, over connections of which each is judged by its own TLS certificate, by the
 * manifest that it was told over itself and, if that is wanted, by evidence made for it alone.
 */
import { Agent, fetch as fetchOver } from "undici";
import { openAttested } from "./attested.js";
import { connectJudged } from "./node/connection.js";

export * from "./index.js";
export { NotSupported, NotVerified } from "./attested.js";
export { STEPS, inspect } from "./inspect.js";
export { ohttpTransport } from "./ohttp.js";

const TIMEOUT = 30000;

const transportWith = ({ history = false, timeout = TIMEOUT }) => ({
  async open(address, judge, policy) {
    const connect = () => connectJudged(address, judge, { policy, history, timeout });
    let first = await connect();
    const agent = new Agent({
      connect(_, callback) {
        const kept = first && !first.destroyed ? first : null;
        first = null;
        // In a turn of its own, kept or not: undici does not go on if it is called back before connect returns.
        const connection = kept ? Promise.resolve(kept) : connect();
        connection.then((socket) => setImmediate(callback, null, socket), callback);
      },
    });
    const close = async () => {
      first?.destroy();
      await agent.destroy();
    };
    return { fetch: (resource, init) => fetchOver(resource, { ...init, dispatcher: agent }), close };
  },
});

/**
 * A fetch that talks to one enclave, and to nobody else. The first connection is judged before this resolves.
 *
 *   const f = await attestedFetch("https://enclave.example:8443", policyText);
 *   const response = await f("/hello/");
 *   f.result.verdict   // "verified"
 *   await f.close();
 *
 * @param {string | URL} url
 * @param {import("./policy.js").Policy | string | object} policy what readPolicy gives, or takes
 * @param {import("./index.d.ts").AttestedFetchOptions} [options]
 * @throws {import("./attested.js").NotVerified | import("./log.js").NoAnswer | import("./policy.js").PolicyError}
 */
export async function attestedFetch(url, policy, options = {}) {
  return openAttested(options.transport ?? transportWith(options), url, policy, options);
}
