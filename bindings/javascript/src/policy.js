/**
 * A policy file (docs/policy.md): JSON by docs/policy.schema.json, one member for each thing that can be expected. A
 * member that is not known is an error: what it would have asked for cannot be checked.
 */
import { asBytes, compare, equal, hex, readHex, utf8 } from "./bytes.js";
import { TCB_STATUSES } from "./documents.js";
import { parseJson } from "./json.js";
import { Malformed } from "./malformed.js";
import { ROLES } from "./manifest.js";
import { COSIGNATURE, ED25519, parseKey } from "./note.js";
import { OID_INSTANCE, OID_MERKLE_ROOT } from "./oids.js";
import { readUpgradeRule } from "./upgrade_rule.js";
import { readCertificates } from "./x509.js";

const FORMAT = "enclave-os-policy/1";
const INT32_MAX = 0x7fffffff;
const INT64_MAX = (1n << 63n) - 1n;
const LIFETIME_DEFAULT = 86400;
const MOST = { roots: 8, mrenclave: 64, extensions: 16, apps: 256, administrators: 64, predecessors: 256, witnesses: 16 };
const SIZES = { name: 64, limits: 1024, egress: 8192, extension: 1024 };

/** What is wrong with a policy: `field` says where. The only error that reading one ends with. */
export class PolicyError extends Error {
  /** @param {string} field @param {string} words */
  constructor(field, words) {
    super(field ? `${field}: ${words}` : words);
    this.name = "PolicyError";
    this.field = field;
  }
}

/** @returns {never} */
const refuse = (where, words) => {
  throw new PolicyError(where, words);
};

/* ---- values ------------------------------------------------------------------------------------------------------ */

const readBytes = (where, value, size) => value.hex(size) ?? refuse(where, `expected ${2 * size} hex digits`);
const readNumber = (where, value, most) =>
  value.number(most) ?? refuse(where, `expected a whole number from 0 to ${most}`);
const readFlag = (where, value) =>
  value.type === "boolean" ? value.raw() === "true" : refuse(where, "expected true or false");
const readText = (where, value) => value.unescaped() ?? refuse(where, "expected a string of ASCII characters");
/** SHA-256, or null for none. */
const readHashOrNone = (where, value) => (value.type === "null" ? null : readBytes(where, value, 32));
const readList = (where, value, most) => {
  if (value.type !== "array") refuse(where, "expected an array");
  return value.items.length > most ? refuse(where, "there are too many") : value.items;
};

/** Each member by its reader, in the order of the text; readers' names are all that there may be. */
async function readObject(where, object, readers) {
  if (object.type !== "object") refuse(where || "the policy", "expected an object");
  for (const [name, value] of object.members) {
    const place = where ? `${where}.${name.slice(0, 64)}` : name.slice(0, 64);
    if (!Object.hasOwn(readers, name)) refuse(place, "there is no such member");
    await readers[name](place, value);
  }
}

function mustHave(where, object, ...names) {
  for (const name of names) if (!object.members.has(name)) refuse(`${where}.${name}`, "it is missing");
}

async function readPems(where, value, limit, expected) {
  const pem = utf8(readText(where, value));
  return (await readCertificates(pem, limit, true)) ?? refuse(where, `expected ${expected} in PEM, and nothing else`);
}

/** @param {string} text */
const isOid = (text) =>
  text.length < 64 && /^([01]\.[1-3]?[0-9]|2\.(0|[1-9][0-9]*))(\.(0|[1-9][0-9]*))*$/.test(text);

function readExtensions(where, value) {
  if (value.type !== "object") refuse(where, "expected an object");
  const list = [...value.members].map(([oid, expected]) => {
    const bytes = expected.type === "string" ? expected.hex((expected.end - expected.start) >> 1) : null;
    if (!bytes || bytes.length > SIZES.extension) refuse(where, 'expected "OID": "HEX"');
    return isOid(oid) ? { oid, value: bytes } : refuse(where, "it cannot be read");
  });
  return list.length > MOST.extensions ? refuse(where, "there are too many") : list;
}

/* ---- whose ------------------------------------------------------------------------------------------------------- */

function expectInstance(where, policy, instance) {
  if (policy.instance && !equal(policy.instance, instance)) refuse(where, "something else is expected already");
  policy.instance = instance;
}

