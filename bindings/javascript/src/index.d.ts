/** enclave-verifier: see README.md. What is of a policy file, a check or a result is in docs/policy.md and docs/verify.md. */

export type Outcome = "passed" | "failed" | "not checked";
export type Verdict = "verified" | "genuine" | "refused";

export interface Check {
  name: string;
  outcome: Outcome;
  reason: string;
}

export interface Head {
  size: bigint;
  root: Uint8Array;
}

/** What the certificate, its quote and the manifest say; only as good as the checks that passed. null: not read. */
export interface Claims {
  simulated: boolean;
  debug: boolean | null;
  mrenclave: Uint8Array | null;
  mrsigner: Uint8Array | null;
  prodId: number | null;
  svn: number | null;
  reportData: Uint8Array | null;
  merkleRoot: Uint8Array | null;
  spkiSha256: Uint8Array | null;
  platform: { fmspc: Uint8Array; pceId: Uint8Array; components: Uint8Array; pceSvn: number } | null;
  tcbStatus: string;
  /** Times are in seconds since 1970. */
  tcbDate: number | null;
  advisories: string[];
  collateralUntil: number | null;
  evaluationNumber: number | null;
  notBefore: number | null;
  notAfter: number | null;
  age: number | null;
  generation: bigint | null;
  instance: Uint8Array | null;
  logKey: Uint8Array | null;
  logHead: Head | null;
  checkpoint: Head | null;
  cosigned: number;
  handOver: { index: bigint; entry: string } | null;
}

export interface Result {
  readonly verdict: Verdict;
  readonly verified: boolean;
  /** Nothing failed, and all that carries the conclusion passed: "verified" or "genuine". */
  readonly ok: boolean;
  readonly checks: Check[];
  readonly failed: Check[];
  readonly claims: Claims;
  /** In the format of docs/verify.schema.json. */
  toJSON(): Record<string, unknown>;
}

/** A policy that was read; what is in it is the library's own. */
export interface Policy {
  readonly anyInstance: boolean;
  readonly requireFresh: boolean;
}

export interface PolicyOptions {
  /** Take any instance of the program: "genuine" will do. */
  anyInstance?: boolean;
  /** Want evidence that was made for the very connection. */
  fresh?: boolean;
}

/** A policy file's text, or what JSON.parse made of it. */
export type PolicyFile = string | Uint8Array | object;

export class PolicyError extends Error {
  readonly field: string;
}
/** No whole answer came: nothing is known of the server, and it is not refused. */
export class NoAnswer extends Error {}
/** The enclave is none that the policy accepts; nothing else was sent to it. */
export class NotVerified extends Error {
  readonly result: Result;
}
/** This platform cannot do that. */
export class NotSupported extends Error {}

export function readPolicy(file: PolicyFile, options?: PolicyOptions): Promise<Policy>;
export function namesInstance(policy: Policy): boolean;
export function needsManifest(policy: Policy): boolean;
export function needsLog(policy: Policy): boolean;

/** Documents by their names in a folder of collateral: tcb-info.json, tcb-info-chain.pem, qe-identity.json,
 * qe-identity-chain.pem, root.crl, pck.crl. */
export type Collateral = Record<string, Uint8Array | string> | Map<string, Uint8Array>;

/** What fetches collateral for a certificate from a PCCS, or Intel's PCS. */
export function collateralFrom(
  url: string | URL,
  options?: { timeout?: number },
): (certificate: Uint8Array) => Promise<Collateral | null>;

export interface LogView {
  checkpoint: Uint8Array;
}

/** GET /_enclave/log/PATH, of at most limit bytes; null: the server has none of that name. */
export type LogFetch = (path: string, limit: number) => Promise<Uint8Array | null>;

export class Log {
  static open(fetch: LogFetch): Promise<Log | null>;
  readonly size: bigint;
  readonly root: Uint8Array;
  view(policy: Policy, certificate: Uint8Array): Promise<LogView>;
  /** The entries of the index'th 256, proven to stand in the head's tree. */
  bundle(index: bigint): Promise<Uint8Array[]>;
}

export interface Evidence {
  /** DER */
  certificate: Uint8Array | ArrayBuffer;
  /** The text of GET /_enclave/manifest, over the connection that is judged. */
  manifest?: string | Uint8Array | null;
  collateral?: Collateral | null;
  log?: LogView | null;
  fresh?: { answer: string | Uint8Array; context: Uint8Array; exported: Uint8Array } | null;
  /** The peer has shown in a handshake that it has the certificate's key. */
  live?: boolean;
  /** Seconds since 1970 */
  now?: number;
}

export function verify(policy: Policy, evidence: Evidence): Promise<Result>;

/** Everything that an enclave shows to everybody, asked for and judged. sealed: encrypted
 * requests can be sent, since the page is of the server's own origin. result: null where nothing could be judged. */
export function inspect(
  url: string | URL,
  policy: Policy,
  options?: {
    fetch?: typeof globalThis.fetch;
    sealed?: boolean;
    collateral?: Collateral | null;
    timeout?: number;
    onStep?: (step: Check) => void;
  },
): Promise<{ steps: Check[]; result: Result | null; manifest: Uint8Array | null }>;
/** Name and meaning of each step, in order. */
export const STEPS: readonly (readonly [name: string, meaning: string])[];

export interface Transport {
  open(
    address: URL,
    judge: (evidence: Evidence) => Promise<Result>,
    policy: Policy,
  ): Promise<{ fetch: (target: any, init?: any) => Promise<any>; close: () => Promise<void> }>;
}

/** Requests that are encrypted to the enclave itself, whoever terminates TLS in between. */
export function ohttpTransport(options?: {
  /** What carries the encrypted bytes; the platform's, if it is not given. */
  fetch?: typeof globalThis.fetch;
  /** Where to they are posted; the server's own gateway, if it is not given. */
  relay?: string | URL;
  history?: boolean;
}): Transport;

export interface AttestedFetchOptions extends PolicyOptions {
  collateral?: Collateral | ((certificate: Uint8Array) => Collateral | null | Promise<Collateral | null>) | null;
  /** Judge the server's history though the policy remembers nothing of it. */
  history?: boolean;
  /** Milliseconds for a connection and all that it is judged by; Node alone. */
  timeout?: number;
  /** Called with each result, also of a refusal. */
  onResult?: (result: Result) => void;
  /** Another way to reach the enclave than the platform's: TLS in Node, ohttpTransport() in browsers. */
  transport?: Transport;
}

export interface AttestedFetch {
  (resource: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** Of the connection that was judged last. */
  readonly result: Result;
  readonly policy: Policy;
  close(): Promise<void>;
}

export function attestedFetch(
  url: string | URL,
  policy: Policy | PolicyFile,
  options?: AttestedFetchOptions,
): Promise<AttestedFetch>;

/** Name, weight and meaning of each check, in order. */
export const CHECKS: readonly (readonly [name: string, weight: string, meaning: string])[];
