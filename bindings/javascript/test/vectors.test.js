/** The cases that libraries in all languages judge alike (verifier/vectors). */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { VECTORS } from "./folders.js";
import { judgeVector } from "./vector.js";

const names = readdirSync(VECTORS).filter((name) => name.endsWith(".json"));

test("there are enough of them", () => assert.ok(names.length > 150, `${names.length} in ${VECTORS}`));
for (const name of names) {
  test(`vector ${name}`, async () => {
    const vector = JSON.parse(readFileSync(`${VECTORS}/${name}`, "utf8"));
    const { result, checks } = await judgeVector(vector);
    const reasons = JSON.stringify(result.checks.filter((check) => check.outcome !== "passed"));
    assert.deepEqual(checks, vector.checks, reasons);
    assert.equal(result.verdict, vector.verdict);
  });
}
