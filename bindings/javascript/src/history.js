/**
 * The instance's log: its key and head in the certificate, the head that the server shows, and whether what the caller
 * has seen before still stands in it. The key signs nothing but heads, and lives in the enclave; a head that it has
 * signed, and that does not go on from another one, is a rewritten history.
 */
import { bigEndian, equal, hex } from "./bytes.js";
import { consistencyRoots } from "./merkle.js";
import { ED25519, keyText, makeKey, parseCheckpoint, parseNote, verifyNote } from "./note.js";
import { OID_LOG_HEAD, OID_LOG_KEY } from "./oids.js";
import { needsLog } from "./policy.js";
import { FAILED, NOT_CHECKED, PASSED } from "./result.js";


/** @typedef {import("./verification.js").Verification} Verification */

const headText = ({ size, root }) => `${size} entries, root ${hex(root)}`;

/* ---- what the certificate says -------------------------------------------------------------------------------------- */

async function checkKey(v, h) {
  const expected = v.policy.logKey;
  const { value, differs } = v.lookTwice(OID_LOG_KEY, "log-key", 32);
  v.claims.logKey = value;
  h.key = value && v.claims.instance ? await makeKey(`enclave-os/${hex(v.claims.instance)}`, ED25519, value) : null;
  v.claims.logKeyNamed = h.key;
  const same = h.key && expected && h.key.name === expected.name && equal(h.key.key, expected.key);
  h.wrong = differs || (expected !== null && !same);
  const text = h.key ? keyText(h.key) : "";
  if (differs) v.fail("log key", "the certificate has another one than the manifest");
  else if (!expected && h.key) v.skip("log key", `${text} (not known to the caller)`);
  else if (!expected) v.skip("log key", "the certificate does not name one (and none is known to the caller)");
  else if (!h.key) v.fail("log key", `the certificate does not name one, expected ${keyText(expected)}`);
  else if (h.wrong) v.fail("log key", `${text}, expected ${keyText(expected)}`);
  else v.pass("log key", text);
}

function checkHead(v, h) {
  const bytes = v.extension(OID_LOG_HEAD, 40);
  if (!bytes) {
    h.wrong ||= needsLog(v.policy);
    v.set("log head", 0, h.wrong ? FAILED : NOT_CHECKED, "the certificate does not carry one");
    return;
  }
  const head = { size: bigEndian(bytes), root: bytes.subarray(8) };
  if (head.size === 0n || head.size >= 1n << 63n) {
    h.wrong = true;
    v.fail("log head", `${head.size} entries are no log's`);
  } else if (!v.bound) {
    v.skip("log head", `${headText(head)}; extensions: not bound (no live handshake, no pinned issuer)`);
  } else {
    v.claims.logHead = head;
    v.pass("log head", headText(head));
  }
}

/* ---- what the server shows ------------------------------------------------------------------------------------------ */

/** Null if the checkpoint's tree begins with this one; else what is wrong, for "and HEAD: " + text. */
async function judgeHead(v, h, { size, root }) {
  const now = h.checkpoint;
  if (size > now.size) return "it has become shorter";
  if (size === now.size) return equal(root, now.root) ? null : "its entries are other ones";
  const path = v.log.proofs.get(size);
  if (!path) return "it does not prove that it begins with what was seen";
  const roots = await consistencyRoots({ oldSize: size, newSize: now.size, path });
  if (!roots || !equal(roots.newRoot, now.root)) return "the hashes that it shows do not make its root";
  return equal(roots.oldRoot, root) ? null : "its first entries are other ones";
}

async function readCheckpoint(v, h) {
  h.note = parseNote(v.log.checkpoint);
  h.checkpoint = h.note && parseCheckpoint(h.note);
  if (!h.checkpoint) return "it is malformed";
  if (h.checkpoint.origin !== h.key.name) return "it is another log's";
  const { outcome } = await verifyNote(h.note, h.key);
  if (outcome === "missing") return "it is not signed by the certificate's key";
  return outcome === "held" ? null : "its signature does not hold";
}

async function checkCheckpoint(v, h) {
  const name = "log checkpoint";
  const certified = v.claims.logHead;
  if (h.wrong) return;
  if (!v.log) {
    if (needsLog(v.policy)) v.fail(name, "none was shown, and the caller's expectations need it");
    else v.skip(name, "none was asked for");
    return;
  }
  if (!h.key || !certified) {
    v.skip(name, "the certificate, as far as it is bound, does not name key and head");
    return;
  }
  const wrong = await readCheckpoint(v, h);
  if (wrong) {
    h.checkpoint = null;
    v.fail(name, wrong);
    return;
  }
  v.claims.checkpoint = { size: h.checkpoint.size, root: h.checkpoint.root };
  const broken = await judgeHead(v, h, certified);
  const text = headText(h.checkpoint);
  if (broken) v.fail(name, `${text}; the certificate has ${headText(certified)}: ${broken}`);
  else v.pass(name, text);
}

async function checkRemembered(v, h) {
  const { heads } = v.policy;
  const name = "log history";
  if (heads.length === 0) return v.skip(name, "the caller has not seen it before");
  if (!h.checkpoint) return undefined;
  let most = 0n;
  for (const head of heads) {
    const wrong = await judgeHead(v, h, head);
    if (wrong) return v.fail(name, `seen before: ${headText(head)}; shown now: ${headText(h.checkpoint)}: ${wrong}`);
    if (head.size > most) most = head.size;
  }
  return v.pass(name, `the ${most} entries that were seen before, and ${h.checkpoint.size - most} since`);
}

async function checkWitnesses(v, h) {
  const { witnesses, cosignedWithin: most } = v.policy;
  const needed = v.policy.quorum || witnesses.length;
  if (witnesses.length === 0) return v.skip("log witnesses", "the caller names none");
  if (!h.checkpoint) return undefined;
  const words = [];
  let count = 0;
  for (const witness of witnesses) {
    const { outcome, time } = await verifyNote(h.note, witness);
    const age = v.now - Number(time);
    if (outcome === "held" && (most === 0 || (age <= most && age >= -most))) count++;
    const came = { missing: "no cosignature", false: "a false cosignature", held: `${age} s ago` }[outcome];
    words.push(`${witness.name.slice(0, 40)}: ${came}`);
  }
  v.claims.cosigned = count;
  const within = most ? ` within ${most} s` : "";
  const text = `${count} of ${witnesses.length}, ${needed} are needed${within} (${words.join(", ").slice(0, 255)})`;
  return v.set("log witnesses", 0, count >= needed ? PASSED : FAILED, text);
}

/** @param {Verification} v */
export async function checkHistory(v) {
  const h = { key: null, wrong: false, note: null, checkpoint: null };
  await checkKey(v, h);
  checkHead(v, h);
  await checkCheckpoint(v, h);
  await checkRemembered(v, h);
  await checkWitnesses(v, h);
}
