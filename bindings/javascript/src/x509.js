/**
 * Certificates and revocation lists (RFC 5280), as far as they are judged here: each step is a check of its own, so that
 * there is no whole-chain verification with one verdict.
 */
import { equal, hex, latin1, readHex } from "./bytes.js";
import { readDer } from "./der.js";
import { p256Key, readSignature, signatureHolds } from "./ecdsa.js";
import { Malformed, attempt, malformed } from "./malformed.js";
import { readPem } from "./pem.js";

export const CERTIFICATES_MAX = 8; // in one PEM
const LIST_NODES_MAX = 200000; // of a revocation list: about 40,000 entries

const OID_ECDSA_SHA256 = "1.2.840.10045.4.3.2";
const OID_EC = "1.2.840.10045.2.1";
const OID_P256 = "1.2.840.10045.3.1.7";
const OID_COMMON_NAME = "2.5.4.3";
const OID_KEY_USAGE = "2.5.29.15";
const OID_BASIC_CONSTRAINTS = "2.5.29.19";
/* Besides these two: names, policies, where the list is, what for. They change nothing of what is judged here. */
const KNOWN = [OID_KEY_USAGE, OID_BASIC_CONSTRAINTS, "2.5.29.17", "2.5.29.32", "2.5.29.31", "2.5.29.37"];

/** Bits of keyUsage, as its first byte has them. */
export const DIGITAL_SIGNATURE = 0x80;
export const CERT_SIGN = 0x04;
export const CRL_SIGN = 0x02;

/** UTCTime or GeneralizedTime of RFC 5280; null: malformed. @returns {number | null} */
function readTime(element) {
  const text = latin1(element.content);
  const utc = element.tag === 0x17 && /^[0-9]{12}Z$/.test(text);
  const general = element.tag === 0x18 && /^[0-9]{14}Z$/.test(text);
  if (!utc && !general) return null;
  const full = utc ? (Number(text.slice(0, 2)) < 50 ? "20" : "19") + text : text;
  const [, year, month, day, hour, minute, second] = full
    .match(/^(....)(..)(..)(..)(..)(..)Z$/)
    .map((part) => Number.parseInt(part, 10));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const same =
    date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day &&
    date.getUTCHours() === hour && date.getUTCMinutes() === minute && date.getUTCSeconds() === second;
  return same ? date.getTime() / 1000 : null;
}

/** Its OID; "": it has parameters, which those that count here do not have. */
function readAlgorithm(element) {
  const [oid, ...parameters] = element.sequence();
  return oid && parameters.length === 0 ? oid.oid() : "";
}

/** x || y of a SubjectPublicKeyInfo on P-256, or null. */
function readPoint(spki) {
  const [algorithm, key, ...more] = spki.sequence();
  if (!algorithm || !key || more.length > 0) malformed("its key is malformed");
  const [kind, curve, ...rest] = algorithm.sequence();
  if (!kind || kind.oid() !== OID_EC || !curve || curve.tag !== 0x06 || curve.oid() !== OID_P256 || rest.length > 0)
    return null;
  const point = key.bits();
  return point.length === 65 && point[0] === 4 ? point.subarray(1) : null;
}

/** The first common name, one character for each byte; "": there is none. */
function readCommonName(name) {
  for (const set of name.sequence()) {
    for (const pair of set.sequence(0x31)) {
      const [oid, value] = pair.sequence();
      if (value && oid.oid() === OID_COMMON_NAME) return latin1(value.content.subarray(0, 255));
    }
  }
  return "";
}

/** {oid, critical, value, bytes} of each. */
function readExtensions(list) {
  return list.sequence().map((extension) => {
    const parts = extension.sequence();
    const critical = parts.length === 3 && parts[1].boolean();
    if (parts.length !== (critical ? 3 : 2)) malformed("an extension is malformed");
    return { oid: parts[0].oid(), critical, value: parts[parts.length - 1].octets(), bytes: extension.bytes };
  });
}

