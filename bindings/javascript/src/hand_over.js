/**
 * By what an image has the instance that another one had before: the log's entry of the hand-over, or of the recovery,
 * under the head in the certificate. It is the reason of a measurement that has changed; whether the caller accepts the
 * new one is the policy's to say.
 */
import { equal, hex } from "./bytes.js";
import { parseJson } from "./json.js";
import { Malformed, attempt } from "./malformed.js";
import { inclusionHolds } from "./merkle.js";
import { FAILED, PASSED } from "./result.js";
import { formatTime } from "./time.js";
import { lineageOf } from "./upgrades.js";

const ENTRY_SIZE_MAX = 4096;
const KINDS = ["hand-over", "recovery"];
const name = "hand-over";

const kindOf = (entry) => {
  const kind = entry.type === "object" ? entry.member("kind", "string")?.text(15) : null;
  return KINDS.includes(kind) ? kind : null;
};

/** Whether an entry of the log is one by which an image came to have the instance. @param {Uint8Array} data */
export function isHandOver(data) {
  try {
    return kindOf(parseJson(data)) !== null;
  } catch (error) {
    if (error instanceof Malformed) return false;
    throw error;
  }
}

/** The entry is proven: whether it is of this image. */
function judge(v, entry, index) {
  const kind = kindOf(entry);
  const measurement = entry.member("measurement", "string")?.hex(32);
  if (!kind || !measurement) return v.fail(name, `entry ${index} is none of a hand-over`);
  const time = entry.member("time", "number")?.number((1n << 63n) - 1n) ?? null;
  const askers = (entry.member("by", "array")?.items ?? []).map((item) => item.hex(32)).filter(Boolean);
  const by = askers.length > 0 ? `, by ${askers.slice(0, 6).map((key) => hex(key.subarray(0, 8))).join(", ")}` : "";
  const same = v.claims.mrenclave && equal(measurement, v.claims.mrenclave);
  const when = time === null ? "an unknown time" : formatTime(Number(time));
  const words = `${kind}: entry ${index}, of ${when}: to ${hex(measurement)}${by}`;
  v.claims.handOver = { index, entry: entry.raw() };
  return v.set(name, 0, same ? PASSED : FAILED, same ? words : `${words}, which is not this image`);
}

async function checkEntry(v, { index, size, data, path }) {
  const head = v.claims.logHead;
  const holds =
    data.length <= ENTRY_SIZE_MAX && head?.size === size &&
    (await inclusionHolds({ leafIndex: index, treeSize: size, path }, data, head.root));
  if (!holds) return v.fail(name, "the entry that was shown is not proven to stand under the certificate's head");
  const { value: entry } = await attempt(() => parseJson(data));
  return entry ? judge(v, entry, index) : v.fail(name, `entry ${index} is malformed`);
}

function historyHolds(v) {
  const outcome = (check) => v.result.records[v.result.find(check)].outcome;
  return outcome("log checkpoint") === PASSED && outcome("log history") !== FAILED;
}

/** @param {import("./verification.js").Verification} v */
export async function checkHandOver(v) {
  const { log } = v;
  const lineage = lineageOf(v)?.length ?? 0;
  if (!log || log.searched === "no")
    return v.skip(name, lineage ? "the history was not asked for it" : "no other image has had it before");
  if (!historyHolds(v)) return undefined;
  if (log.handOver) return checkEntry(v, log.handOver);
  if (log.searched === "not answered")
    return v.skip(name, "the server did not show all entries of its history: it may have lost some");
  if (log.searched === "refused")
    return v.fail(name, "the server does not show all entries of its history, or shows false ones");
  if (lineage && log.searched === "all")
    return v.fail(name, `${lineage / 32} images have had it before, and no entry of the history says how`);
  return v.skip(
    name,
    lineage ? "it was longer ago than 65536 entries" : "there was none since the caller has seen it",
  );
}
