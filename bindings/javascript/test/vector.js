/** How a vector is judged (verifier/vectors/README.md): used by Node's tests and by the page for browsers. */
import { CHECKS, Log, readPolicy, verify } from "../src/index.js";

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const hex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const MULTIPLE = CHECKS.map(([name]) => name).filter((name) => name === "extension" || name.startsWith("app"));

/** What verify is given for a vector. */
export async function evidenceOf(vector, policy) {
  const certificate = bytes(vector.certificate);
  const evidence = { certificate, live: vector.live, now: Date.parse(vector.now) / 1000, manifest: vector.manifest };
  if (vector.collateral)
    evidence.collateral = Object.fromEntries(Object.entries(vector.collateral).map(([name, text]) => [name, bytes(text)]));
  if (vector.log) {
    const answers = new Map(Object.entries(vector.log));
    const log = await Log.open(async (path) => (answers.has(path) ? bytes(answers.get(path)) : null));
    evidence.log = log && (await log.view(policy, certificate));
  }
  if (vector.fresh)
    evidence.fresh = {
      answer: vector.fresh.answer,
      context: hex(vector.fresh.context),
      exported: hex(vector.fresh.exported),
    };
  return evidence;
}

/** The result, and its outcomes as a vector has them. */
export async function judgeVector(vector) {
  const policy = await readPolicy(vector.policy);
  const result = await verify(policy, await evidenceOf(vector, policy));
  const checks = {};
  for (const { name, outcome } of result.checks) {
    if (!MULTIPLE.includes(name)) checks[name] = outcome;
    else (checks[name] ??= []).push(outcome);
  }
  return { result, checks };
}
