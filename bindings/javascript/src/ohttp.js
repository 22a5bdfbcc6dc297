/**
 * Requests that are encrypted to the enclave itself (docs/protocol.md), whoever terminates TLS in between: a transport for
 * attestedFetch. The key configuration is signed by the key of a certificate, which is judged as a handshake's would be; the
 * manifest and the history are asked for under that very key, so that they are of the generation that it stands for.
 */
import { NotSupported, NotVerified } from "./attested.js";
import { writeRequest, readResponse } from "./bhttp.js";
import { readBody } from "./body.js";
import { concat, latin1, readBase64url, sha256, utf8 } from "./bytes.js";
import { readSignature, signatureHolds } from "./ecdsa.js";
import { readKeys, seal } from "./hpke.js";
import { DOCUMENT_SIZE_MAX, parseJson } from "./json.js";
import { Log, NoAnswer } from "./log.js";
import { attempt, malformed } from "./malformed.js";
import { needsLog } from "./policy.js";
import { Certificate } from "./x509.js";

const FORMAT = "enclave-os-ohttp-keys/1";
const SIGNED = "enclave-os OHTTP key configuration, version 1\0";
export const EVIDENCE_SIZE_MAX = 64 << 10;
const ANSWER_SIZE_MAX = 6 << 20;
const PROBLEMS = "https://iana.org/assignments/http-problem-types#";
const WITHOUT_CONTENT = [204, 205, 304];
const SAFE = ["GET", "HEAD", "OPTIONS"];
const LEFT_OUT = ["connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "upgrade"];

/** What is asked in the clear: {status, type, body}. Throws NoAnswer. */
export async function ask(fetch, address, init, limit) {
  try {
    const response = await fetch(address.href, { ...init, cache: "no-store", credentials: "omit", redirect: "error" });
    const body = await readBody(response, limit);
    return { status: response.status, type: response.headers.get("content-type") ?? "", body };
  } catch (error) {
    if (error instanceof NoAnswer || error?.name === "AbortError") throw error;
    throw new NoAnswer(`${address.host}: ${error?.cause?.message ?? error?.message}`, { cause: error });
  }
}

/** What shows whose the key is. Throws Malformed. @param {Uint8Array} text */
export function readEvidence(text) {
  const all = parseJson(text);
  const bytes = (name) =>
    readBase64url(all.member(name, "string")?.text(EVIDENCE_SIZE_MAX) ?? "!") ?? malformed(`its ${name} is malformed`);
  if (all.member("format", "string")?.text(64) !== FORMAT) malformed(`not of the format ${FORMAT}`);
  return { certificate: bytes("certificate"), keys: bytes("keys"), signature: bytes("signature") };
}

/** Whether the holder of the certificate's key says that the key configuration is his: what a handshake's signature is. */
export async function isSigned({ certificate, keys, signature }) {
  const { value } = await attempt(() => ({ leaf: new Certificate(certificate), rs: readSignature(signature) }));
  if (!value) return false;
  const said = concat(utf8(" ".repeat(64) + SIGNED), await sha256(certificate), await sha256(keys));
  return signatureHolds(await value.leaf.key(), value.rs, said);
}

/** One enclave's key, and requests under it. */
export class Sealed {
  constructor(fetch, address, relay, key) {
    this.fetch = fetch;
    this.address = address;
    this.relay = relay;
    this.key = key;
  }

  /** {status, fields, content}; null: the key is not known there, or not any more, and nothing was done. */
  async send({ method, path, fields, content }, signal) {
    const plain = writeRequest({ method, authority: this.address.host, path, fields, content });
    const { value: sealed, wrong: why } = await attempt(() => seal(this.key, plain));
    if (why) throw new NoAnswer(`${this.address.host}: ${why}`);
    const init = { method: "POST", headers: { "content-type": "message/ohttp-req" }, body: sealed.message, signal };
    const { status, type, body } = await ask(this.fetch, this.relay, init, ANSWER_SIZE_MAX);
    const text = latin1(body.subarray(0, 1024));
    if (status === 400 && text.includes(`${PROBLEMS}ohttp-key"`)) return null;
    if (status !== 200 || !type.startsWith("message/ohttp-res"))
      throw new NoAnswer(`${this.relay.host}: no encrypted answer, but ${status}: ${text.slice(0, 200)}`);
    const { value, wrong } = await attempt(async () => readResponse(await sealed.open(body)));
    if (wrong) throw new NoAnswer(`${this.relay.host}: ${wrong}`);
    return value;
  }

  /** One of the server's own pages; null: it has none of that name. Throws Malformed and NoAnswer. */
  async page(path, limit) {
    const answer = await this.send({ method: "GET", path, fields: [], content: new Uint8Array() });
    if (!answer || answer.status >= 500) throw new NoAnswer(`${path}: the enclave cannot answer now`);
    if (answer.status === 404) return null;
    return answer.status === 200 && answer.content.length <= limit ? answer.content : malformed(`${path}: no such page`);
  }
}

/** A key, got and judged. */
async function getKey({ fetch, address, relay, judge, policy, history }) {
  const place = new URL("/_enclave/ohttp-keys/evidence", address);
  const shown = await ask(fetch, place, {}, EVIDENCE_SIZE_MAX);
  if (shown.status === 404) throw new NotSupported(`${address.host} has no key to which requests could be encrypted`);
  if (shown.status !== 200) throw new NoAnswer(`${address.host}: its key: it answers ${shown.status}`);
  const { value: evidence, wrong } = await attempt(() => readEvidence(shown.body));
  if (wrong) throw new NoAnswer(`${address.host}: the evidence of its key: ${wrong}`);
  const live = await isSigned(evidence);
  const { value: key } = await attempt(() => readKeys(evidence.keys));
  const sealed = live && key ? new Sealed(fetch, address, relay, key) : null;
  const or = async (promise, otherwise) => (await attempt(() => promise)).value ?? otherwise;
  const { certificate } = evidence;
  const manifest = sealed && (await or(sealed.page("/_enclave/manifest", DOCUMENT_SIZE_MAX), null));
  let log = null;
  if (sealed && (history || needsLog(policy))) {
    const opened = await or(Log.open((path, limit) => sealed.page(`/_enclave/log/${path}`, limit)), null);
    log = opened && (await opened.view(policy, certificate));
  }
  const result = await judge({ certificate, live, manifest, log });
  if (!live) throw new NotVerified(result, "the key configuration is not signed by the certificate's key");
  if (!sealed) throw new NotVerified(result, "its key is not for X25519, HKDF-SHA256 and AES-128-GCM");
  return { sealed, until: result.claims.notAfter };
}

/** A request as fetch makes one, of which all is there. */
async function readRequest(target, init) {
  const request = new Request(target, init);
  const { pathname, search } = new URL(request.url);
  const fields = [...request.headers].filter(([name]) => !LEFT_OUT.includes(name));
  const content = new Uint8Array(await request.arrayBuffer());
  return { method: request.method, path: pathname + search, fields, content };
}

const withDate = (request, date) =>
  SAFE.includes(request.method)
    ? request
    : { ...request, fields: [...request.fields.filter(([name]) => name !== "date"), ["date", date]] };

/** The time by which the enclave judged a Date that it refused; null: it has another reason. */
function dateOf({ status, fields, content }) {
  const refused = status === 400 && latin1(content.subarray(0, 1024)).includes(`${PROBLEMS}date"`);
  return refused ? (fields.find(([name]) => name === "date")?.[1] ?? null) : null;
}

/**
 * @param {{fetch?: typeof globalThis.fetch, relay?: string | URL, history?: boolean}} [options] fetch: what carries the
 *   encrypted bytes, the platform's if it is not given; relay: where to they are posted, the server's own gateway if it is
 *   not given
 */
export function ohttpTransport({ fetch = (...args) => globalThis.fetch(...args), relay, history = false } = {}) {
  return {
    async open(address, judge, policy) {
      const wanted = { fetch, address, judge, policy, history, relay: new URL(relay ?? "/_enclave/ohttp", address) };
      let current = await getKey(wanted);
      const send = async (request, signal) => {
        if (Date.now() / 1000 >= current.until) current = await getKey(wanted);
        const answer = await current.sealed.send(request, signal);
        if (answer) return answer;
        current = await getKey(wanted); // of a generation that is over: judged as the first one was
        return (await current.sealed.send(request, signal)) ?? Promise.reject(new NoAnswer("its key is refused there"));
      };
      const fetchSealed = async (target, init) => {
        const request = await readRequest(target, init);
        const signal = init?.signal ?? undefined;
        let answer = await send(withDate(request, new Date().toUTCString()), signal);
        const date = dateOf(answer);
        if (date) answer = await send(withDate(request, date), signal);
        const { status, fields: headers, content } = answer;
        return new Response(WITHOUT_CONTENT.includes(status) ? null : content, { status, headers });
      };
      return { fetch: fetchSealed, close: async () => {} };
    },
  };
}
