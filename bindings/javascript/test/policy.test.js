/** Policy files: those that the C library reads and those that it refuses, and what errors say. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { PolicyError, namesInstance, needsLog, needsManifest, readPolicy } from "../src/index.js";
import { POLICIES, POLICY_SCHEMA } from "./folders.js";

const names = readdirSync(POLICIES);
const format = '"format":"enclave-os-policy/1"';

test("there are enough of them", () => assert.ok(names.length > 60));
for (const name of names) {
  test(`policy ${name}`, async () => {
    const text = readFileSync(`${POLICIES}/${name}`);
    if (name.startsWith("good-")) assert.ok(Object.isFrozen(await readPolicy(text)));
    else await assert.rejects(readPolicy(text), PolicyError);
  });
}

test("errors name the field", async () => {
  const cases = [
    [`{${format},"mrsigner":"00"}`, "mrsigner", /expected 64 hex digits/],
    [`{${format},"collateral":{"min":1}}`, "collateral.min", /there is no such member/],
    [`{${format},"apps":[{"name":"a"},{"name":"a"}]}`, "apps", /a stands twice/],
    [`{${format},"apps":[{"name":"a","id":1}]}`, "apps.id", /expected 32 hex digits/],
    [`{${format},"limits":"a\\u0000b"}`, "limits", /expected a string of ASCII/],
    [`{${format},"limits":"a","limits":"b"}`, "", /a name that stands twice/],
    [`{${format}`, "", /no JSON as it should be/],
    ['{"mrsigner":null}', "mrsigner", /expected 64 hex digits/],
    ["{}", "format", /it is missing/],
    ["[]", "", /the policy: expected an object/],
    [`{${format},"administrators":{"threshold":1}}`, "administrators.keys", /it is missing/],
    [`{${format},"log":{"quorum":1}}`, "log", /quorum and max_age are of witnesses/],
    [`{${format},"__proto__":{}}`, "__proto__", /there is no such member/],
    [`{${format},"constructor":1}`, "constructor", /there is no such member/],
    [`{${format},"mrenclave":[${Array(65).fill(`"${"00".repeat(32)}"`)}]}`, "mrenclave", /too many/],
  ];
  for (const [text, field, words] of cases) {
    await assert.rejects(readPolicy(text), (error) => {
      assert.ok(error instanceof PolicyError, `${text}: ${error.stack}`);
      const place = error.field || (error.message.startsWith("the policy") ? "" : error.field);
      assert.equal(place === "the policy" ? "" : place, field, text);
      assert.match(error.message, words);
      return true;
    });
  }
});

test("what is no policy at all", async () => {
  const cyclic = {};
  cyclic.self = cyclic;
  for (const nothing of [null, undefined, 1, true, "", new Uint8Array(), cyclic, { a: 1n }, "[".repeat(100000)])
    await assert.rejects(readPolicy(nothing), PolicyError);
});

test("members are those of the schema", async () => {
  const schema = JSON.parse(readFileSync(POLICY_SCHEMA, "utf8"));
  for (const name of Object.keys(schema.properties))
    await assert.rejects(readPolicy(`{"${name}":{"no such":1}}`), (error) => {
      assert.doesNotMatch(error.message, new RegExp(`^${name}: there is no such member`), name);
      return true;
    });
});

test("what a policy asks for", async () => {
  const hash = "00".repeat(32);
  const read = (members, options) => readPolicy({ format: "enclave-os-policy/1", ...members }, options);
  assert.equal(namesInstance(await read({ mrenclave: [hash] })), false);
  assert.equal(namesInstance(await read({ mrenclave: [hash] }, { anyInstance: true })), true);
  assert.equal(namesInstance(await read({ mrenclave: [hash], instance: hash })), true);
  assert.equal(namesInstance(await read({ instance: hash })), false);
  assert.equal(needsManifest(await read({ apps: [{ name: "a" }] })), false);
  assert.equal(needsManifest(await read({ apps: [{ name: "a", settings: null }] })), true);
  assert.equal(needsManifest(await read({ egress_ca: null })), true);
  assert.equal(needsLog(await read({})), false);
});
