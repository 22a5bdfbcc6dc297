/** Binary HTTP and key configurations, which come from strangers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readResponse, writeRequest } from "../src/bhttp.js";
import { hex, readHex, utf8 } from "../src/bytes.js";
import { readKeys, seal } from "../src/hpke.js";
import { Malformed } from "../src/malformed.js";
import { mutate, randomFrom } from "./random.js";

const seed = Number(process.env.SEED ?? Date.now() % 1000000);
const ascii = (text) => hex(utf8(text));

test("a request is written as RFC 9292 has it", () => {
  const fields = [["user-agent", "curl"]];
  const request = { method: "GET", authority: "a.example", path: "/hello", fields, content: utf8("x".repeat(100)) };
  const expected = `0003${ascii("GET")}05${ascii("https")}09${ascii("a.example")}06${ascii("/hello")}`;
  const rest = `100a${ascii("user-agent")}04${ascii("curl")}4064${ascii("x".repeat(100))}00`;
  assert.equal(hex(writeRequest(request)), expected + rest);
});

const response = `0140c8${"11"}0c${ascii("content-type")}03${ascii("a/b")}02${ascii("hi")}00`;

test("a response is read", () => {
  const { status, fields, content } = readResponse(readHex(`${response}0000`));
  assert.deepEqual([status, fields, hex(content)], [200, [["content-type", "a/b"]], ascii("hi")]);
  const wrong = ["", "00", "01", "014064", "0140c8", `${response}01`, response.replace("0140c8", "0340c8"), "0140c8c0ffffffffffffff"];
  for (const text of wrong) assert.throws(() => readResponse(readHex(text)), Malformed, text);
  for (const name of ["A", "a b", "a:", ""])
    assert.throws(() => readResponse(readHex(`0140c8${hex(Uint8Array.of(name.length + 2, name.length))}${ascii(name)}000000`)), Malformed, name);
});

const key = "11".repeat(32);
const config = `002d070020${key}000800010001${"00010003"}`;

test("a key configuration is read", () => {
  assert.deepEqual(readKeys(readHex(config)), { id: 7, key: readHex(key) });
  assert.deepEqual(readKeys(readHex(`0003000021${config}`)).id, 7);
  for (const text of ["", "002d", config.slice(0, -2), config.replace("0008", "0007"), config.replace("00010001", "00020002"), "0003000021"])
    assert.throws(() => readKeys(readHex(text)), Malformed, text);
});

test("whatever is changed in them is malformed, or another value", async (t) => {
  const random = randomFrom(seed);
  t.diagnostic(`SEED=${seed}`);
  const quiet = (read) => {
    try {
      read();
    } catch (error) {
      assert.ok(error instanceof Malformed, `SEED=${seed}: ${error.stack}`);
    }
  };
  for (let i = 0; i < 2000; i++) {
    quiet(() => readResponse(mutate(readHex(response), random)));
    quiet(() => readKeys(mutate(readHex(config), random)));
  }
});

test("an answer that is not to this request is none", async () => {
  const { publicKey } = await crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]);
  const to = { id: 1, key: new Uint8Array(await crypto.subtle.exportKey("raw", publicKey)) };
  const { message, open } = await seal(to, utf8("plain"));
  assert.equal(hex(message.subarray(0, 7)), "01002000010001");
  assert.equal(message.length, 7 + 32 + 5 + 16);
  for (const small of ["00".repeat(32), `01${"00".repeat(31)}`])
    await assert.rejects(seal({ id: 1, key: readHex(small) }, utf8("plain")), Malformed, small);
  for (const size of [0, 15, 16, 31, 32, 100]) await assert.rejects(open(new Uint8Array(size)), Malformed);
});