async function readAdministrator(where, value) {
  const one = { role: "", key: new Uint8Array() };
  await readObject(where, value, {
    role: (at, v) => {
      one.role = v.text(15) ?? "";
      if (!ROLES.includes(one.role)) refuse(at, "expected admin, deploy or monitor");
    },
    key: (at, v) => {
      one.key = readBytes(at, v, 32);
    },
  });
  mustHave(where, value, "role", "key");
  return one;
}

async function readAdministrators(where, value) {
  const read = { threshold: 0, keys: [] };
  await readObject(where, value, {
    threshold: (at, v) => {
      read.threshold = Number(readNumber(at, v, MOST.administrators));
    },
    keys: async (at, v) => {
      for (const item of readList(at, v, MOST.administrators)) read.keys.push(await readAdministrator(at, item));
    },
  });
  mustHave(where, value, "threshold", "keys");
  read.keys.sort((a, b) => compare(a.key, b.key));
  for (let i = 1; i < read.keys.length; i++)
    if (equal(read.keys[i - 1].key, read.keys[i].key)) refuse(where, "it cannot be read");
  return read;
}

/* ---- its history ------------------------------------------------------------------------------------------------- */

async function readWitnesses(where, value) {
  if (value.items.length === 0) refuse(where, "no witness would do");
  const witnesses = [];
  for (const item of readList(where, value, MOST.witnesses)) {
    const key = await parseKey(readText(where, item));
    if (key?.type !== COSIGNATURE) refuse(where, "it cannot be read");
    if (witnesses.some((w) => equal(w.key, key.key))) refuse(where, "one stands twice");
    witnesses.push(key);
  }
  return witnesses;
}

/** A number that is at least 1. */
function readPositive(where, value, most, unit = "") {
  const number = Number(readNumber(where, value, most));
  return number > 0 ? number : refuse(where, `expected 1${unit} at least`);
}

async function readLog(where, value, policy) {
  const log = { key: null, size: null, root: null, witnesses: [], quorum: 0, maxAge: 0 };
  await readObject(where, value, {
    key: (at, v) => void (log.key = readText(at, v)),
    size: (at, v) => void (log.size = readNumber(at, v, INT64_MAX)),
    root: (at, v) => void (log.root = readBytes(at, v, 32)),
    witnesses: async (at, v) => {
      readList(at, v, MOST.witnesses);
      log.witnesses = await readWitnesses(at, v);
    },
    quorum: (at, v) => void (log.quorum = readPositive(at, v, MOST.witnesses)),
    max_age: (at, v) => void (log.maxAge = readPositive(at, v, INT32_MAX, " second")),
  });
  if ((log.size === null) !== (log.root === null) || (log.size !== null && log.key === null))
    refuse(where, "size, root and key stand together, or key alone");
  if ((log.quorum || log.maxAge) && log.witnesses.length === 0) refuse(where, "quorum and max_age are of witnesses");
  if (log.quorum > log.witnesses.length) refuse(`${where}.quorum`, "there are not so many witnesses");
  if (log.key !== null) await expectLog(where, log, policy);
  policy.witnesses = log.witnesses;
  policy.quorum = log.quorum;
  policy.cosignedWithin = log.maxAge;
}

/** The log's name has the instance in it, in lower case. */
async function expectLog(where, log, policy) {
  const key = await parseKey(log.key);
  const origin = key?.type === ED25519 ? /^enclave-os\/([0-9a-f]{64})$/.exec(key.name) : null;
  if (!origin || log.size === 0n) refuse(where, "it cannot be read");
  expectInstance(where, policy, readHex(origin[1]));
  policy.logKey = key;
  if (log.size !== null) policy.heads.push({ size: log.size, root: log.root });
}

/* ---- what it runs ------------------------------------------------------------------------------------------------ */

/** One of a list of places, with its port as leaves have it; null: it is none. @param {string} entry */
function normalPlace(entry) {
  const match = /^([a-z0-9\-_.*]+|\[[a-f0-9:.]+\])(?::([0-9]{1,5}))?$/.exec(entry.toLowerCase());
  const port = match ? Number(match[2] ?? 443) : 0;
  return port > 0 && port <= 65535 ? `${match[1]}:${port}` : null;
}

/** "host[:port],..." in the form that leaves have: lower case, with ports, sorted, each once. Null: one of them is none.
 * @param {string} list */
