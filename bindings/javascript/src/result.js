/** The result: one record for each check, none of which starts out as passed. */
import { CHECKS } from "./checks.js";
import { hex } from "./bytes.js";
import { needsLog, needsManifest } from "./policy.js";
import { keyText } from "./note.js";
import { formatTime } from "./time.js";

export const PASSED = "passed";
export const FAILED = "failed";
export const NOT_CHECKED = "not checked";

const FIRST_OF_APPS = CHECKS.findIndex(([name]) => name === "app");
const REASON_SIZE = 511;

/** How often a check stands in a result. */
function timesOf(p, index) {
  const times = CHECKS[index][0] === "extension" ? p.extensions.length : index >= FIRST_OF_APPS ? p.apps.length : 1;
  return Math.max(times, 1);
}

/** Whether the policy says what must hold in the index'th record of a check. @type {Record<string, (p: any, i: number) => boolean>} */
const DEMANDED = {
  "collateral freshness": (p) => p.minEvaluationNumber > 0,
  "fresh evidence": (p) => p.requireFresh,
  mrenclave: (p) => p.mrenclaves.length > 0,
  mrsigner: (p) => p.mrsigner !== null,
  "product id": (p) => p.prodId !== null,
  "security version": (p) => p.minSvn !== null,
  manifest: needsManifest,
  instance: (p) => p.instance !== null,
  generation: (p) => p.minGeneration > 0n,
  "log key": (p) => p.logKey !== null,
  "log head": needsLog,
  "log checkpoint": needsLog,
  "log history": (p) => p.heads.length > 0,
  "log witnesses": (p) => p.witnesses.length > 0,
  administrators: (p) => p.administrators !== null,
  "upgrade rule": (p) => p.upgradeRule !== null,
  lineage: (p) => p.predecessors.length > 0,
  limits: (p) => p.limits !== null,
  "egress ca": (p) => p.egressCa !== undefined,
  "only apps": (p) => p.onlyApps,
  extension: (p, i) => i < p.extensions.length,
  app: (p, i) => p.apps[i]?.sha256 !== undefined,
  "app publisher": (p, i) => p.apps[i]?.publisher !== undefined,
  "app identity": (p, i) => p.apps[i]?.id !== undefined,
  "app settings": (p, i) => p.apps[i]?.settings !== undefined,
  "app egress": (p, i) => p.apps[i]?.egress !== undefined,
};

/** What a verification is of, and came to. */
export class Result {
  /** @param {import("./policy.js").Policy} policy */
  constructor(policy) {
    this.ofCertificate = false;
    this.hasCollateral = false;
    this.extensionNamesInstance = false; // an extension that passed is the configuration's root, or the instance
    this.administratorsNameInstance = false; // they are those that are expected, and somebody
    /** What the certificate, its quote and the manifest say, as far as that is proven: see types.d.ts. */
    this.claims = newClaims();
    this.records = [];
    CHECKS.forEach(([name, weight], index) => {
      for (let i = 0; i < timesOf(policy, index); i++) {
        const demanded = DEMANDED[name]?.(policy, i) ?? false;
        const reason = "not reached: what it builds on does not hold";
        this.records.push({ name, weight, demanded, outcome: NOT_CHECKED, reason });
      }
    });
  }

  /** @param {string} name */
  find(name) {
    return this.records.findIndex((record) => record.name === name);
  }

  set(name, index, outcome, reason) {
    const record = this.records[this.find(name) + index];
    record.outcome = outcome;
    record.reason = reason.slice(0, REASON_SIZE).replace(/[^ -~]/g, "?"); // a peer's words stand in it
  }

  /** Whether the first record of that check passed. @param {string} name */
  hasPassed(name) {
    return this.records[this.find(name)].outcome === PASSED;
  }

