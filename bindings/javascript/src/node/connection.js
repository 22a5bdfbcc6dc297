/**
 * A TLS connection that is judged by what its handshake showed and by what the server tells over it, before anything else
 * is sent. TLS 1.3 only, without resumption, since a resumed handshake shows no certificate; its CA and name are not
 * looked at.
 */
import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { connect } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { base64url, sha256 } from "../bytes.js";
import { isV2 } from "../certificate.js";
import { DOCUMENT_SIZE_MAX } from "../json.js";
import { Log, NoAnswer } from "../log.js";
import { Malformed, attempt } from "../malformed.js";
import { needsLog } from "../policy.js";
import { Certificate } from "../x509.js";
import { exchange } from "./exchange.js";

const LABEL = "EXPORTER-privasys-ratls-attest-v2";
const FRESH_SIZE_MAX = 32768;
const PAUSE = 1000; // milliseconds, as the server's Retry-After says
const ATTEMPTS = 5; // while the server's configuration changes, or it closes what seems idle

/** @param {URL} address */
const hostOf = (address) => address.hostname.replace(/^\[(.*)\]$/, "$1");

/** @param {URL} address @returns {Promise<import("node:tls").TLSSocket>} */
function handshake(address, deadline) {
  return new Promise((resolve, reject) => {
    const host = hostOf(address);
    const socket = connect({
      host,
      port: Number(address.port || 443),
      servername: isIP(host) ? undefined : host,
      minVersion: "TLSv1.3",
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: false, // the quote decides, not a CA
    });
    const fail = (error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new NoAnswer(`${address.host}: ${error.message}`, { cause: error }));
    };
    const timer = setTimeout(() => fail(new Error("no handshake in time")), Math.max(0, deadline - Date.now()));
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      socket.on("error", () => {}); // whoever uses the connection hears that it ended
      resolve(socket);
    });
  });
}

/** The server's answer to a challenge over this very connection; and what both of its ends know of it. */
async function challenge(socket, ask, leaf, deadline) {
  const context = randomBytes(32);
  const exported = socket.exportKeyingMaterial(32, LABEL, context);
  const key = base64url(await sha256(leaf.spki));
  const json = JSON.stringify({ v: 2, mode: "challenge", leaf: key, context: base64url(context) });
  for (;;) {
    try {
      const answer = await ask({ path: "/__privasys/attest", limit: FRESH_SIZE_MAX, json });
      return { answer: answer ?? "", context, exported };
    } catch (error) {
      if (!error.later || socket.destroyed || Date.now() + PAUSE >= deadline) throw error;
      await sleep(PAUSE); // others are asking, too
    }
  }
}

/** What a server that answers something else than a page is to be judged by: nothing, or an answer that is none. */
async function orElse(promise, otherwise) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Malformed) return otherwise;
    throw error;
  }
}

/** What was shown: as verify takes it. @param {import("node:tls").TLSSocket} socket */
async function gather(socket, address, { policy, history, deadline }) {
  const ask = (what) => exchange(socket, address.host, deadline, what);
  const certificate = new Uint8Array(socket.getPeerX509Certificate()?.raw ?? new Uint8Array());
  const manifest = await orElse(ask({ path: "/_enclave/manifest", limit: DOCUMENT_SIZE_MAX }), new Uint8Array());
  const evidence = { certificate, live: true, manifest, log: null, fresh: null };
  if (history || needsLog(policy)) {
    const fetch = (path, limit) => ask({ path: `/_enclave/log/${path}`, limit });
    const log = await orElse(Log.open(fetch), null);
    evidence.log = log && (await log.view(policy, certificate));
  }
  const { value: leaf } = await attempt(() => new Certificate(certificate)); // null: other checks say so
  if (leaf && (policy.requireFresh || isV2(leaf))) evidence.fresh = await orElse(challenge(socket, ask, leaf, deadline), null);
  return evidence;
}

async function once(address, judge, wanted) {
  const socket = await handshake(address, wanted.deadline);
  try {
    await judge(await gather(socket, address, wanted));
    if (socket.destroyed) throw new NoAnswer("the server closed the connection behind what it was judged by");
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/**
 * A connection that was judged. Throws what judge throws, and NoAnswer.
 * @param {URL} address @param {(evidence: object) => Promise<unknown>} judge
 * @param {{policy: import("../policy.js").Policy, history: boolean, timeout: number}} wanted history: though the policy
 *   does not need it; timeout: in milliseconds, for all of it
 */
export async function connectJudged(address, judge, wanted) {
  const deadline = Date.now() + wanted.timeout;
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await once(address, judge, { ...wanted, deadline });
    } catch (error) {
      const refused = error.cause?.code === "ECONNREFUSED" || error.cause?.code === "ENOTFOUND";
      if (!(error instanceof NoAnswer) || refused || left === 1 || Date.now() >= deadline) throw error;
    }
  }
}
