/** One verification: what it is of, and its checks as they are recorded. */
import { bigEndian, equal } from "./bytes.js";
import { OID_GENERATION, OID_INSTANCE, OID_MERKLE_ROOT, OID_V2_MERKLE_ROOT } from "./oids.js";
import { FAILED, NOT_CHECKED, PASSED, Result } from "./result.js";

export class Verification {
  /**
   * @param {import("./policy.js").Policy} policy
   * @param {{now: number, live?: boolean, collateral?: Map<string, Uint8Array> | null}} given
   */
  constructor(policy, { now, live = false, collateral = null }) {
    this.policy = policy;
    this.now = now;
    this.live = live;
    this.collateral = collateral;
    this.result = new Result(policy);
    this.claims = this.result.claims;
    /** @type {import("./x509.js").Certificate | null} */
    this.leaf = null; // null: a quote alone
    this.isV2 = false; // it has no quote: what its server made behind the handshake is judged
    /** @type {Uint8Array | null} */
    this.manifestText = null;
    /** @type {import("./manifest.js").Manifest | null} */
    this.manifest = null; // set once it is proven to be the certificate's configuration
    this.dice = null; // what the certificate has of DICE evidence (dice.js)
    this.diceIsQuote = false; // and no other quote
    this.diceBound = false; // it holds, and so the extensions count
    this.log = null;
    this.fresh = null;
    /** @type {Uint8Array | null} */
    this.expectedReportData = null; // of a quote alone, or of a server of version 2
    this.chainHolds = false; // signed up to a root that is accepted: the certificates' contents count
  }

  pass(name, reason) {
    this.result.set(name, 0, PASSED, reason);
  }

  fail(name, reason) {
    this.result.set(name, 0, FAILED, reason);
  }

  skip(name, reason) {
    this.result.set(name, 0, NOT_CHECKED, reason);
  }

  set(name, index, outcome, reason) {
    this.result.set(name, index, outcome, reason);
  }

  /** Whether the check passed. @param {string} name */
  passed(name) {
    return this.result.hasPassed(name);
  }

  /** Whether the certificate's extensions are the enclave's word: they are not in the quote. What makes them that is a
   * handshake that proves the attested key, whose holder chose this certificate, the pinned CA's signature, or DICE evidence
   * that binds them. */
  get bound() {
    return this.live || this.diceBound || this.passed("certificate issuer");
  }

  /** The leaf's extension, if it stands there exactly once and has this size; else null. Of version 2, whose numbers are
   * others, those of version 1 stand for what they mean: the root has another one, generation and instance have none. */
  extension(oid, size) {
    if (this.isV2 && (oid === OID_GENERATION || oid === OID_INSTANCE)) return null;
    const number = this.isV2 && oid === OID_MERKLE_ROOT ? OID_V2_MERKLE_ROOT : oid;
    const value = this.leaf?.extension(number).value ?? null;
    return value && value.length === size ? value : null;
  }

  /** A value that both the certificate and the manifest have: from either, as far as it is bound. */
  lookTwice(oid, label, size) {
    const told = this.manifest?.find(label, size) ?? null;
    const shown = this.bound ? this.extension(oid, size) : null;
    return { value: told ?? shown, differs: told !== null && shown !== null && !equal(told, shown) };
  }

  /** The same of a number of 8 bytes. */
  lookTwiceNumber(oid, label) {
    const { value, differs } = this.lookTwice(oid, label, 8);
    return { number: value ? bigEndian(value) : null, differs };
  }
}