  /** Nothing failed, and all that carries the conclusion passed. */
  get ok() {
    return this.records.every((record) => this.#holds(record));
  }

  #holds({ outcome, weight, demanded }) {
    const mayBeSkipped =
      !demanded && weight !== "always" && !(weight === "of certificate" && this.ofCertificate) &&
      !(weight === "of collateral" && this.hasCollateral);
    return outcome === PASSED || (outcome === NOT_CHECKED && mayBeSkipped);
  }

  /** "verified": all that is expected holds, and it says whose it is; "genuine": nothing is wrong, but nothing says whose
   * it is; "refused". @returns {"verified" | "genuine" | "refused"} */
  get verdict() {
    if (!this.ok) return "refused";
    // A certificate under the CA comes from who has its key. Everything else is what some program says of itself.
    const program = this.hasPassed("mrenclave") || this.hasPassed("mrsigner");
    const whose = this.hasPassed("instance") || this.administratorsNameInstance || this.extensionNamesInstance;
    return this.hasPassed("certificate issuer") || (program && whose) ? "verified" : "genuine";
  }

  get verified() {
    return this.verdict === "verified";
  }

  /** All checks, in order. @returns {{name: string, outcome: "passed" | "failed" | "not checked", reason: string}[]} */
  get checks() {
    return this.records.map(({ name, outcome, reason }) => ({ name, outcome, reason }));
  }

  /** Those that failed; where none did and it is refused all the same, those that had to pass and were not made. */
  get failed() {
    const failed = this.checks.filter((check) => check.outcome === FAILED);
    return failed.length > 0 ? failed : this.checks.filter((_, i) => !this.#holds(this.records[i]));
  }

  /** In the format of docs/verify.schema.json. */
  toJSON() {
    return { verdict: this.verdict, verified: this.verified, ...claimsJson(this.claims), checks: this.checks };
  }
}

function newClaims() {
  return {
    simulated: false,
    debug: null,
    mrenclave: null,
    mrsigner: null,
    prodId: null,
    svn: null,
    reportData: null,
    merkleRoot: null,
    spkiSha256: null,
    platform: null,
    tcbStatus: "Unknown",
    tcbDate: null,
    advisories: [],
    collateralUntil: null,
    evaluationNumber: null,
    notBefore: null,
    notAfter: null,
    age: null,
    generation: null,
    instance: null,
    logKey: null, // the key's 32 bytes
    logKeyNamed: null, // the same with the instance's name
    logHead: null,
    checkpoint: null,
    cosigned: 0,
    handOver: null, // {index, entry}: as it stands in the log
  };
}

const orNull = (value, form) => (value === null ? null : form(value));
const headJson = (head) => orNull(head, ({ size, root }) => ({ size: Number(size), root: hex(root) }));

function claimsJson(c) {
  return {
    simulated: c.simulated,
    debug: c.debug,
    mrenclave: orNull(c.mrenclave, hex),
    mrsigner: orNull(c.mrsigner, hex),
    isv_prod_id: c.prodId,
    isv_svn: c.svn,
    report_data: orNull(c.reportData, hex),
    merkle_root: orNull(c.merkleRoot, hex),
    spki_sha256: orNull(c.spkiSha256, hex),
    fmspc: orNull(c.platform, (p) => hex(p.fmspc)),
    tcb_status: c.tcbStatus,
    tcb_date: orNull(c.tcbDate, formatTime),
    advisories: c.advisories,
    collateral_until: orNull(c.collateralUntil, formatTime),
    tcb_evaluation_number: c.evaluationNumber || null,
    not_before: orNull(c.notBefore, formatTime),
    not_after: orNull(c.notAfter, formatTime),
    age_seconds: c.age,
    generation: orNull(c.generation, Number),
    instance: orNull(c.instance, hex),
    log: {
      key: orNull(c.logKeyNamed, keyText),
      certified: headJson(c.logHead),
      checkpoint: headJson(c.checkpoint),
      cosigned: c.cosigned,
      hand_over: orNull(c.handOver, ({ index, entry }) => ({ index: Number(index), entry: JSON.parse(entry) })),
    },
  };
}
