/**
 * Collateral from a PCCS or from Intel's PCS (API version 4): four requests, which need the platform's FMSPC and the kind
 * of its PCK CA, both read from the PCK certificate in a quote. Nothing here is verified: that is verify's job.
 */
import { readBody } from "./body.js";
import { equal, hex, latin1 } from "./bytes.js";
import { INTEL_ROOT_KEY } from "./chain.js";
import { readDer } from "./der.js";
import { DOCUMENT_SIZE_MAX } from "./json.js";
import { NoAnswer } from "./log.js";
import { attempt, malformed } from "./malformed.js";
import { OID_QUOTE } from "./oids.js";
import { readPlatform } from "./platform.js";
import { Quote } from "./quote.js";
import { Certificate, readCertificates, signedBy } from "./x509.js";

const API = "/sgx/certification/v4";
const OID_DISTRIBUTION_POINTS = "2.5.29.31";
const TIMEOUT = 20000;

/** An answer with its body. Throws NoAnswer. @param {string} address @param {AbortSignal} signal */
async function ask(address, signal) {
  try {
    const response = await fetch(address, { signal, redirect: "error" });
    if (response.status !== 200) throw Object.assign(new Error(`it answers ${response.status}`), { status: response.status });
    return { response, body: await readBody(response, DOCUMENT_SIZE_MAX) };
  } catch (error) {
    const why = error.cause?.message ?? error.message;
    throw Object.assign(new NoAnswer(`collateral: ${address}: ${why}`, { cause: error }), { status: error.status });
  }
}

/** A chain that stands URL-encoded in a field of the answer, under one of these names. */
function chainOf(address, response, ...names) {
  const text = names.map((name) => response.headers.get(name)).find((value) => value !== null) ?? "%";
  try {
    return decodeURIComponent(text);
  } catch {
    throw new NoAnswer(`collateral: ${address}: its answer lacks the issuers' chain`);
  }
}

/** Where an Intel root says that its list is. Nobody else's certificate may send us to an address: whoever presents a quote
 * would choose what is asked from the client's network. @param {Certificate} root */
async function pointOf(root) {
  if (!root.point || !equal(root.point, INTEL_ROOT_KEY) || (await signedBy(root, root))) return null;
  const { value } = await attempt(() => {
    const [point] = readDer(root.extension(OID_DISTRIBUTION_POINTS).value ?? new Uint8Array()).sequence();
    const [name] = (point ?? malformed("no point")).sequence();
    const [full] = (name ?? malformed("no point")).sequence(0xa0);
    const uri = (full ?? malformed("no point")).sequence(0xa0).find((one) => one.tag === 0x86);
    return latin1((uri ?? malformed("no address")).content);
  });
  return value;
}

async function rootList(base, root, signal) {
  try {
    return (await ask(`${base}/rootcacrl`, signal)).body;
  } catch (error) {
    const point = error.status === 404 ? await pointOf(root) : null; // Intel's PCS itself does not serve it
    if (!point) throw error;
    return (await ask(point, signal)).body;
  }
}

/** The platform of a certificate's quote, its CA's kind and its root; null: it carries none. */
async function readPlatformOf(certificate) {
  const { value: quote } = await attempt(() => {
    const { value } = new Certificate(certificate).extension(OID_QUOTE);
    return new Quote(value ?? malformed("no quote"));
  });
  const chain = quote && (await readCertificates(quote.chain));
  if (chain?.length !== 3) return null;
  const { value: platform } = await attempt(() => readPlatform(chain[0]));
  return platform && { fmspc: hex(platform.fmspc).toUpperCase(), ca: chain[1].commonName, root: chain[2] };
}

async function fetchAll(base, { fmspc, ca, root }, signal) {
  const kind = ca.includes("Platform") ? "platform" : "processor";
  const list = await ask(`${base}/pckcrl?ca=${kind}&encoding=der`, signal);
  const info = await ask(`${base}/tcb?fmspc=${fmspc}`, signal);
  const identity = await ask(`${base}/qe/identity`, signal);
  return {
    "tcb-info.json": info.body,
    "tcb-info-chain.pem": chainOf("tcb", info.response, "TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"),
    "qe-identity.json": identity.body,
    "qe-identity-chain.pem": chainOf("qe/identity", identity.response, "SGX-Enclave-Identity-Issuer-Chain"),
    "root.crl": await rootList(base, root, signal),
    "pck.crl": list.body,
  };
}

/**
 * What fetches the collateral for a certificate (DER), for attestedFetch's option of that name. What it gives is null for a
 * certificate that carries no quote, of which verify says what of it; it throws NoAnswer where a document was not had.
 * @param {string | URL} url of a PCCS, with or without the API's path
 * @param {{timeout?: number}} [options] in milliseconds, for all documents
 */
export function collateralFrom(url, { timeout = TIMEOUT } = {}) {
  const address = URL.canParse(url) ? new URL(url) : null;
  if (!address || !["http:", "https:"].includes(address.protocol))
    throw new TypeError("collateralFrom: expected an http or https URL");
  const path = address.pathname.replace(/\/+$/, "");
  const base = address.origin + (path.endsWith(API) ? path : path + API);
  /** @param {Uint8Array} certificate */
  return async (certificate) => {
    const platform = await readPlatformOf(certificate);
    return platform && fetchAll(base, platform, AbortSignal.timeout(timeout));
  };
}
