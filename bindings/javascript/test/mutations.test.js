/**
 * Every input of good cases with something wrong in it, by a seed: there is always a result, and one that accepts is the
 * same as before, so that what changed meant nothing (a space in JSON, a comment in PEM).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Log, NoAnswer, PolicyError, readPolicy, verify } from "../src/index.js";
import { VECTORS } from "./folders.js";
import { mutate, randomFrom } from "./random.js";
import { evidenceOf } from "./vector.js";

const TIMES = Number(process.env.MUTATIONS ?? 40); // of each input
const seed = Number(process.env.SEED ?? Date.now() % 1000000);
const encode = (text) => new TextEncoder().encode(text);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
console.log(`SEED=${seed} MUTATIONS=${TIMES}`);

const said = (result) => JSON.stringify({ ...result.toJSON(), checks: result.checks.map((c) => [c.name, c.outcome]) });

/** What comes of each change to one input. */
async function tryAll(t, name, input, judge) {
  const random = randomFrom(seed ^ (name.length * 7919));
  const before = said(await judge(input));
  let accepted = 0;
  for (let i = 0; i < TIMES; i++) {
    const changed = mutate(input, random);
    let result = null;
    try {
      result = await judge(changed);
    } catch (error) {
      if (error instanceof PolicyError || error instanceof NoAnswer) continue;
      throw new Error(`SEED=${seed} ${name}, change ${i}: ${error.stack}`);
    }
    if (result.verdict === "refused") continue;
    accepted++;
    assert.equal(said(result), before, `SEED=${seed} ${name}, change ${i}: accepted, as something else`);
  }
  t.diagnostic(`${accepted} of ${TIMES} changes meant nothing`);
  return accepted;
}

for (const file of ["good-all", "good-issuer", "good-simulation", "good-dice", "good-dice-alone"]) {
  const vector = JSON.parse(readFileSync(`${VECTORS}/${file}.json`, "utf8"));
  const policy = await readPolicy(vector.policy);
  const evidence = await evidenceOf(vector, policy);
  const judge = (change) => verify(policy, { ...evidence, ...change });

  test(`${file}: certificate`, async (t) => {
    const accepted = await tryAll(t, "certificate", evidence.certificate, (certificate) => judge({ certificate }));
    if (policy.issuer) assert.equal(accepted, 0, "its issuer's signature covers all of it");
  });
  for (const [name, document] of Object.entries(evidence.collateral ?? {}))
    test(`${file}: ${name}`, (t) =>
      tryAll(t, name, document, (changed) => judge({ collateral: { ...evidence.collateral, [name]: changed } })));
  if (vector.manifest)
    test(`${file}: manifest`, (t) => tryAll(t, "manifest", encode(vector.manifest), (manifest) => judge({ manifest })));
  if (vector.fresh)
    test(`${file}: fresh evidence`, (t) =>
      tryAll(t, "fresh", encode(vector.fresh.answer), (answer) => judge({ fresh: { ...evidence.fresh, answer } })));
  for (const [path, answer] of Object.entries(vector.log ?? {}))
    test(`${file}: log, ${path}`, (t) =>
      tryAll(t, path, bytes(answer), async (changed) => {
        const fetch = async (asked) => (asked === path ? changed : vector.log[asked] ? bytes(vector.log[asked]) : null);
        const log = await Log.open(fetch);
        return judge({ log: log && (await log.view(policy, evidence.certificate)) });
      }));
  test(`${file}: policy file`, async (t) => {
    // A policy that is read may well ask for less; what must not be is another error, or a hang.
    const random = randomFrom(seed);
    const text = encode(JSON.stringify(vector.policy));
    let read = 0;
    for (let i = 0; i < TIMES; i++) {
      try {
        const changed = await readPolicy(mutate(text, random));
        assert.ok((await verify(changed, evidence)).checks.length >= 57);
        read++;
      } catch (error) {
        assert.ok(error instanceof PolicyError, `SEED=${seed} change ${i}: ${error.stack}`);
      }
    }
    t.diagnostic(`${read} of ${TIMES} could be read`);
  });
}
