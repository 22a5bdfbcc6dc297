/**
 * A quote's bytes: reads like the layout in Intel's DCAP documentation ("ECDSA Quote Library API", appendix A.4), and in
 * docs/attestation.md.
 */
import { concat, equal, hex, sha256, u16, u32 } from "./bytes.js";
import { p256Key, signatureHolds } from "./ecdsa.js";
import { malformed } from "./malformed.js";

const HEADER_SIZE = 48;
const BODY_SIZE = 384;
const VENDOR = "939a7233f79c4ca9940a0db3957f0607";

export const FLAG_INIT = 1;
export const FLAG_DEBUG = 2;

/** A report's body: what an enclave is, and what it says. */
export class ReportBody {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.miscselect = bytes.subarray(16, 20);
    this.attributes = bytes.subarray(48, 64);
    this.flags = bytes[48]; // the lowest of 64 bits, which are all that is judged
    this.mrenclave = bytes.subarray(64, 96);
    this.mrsigner = bytes.subarray(128, 160);
    this.prodId = u16(bytes, 256);
    this.svn = u16(bytes, 258);
    this.reportData = bytes.subarray(320, 384);
  }
}

/** Takes one piece after the other. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  take(size, why) {
    if (size > this.bytes.length - this.at) malformed(why);
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }
}

export class Quote {
  /** Throws Malformed. @param {Uint8Array} bytes */
  constructor(bytes) {
    const r = new Reader(bytes);
    const short = "shorter than a quote";
    const header = r.take(HEADER_SIZE, short);
    this.body = new ReportBody(r.take(BODY_SIZE, short));
    this.signedPart = bytes.subarray(0, HEADER_SIZE + BODY_SIZE);
    const size = u32(r.take(4, short), 0);
    if (u16(header, 0) !== 3 || u16(header, 2) !== 2 || u32(header, 4) !== 0)
      malformed("not a version 3 ECDSA P-256 quote of SGX");
    if (hex(header.subarray(12, 28)) !== VENDOR) malformed("the quoting enclave's vendor is unknown");
    if (size !== bytes.length - r.at) malformed("its signature data has another length than it says");
    this.#readSignature(r);
  }

  #readSignature(r) {
    const short = "its signature data is cut short";
    this.signature = r.take(64, short);
    this.attestationKey = r.take(64, short);
    this.quotingBody = new ReportBody(r.take(BODY_SIZE, short));
    this.quotingSignature = r.take(64, short);
    this.authData = r.take(u16(r.take(2, short), 0), short);
    const type = u16(r.take(2, short), 0);
    this.chain = r.take(u32(r.take(4, short), 0), short);
    if (r.at !== r.bytes.length) malformed(short);
    if (type !== 5) malformed("it carries no PCK certificate chain (certification data type 5)");
  }

  /** The quoting enclave's report binds the attestation key: SHA-256(key || authentication data), then zeros. */
  async bindsAttestationKey() {
    const hash = await sha256(concat(this.attestationKey, this.authData));
    return equal(concat(hash, new Uint8Array(32)), this.quotingBody.reportData);
  }

  /** Signed by the attestation key. */
  async isSigned() {
    return signatureHolds(await p256Key(this.attestationKey), this.signature, this.signedPart);
  }
}