/** What of known extensions is judged; null where one is malformed, or stands twice. */
function readKnown(extensions) {
  const known = { ca: false, pathLength: -1, constrained: false, keyUsage: null };
  try {
    if (new Set(extensions.map((e) => e.oid)).size !== extensions.length)
      for (const oid of KNOWN) if (extensions.filter((e) => e.oid === oid).length > 1) return null;
    for (const { oid, value } of extensions) {
      if (oid === OID_BASIC_CONSTRAINTS) {
        const parts = [...readDer(value).sequence()];
        known.constrained = true;
        if (parts[0]?.tag === 0x01) known.ca = parts.shift().boolean();
        if (parts[0]) known.pathLength = parts.shift().small();
        if (parts.length > 0 || (known.pathLength >= 0 && !known.ca)) return null;
      } else if (oid === OID_KEY_USAGE) {
        const bits = readDer(value);
        if (bits.tag !== 0x03 || bits.content.length < 2 || bits.content[0] > 7) return null;
        known.keyUsage = bits.content[1];
      }
    }
    return known;
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

export class Certificate {
  /** Exactly one certificate. Throws Malformed. @param {Uint8Array} der */
  constructor(der) {
    const [tbs, algorithm, signature, ...more] = readDer(der).sequence();
    if (!signature || more.length > 0) malformed("not a certificate");
    const parts = [...tbs.sequence()];
    this.der = der;
    this.signed = tbs.bytes;
    this.version = parts[0]?.tag === 0xa0 ? parts.shift().sequence(0xa0)[0]?.small() : 0;
    const [serial, inner, issuer, validity, subject, spki, ...rest] = parts;
    if (!spki) malformed("not a certificate");
    this.serial = serial.integer();
    this.algorithm = readAlgorithm(algorithm);
    this.sameAlgorithm = equal(algorithm.bytes, inner.bytes);
    this.signature = signature.bits();
    issuer.sequence();
    this.issuer = issuer.bytes;
    this.subject = subject.bytes;
    this.commonName = readCommonName(subject);
    const [from, until, ...times] = validity.sequence();
    if (!until || times.length > 0) malformed("its validity is malformed");
    this.notBefore = readTime(from);
    this.notAfter = readTime(until);
    this.spki = spki.bytes;
    this.point = readPoint(spki);
    this.#readRest(rest);
  }

  /** Unique identifiers, which nobody uses, and extensions. */
  #readRest(rest) {
    const last = rest[rest.length - 1];
    const list = last?.tag === 0xa3 ? last.sequence(0xa3) : null;
    if (rest.length > (list ? 1 : 0) || (list && list.length !== 1)) malformed("not a certificate");
    /** @type {{oid: string, critical: boolean, value: Uint8Array, bytes: Uint8Array}[]} */
    this.extensions = list ? readExtensions(list[0]) : [];
    this.known = readKnown(this.extensions);
    this.unknownCritical = this.extensions.some((e) => e.critical && !KNOWN.includes(e.oid));
  }

  /** Its key; null: it is not on P-256. @returns {Promise<CryptoKey | null>} */
  key() {
    this.importing ??= this.point ? p256Key(this.point) : Promise.resolve(null);
    return this.importing;
  }

  /** The value of the extension, if it stands there exactly once; and how often it does. @param {string} oid */
  extension(oid) {
    const found = this.extensions.filter((e) => e.oid === oid);
    return { count: found.length, value: found.length === 1 ? found[0].value : null };
  }

  /** Whether it may do that; where it says nothing, it may. @param {number} usage */
  may(usage) {
    return this.known !== null && (this.known.keyUsage === null || (this.known.keyUsage & usage) !== 0);
  }

  /** Whether it says that it is a CA, in whatever way: a certificate that only signs data must not. */
  mayBeAuthority() {
    if (!this.known || (this.known.keyUsage !== null && !this.may(CERT_SIGN))) return false;
    return this.known.constrained ? this.known.ca : this.known.keyUsage !== null;
  }
}

/** Version 3, ECDSA with SHA-256 under P-256, and no critical extension that is not understood. */
async function formProblem(x) {
  if (!x.known) return "a certificate in it is malformed";
  if (x.unknownCritical) return "a certificate in it has an unknown critical extension";
  if (x.version !== 2) return "a certificate in it is not of version 3";
  if (x.algorithm !== OID_ECDSA_SHA256) return "a certificate in it is not signed with ECDSA and SHA-256";
  return (await x.key()) ? null : "a certificate in it has no P-256 key";
}

/** Whether bytes are signed by the holder of the CA's key. */
async function signed(ca, signature, bytes) {
  const { value: rs } = await attempt(() => readSignature(signature));
  return rs !== null && signatureHolds(await ca.key(), rs, bytes);
}

/** Whether x is validly signed by ca, and ca may sign certificates: null, or what is wrong.
 * @param {Certificate} x @param {Certificate} ca @returns {Promise<string | null>} */
export async function signedBy(x, ca) {
  const problem = (await formProblem(x)) ?? (await formProblem(ca));
  if (problem) return problem;
  if (!equal(x.issuer, ca.subject)) return "a certificate's issuer is not the next one's name";
  if (!ca.known.constrained || !ca.known.ca) return "a certificate's issuer is not a CA";
  if (!ca.may(CERT_SIGN)) return "a certificate's issuer may not sign certificates";
  if (!x.sameAlgorithm || !(await signed(ca, x.signature, x.signed)))
    return "a certificate is not signed by its issuer's key";
  return null;
}

/** The certificates in a PEM text, at most limit; null: none, more, or not all well-formed. A bundle that somebody chose
 * to trust (strict) has nothing else in it but comments. @param {Uint8Array} pem @returns {Promise<Certificate[] | null>} */
export async function readCertificates(pem, limit = CERTIFICATES_MAX, strict = false) {
  const read = () => readPem(pem, "CERTIFICATE", limit, strict).map((der) => new Certificate(der));
  const { value } = await attempt(read);
  return value && value.length > 0 ? value : null;
}

/* ---- revocation lists ------------------------------------------------------------------------------------------- */

class RevocationList {
  /** @param {Uint8Array} der */
  constructor(der) {
    const [tbs, algorithm, signature, ...more] = readDer(der, LIST_NODES_MAX).sequence();
    if (!signature || more.length > 0) malformed("not a list");
    const parts = [...tbs.sequence()];
    this.signed = tbs.bytes;
    this.signature = signature.bits();
    this.version = parts[0]?.tag === 0x02 ? parts.shift().small() : 0;
    const inner = parts.shift();
    const issuer = parts.shift();
    const from = parts.shift();
    if (!inner || !issuer || !from) malformed("not a list");
    this.algorithm = readAlgorithm(algorithm);
    this.sameAlgorithm = equal(algorithm.bytes, inner.bytes);
    this.issuer = issuer.bytes;
    this.from = readTime(from);
    this.hasUntil = parts[0]?.tag === 0x17 || parts[0]?.tag === 0x18;
    this.until = this.hasUntil ? readTime(parts.shift()) : null;
    const entries = parts[0]?.tag === 0x30 ? parts.shift().sequence() : [];
    this.serials = new Set(entries.map((entry) => hex((entry.sequence()[0] ?? malformed("not a list")).integer())));
    const extensions = parts[0]?.tag === 0xa0 ? parts.shift().sequence(0xa0) : [];
    if (parts.length > 0 || extensions.length > 1) malformed("not a list");
    this.hasCritical = extensions.length === 1 && readExtensions(extensions[0]).some((e) => e.critical);
  }

  /** @param {Certificate} x */
  revokes(x) {
    return this.serials.has(hex(x.serial));
  }

  /** Null, or what is wrong with it as the list of this issuer. @param {Certificate} issuer */
  async problem(issuer) {
    if (this.version !== 1 || !this.hasUntil) return "it is not of version 2 with a nextUpdate";
    if (this.hasCritical) return "it has a critical extension: it may not be the whole list";
    if (!equal(this.issuer, issuer.subject)) return "it is another issuer's";
    if (this.algorithm !== OID_ECDSA_SHA256) return "it is not signed with ECDSA and SHA-256";
    if (!issuer.known?.ca || !issuer.may(CRL_SIGN)) return "its issuer may not sign revocation lists";
    const holds = this.sameAlgorithm && (await signed(issuer, this.signature, this.signed));
    return holds ? null : "it is not signed by its issuer's key";
  }
}

/** A list in DER, hexadecimal or PEM, as servers give it; null: it is none. @returns {Promise<RevocationList | null>} */
export async function readRevocationList(bytes) {
  const { value } = await attempt(() => {
    if (bytes[0] === 0x30 && bytes[1] >= 0x80) return new RevocationList(bytes);
    if (bytes[0] === 0x2d) return new RevocationList(readPem(bytes, "X509 CRL", 1)[0] ?? malformed("no list"));
    return new RevocationList(readHex(latin1(bytes).replace(/[\r\n]+$/, "")) ?? malformed("no list"));
  });
  return value;
}