export function normalEgress(list) {
  if (list.length > SIZES.egress) return null;
  const places = list === "" ? [] : list.split(",").map(normalPlace);
  return places.includes(null) ? null : [...new Set(places)].sort().join(",");
}

function readEgress(where, value) {
  if (value.type !== "array") refuse(where, "expected an array");
  const entries = value.items.map((item) => {
    const text = item.text(511);
    return !text || text.includes(",") ? refuse(where, 'expected "HOST" or "HOST:PORT"') : text;
  });
  const list = entries.join(",");
  if (list.length >= SIZES.egress) refuse(where, "there are too many");
  return normalEgress(list) ?? refuse(where, "it cannot be read");
}

async function readApp(where, value, names) {
  const name = value.type === "object" ? (value.member("name", "string")?.text(SIZES.name) ?? "") : "";
  if (!name) refuse(where, `each needs a name, of 1 to ${SIZES.name} characters`);
  if (names.has(name)) refuse(where, `${name} stands twice`);
  names.add(name);
  /** What is not expected is undefined; settings may be expected to be none (null). */
  const app = { name, sha256: undefined, publisher: undefined, minVersion: undefined, id: undefined };
  await readObject(where, value, {
    name: () => {},
    sha256: (at, v) => void (app.sha256 = readBytes(at, v, 32)),
    publisher: (at, v) => void (app.publisher = readBytes(at, v, 32)),
    min_version: (at, v) => void (app.minVersion = readNumber(at, v, INT64_MAX)),
    id: (at, v) => void (app.id = readBytes(at, v, 16)),
    settings: (at, v) => void (app.settings = readHashOrNone(at, v)),
    egress: (at, v) => void (app.egress = readEgress(at, v)),
  });
  if (app.minVersion !== undefined && !app.publisher) refuse(`${where}.min_version`, "it needs a publisher");
  return app;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

function newPolicy() {
  return {
    mrenclaves: [],
    mrsigner: null,
    prodId: null,
    minSvn: null,
    allowSimulation: false,
    allowDebug: false,
    /** @type {import("./x509.js").Certificate[] | null} */ roots: null,
    requireCollateral: false,
    acceptedTcb: new Set(["UpToDate"]),
    minEvaluationNumber: 0,
    maxLifetime: LIFETIME_DEFAULT,
    extensions: [],
    /** @type {import("./x509.js").Certificate | null} */ issuer: null,
    /** @type {Uint8Array | null} */ instance: null,
    administrators: null,
    upgradeRule: null,
    predecessors: [],
    minGeneration: 0n,
    logKey: null,
    heads: [],
    witnesses: [],
    quorum: 0,
    cosignedWithin: 0,
    /** @type {string | null} */ limits: null,
    egressCa: undefined, // null: there must be none
    apps: [],
    onlyApps: false,
    anyInstance: false,
    requireFresh: false,
  };
}

/** Readers of all members, which fill the policy. */
function membersOf(p, seen) {
  return {
    format: (at, v) => {
      if (v.text(64) !== FORMAT) refuse(at, `expected ${FORMAT}`);
      seen.format = true;
    },
    mrenclave: (at, v) => {
      const list = readList(at, v, MOST.mrenclave);
      if (list.length === 0) refuse(at, "no measurement would do");
      p.mrenclaves = list.map((item) => readBytes(at, item, 32));
    },
    mrsigner: (at, v) => void (p.mrsigner = readBytes(at, v, 32)),
    prod_id: (at, v) => void (p.prodId = Number(readNumber(at, v, 0xffff))),
    min_svn: (at, v) => void (p.minSvn = Number(readNumber(at, v, 0xffff))),
    allow_simulation: (at, v) => void (p.allowSimulation = readFlag(at, v)),
    allow_debug: (at, v) => void (p.allowDebug = readFlag(at, v)),
    roots: async (at, v) => void (p.roots = await readPems(at, v, MOST.roots, "1 to 8 certificates")),
    issuer: async (at, v) => void (p.issuer = (await readPems(at, v, 1, "one certificate"))[0]),
    collateral: (at, v) =>
      readObject(at, v, {
        required: (where, flag) => void (p.requireCollateral = readFlag(where, flag)),
        accept_tcb: (where, list) => {
          for (const item of readList(where, list, 64)) {
            const status = item.text(63) ?? "";
            if (!TCB_STATUSES.includes(status) || status === "Unknown" || status === "Revoked")
              refuse(where, "one is not a status that can be accepted");
            p.acceptedTcb.add(status);
          }
        },
        min_evaluation_number: (where, n) => void (p.minEvaluationNumber = Number(readNumber(where, n, 0xffffffff))),
      }),
    max_lifetime: (at, v) => void (p.maxLifetime = Number(readNumber(at, v, INT32_MAX))),
    extensions: (at, v) => void (p.extensions = readExtensions(at, v)),
    instance: (at, v) => expectInstance(at, p, readBytes(at, v, 32)),
    administrators: async (at, v) => void (p.administrators = await readAdministrators(at, v)),
    upgrade_rule: (at, v) =>
      void (p.upgradeRule = readUpgradeRule(v) ?? refuse(at, "expected a rule as the leaf upgrade-rule has it")),
    predecessors: (at, v) =>
      void (p.predecessors = readList(at, v, MOST.predecessors).map((item) => readBytes(at, item, 32))),
    min_generation: (at, v) => void (p.minGeneration = readNumber(at, v, INT64_MAX)),
    log: (at, v) => readLog(at, v, p),
    limits: (at, v) => {
      p.limits = readText(at, v);
      if (p.limits.length > SIZES.limits) refuse(at, "it cannot be read");
    },
    egress_ca: (at, v) => void (p.egressCa = readHashOrNone(at, v)),
    apps: async (at, v) => {
      const names = new Set();
      for (const item of readList(at, v, MOST.apps)) p.apps.push(await readApp(at, item, names));
    },
    only_apps: (at, v) => void (p.onlyApps = readFlag(at, v)),
  };
}

/** @typedef {ReturnType<typeof newPolicy>} Policy */

/**
 * Reads a policy file. Beside the file, a caller may take any instance of the program (`anyInstance`), and want evidence
 * that was made for the very connection (`fresh`).
 * @param {string | Uint8Array | object} file its text; or what JSON.parse made of it, in which names stand once by then
 * @param {{anyInstance?: boolean, fresh?: boolean}} [options]
 * @returns {Promise<Readonly<Policy>>}
 * @throws {PolicyError} and nothing else
 */
export async function readPolicy(file, options = {}) {
  const policy = newPolicy();
  const seen = { format: false };
  let value;
  try {
    const bytes = asBytes(file) ?? utf8(typeof file === "string" ? file : (JSON.stringify(file) ?? ""));
    value = parseJson(bytes);
  } catch (error) {
    if (error instanceof Malformed) refuse("", `no JSON as it should be: ${error.message}`);
    refuse("", "no JSON as it should be: an object that cannot be written as JSON");
  }
  await readObject("", value, membersOf(policy, seen));
  if (!seen.format) refuse("format", `it is missing: expected "${FORMAT}"`);
  policy.anyInstance = options.anyInstance === true;
  policy.requireFresh = options.fresh === true;
  return Object.freeze(policy);
}

/* ---- what a policy asks for -------------------------------------------------------------------------------------- */

/** Whether it wants what only a manifest tells. @param {Policy} p */
export const needsManifest = (p) =>
  p.administrators !== null || p.upgradeRule !== null || p.limits !== null || p.egressCa !== undefined || p.onlyApps ||
  p.apps.some((a) => [a.sha256, a.publisher, a.id, a.settings, a.egress].some((expected) => expected !== undefined));

/** Whether it wants what only the log tells. @param {Policy} p */
export const needsLog = (p) => p.heads.length > 0 || p.witnesses.length > 0;

/** Whether it says whose enclave it is to be, as a verdict judges: without that nothing comes to "verified". That nobody
 * administers is true of anybody's who gives no key. @param {Policy} p */
export function namesInstance(p) {
  const whose =
    p.instance !== null || (p.administrators !== null && p.administrators.keys.length > 0) ||
    p.extensions.some((e) => e.oid === OID_MERKLE_ROOT || e.oid === OID_INSTANCE);
  return p.anyInstance || p.issuer !== null || (whose && (p.mrenclaves.length > 0 || p.mrsigner !== null));
}

/** For errors and reasons. @param {Policy} p */
export const instanceText = (p) => (p.instance ? hex(p.instance) : "any");
