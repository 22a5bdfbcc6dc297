/** TCB info version 3 and QE identity version 2 (Intel PCS API version 4), read. Throws Malformed. */
import { malformed } from "./malformed.js";
import { parseJson } from "./json.js";
import { parseTime } from "./time.js";

const LEVELS_MAX = 256;
const ADVISORIES_MAX = 64; // of one level
const ADVISORY_SIZE_MAX = 31;

/** States of a platform, worst last. */
export const TCB_STATUSES = Object.freeze([
  "Unknown",
  "UpToDate",
  "SWHardeningNeeded",
  "ConfigurationNeeded",
  "ConfigurationAndSWHardeningNeeded",
  "OutOfDate",
  "OutOfDateConfigurationNeeded",
  "Revoked",
]);

const time = (object, name) => parseTime(object.member(name, "string")?.text(32) ?? "");
const number = (object, name, most) => {
  const value = object.member(name, "number")?.number(most) ?? null;
  return value === null ? null : Number(value);
};
const bytes = (object, name, size) => object.member(name, "string")?.hex(size) ?? null;
const isText = (object, name, expected) => object.member(name, "string")?.text(16) === expected;

function readAdvisories(level) {
  const list = level.member("advisoryIDs", "array");
  if (!list) return [];
  const texts = list.items.map((item) => item.text(ADVISORY_SIZE_MAX));
  return list.items.length > ADVISORIES_MAX || texts.includes(null) ? null : texts;
}

/** What levels of both kinds have; null: malformed. */
function readLevel(level) {
  const status = level.member("tcbStatus", "string")?.text(63) ?? "";
  const date = time(level, "tcbDate");
  const advisories = readAdvisories(level);
  if (!TCB_STATUSES.includes(status) || status === "Unknown" || date === null || !advisories) return null;
  return { status, date, advisories };
}

function readPlatformLevel(level) {
  const common = readLevel(level);
  const tcb = level.member("tcb", "object");
  const list = tcb?.member("sgxtcbcomponents", "array")?.items ?? [];
  const pceSvn = tcb ? number(tcb, "pcesvn", 0xffff) : null;
  const components = list.map((item) => number(item, "svn", 0xff));
  if (!common || components.length !== 16 || pceSvn === null || components.includes(null)) return null;
  return { ...common, components: Uint8Array.from(components), pceSvn };
}

function readQuotingLevel(level) {
  const common = readLevel(level);
  const tcb = level.member("tcb", "object");
  const svn = tcb ? number(tcb, "isvsvn", 0xffff) : null;
  // A quoting enclave is not hardened by its software.
  return common && svn !== null && !common.status.includes("SWHardening") ? { ...common, svn } : null;
}

/** A document {"NAME":{...},"signature":"..."}: what both kinds have in common, and the bytes that are signed. */
function openDocument(text, name, readOne) {
  const all = parseJson(text);
  const inner = all.member(name, "object");
  const signature = bytes(all, "signature", 64);
  if (!inner || !signature) malformed("not an object with its kind's name and a signature");
  const issued = time(inner, "issueDate");
  const nextUpdate = time(inner, "nextUpdate");
  if (issued === null || nextUpdate === null) malformed("its issueDate or nextUpdate is malformed");
  const evaluationNumber = number(inner, "tcbEvaluationDataNumber", 0xffffffff);
  if (evaluationNumber === null) malformed("its tcbEvaluationDataNumber is malformed");
  const list = inner.member("tcbLevels", "array")?.items ?? [];
  if (list.length === 0 || list.length > LEVELS_MAX) malformed("it has no tcbLevels, or too many");
  const signed = text.subarray(inner.start, inner.end);
  const levels = () => list.map((level) => readOne(level) ?? malformed("one of its tcbLevels is malformed"));
  return { inner, levels, document: { signature, signed, issued, nextUpdate, evaluationNumber } };
}

/** @param {Uint8Array} text */
export function readTcbInfo(text) {
  const { inner, levels, document } = openDocument(text, "tcbInfo", readPlatformLevel);
  if (!isText(inner, "id", "SGX") || number(inner, "version", 3) !== 3) malformed("not TCB info version 3 of SGX");
  if (number(inner, "tcbType", 0) !== 0) malformed("of an unknown tcbType");
  const fmspc = bytes(inner, "fmspc", 6);
  const pceId = bytes(inner, "pceId", 2);
  if (!fmspc || !pceId) malformed("its fmspc or pceId is malformed");
  return { ...document, fmspc, pceId, levels: levels() };
}

/** @param {Uint8Array} text */
export function readQeIdentity(text) {
  const { inner, levels, document } = openDocument(text, "enclaveIdentity", readQuotingLevel);
  if (!isText(inner, "id", "QE") || number(inner, "version", 2) !== 2)
    malformed("not the identity, version 2, of SGX's quoting enclave");
  const fields = {
    miscselect: bytes(inner, "miscselect", 4),
    miscselectMask: bytes(inner, "miscselectMask", 4),
    attributes: bytes(inner, "attributes", 16),
    attributesMask: bytes(inner, "attributesMask", 16),
    mrsigner: bytes(inner, "mrsigner", 32),
    prodId: number(inner, "isvprodid", 0xffff),
  };
  if (Object.values(fields).includes(null)) malformed("one of its fields is malformed");
  return { ...document, ...fields, levels: levels() };
}
