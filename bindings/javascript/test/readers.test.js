/** What reads strangers' bytes, one reader at a time; and certificates held against Node's own reading of them. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { base64url, hex, readBase64, readBase64url, readHex, utf8 } from "../src/bytes.js";
import { CHECKS } from "../src/checks.js";
import { readDer } from "../src/der.js";
import { parseJson } from "../src/json.js";
import { Malformed } from "../src/malformed.js";
import { readPem } from "../src/pem.js";
import { formatTime, parseTime } from "../src/time.js";
import { Certificate } from "../src/x509.js";
import { CHECKS_IN_C, VECTORS } from "./folders.js";

test("checks are those of the C library", () => {
  const weights = { OPTIONAL: "optional", ALWAYS: "always", OF_CERTIFICATE: "of certificate", OF_COLLATERAL: "of collateral" };
  const rows = readFileSync(CHECKS_IN_C, "utf8").matchAll(/X\(\w+, (\w+), "([^"]*)", "([^"]*)"\)/g);
  assert.deepEqual(CHECKS, [...rows].map(([, weight, name, meaning]) => [name, weights[weight], meaning]));
});

test("JSON", () => {
  const right = ["0", "-1.5e+3", '"\\u00e9 \\n é"', "[]", '{"a":[1,{"b":null}],"c":true}', " [ 1 , 2 ] ", `${"[".repeat(16)}${"]".repeat(16)}`];
  const wrong = [
    ...["", "01", "1.", "+1", "[1,]", "[,1]", '{"a":1,}', '{"a"}', "{a:1}", '{"a":1,"a":2}', '{"\\u0061":1}', "tru", "nul"],
    ...['"', '"\n"', '"\\x"', '"\\u12"', "1 2", "[1", "NaN", `${"[".repeat(17)}${"]".repeat(17)}`, `[${"0,".repeat(70000)}0]`],
    `{${Array.from({ length: 65 }, (_, i) => `"${i}":0`)}}`,
  ];
  for (const text of right) assert.ok(parseJson(utf8(text)), text);
  for (const text of wrong) assert.throws(() => parseJson(utf8(text)), Malformed, text.slice(0, 40));
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xc3, 0x22)), Malformed);
  assert.throws(() => parseJson(new Uint8Array((1 << 20) + 1)), Malformed);
  const all = parseJson(utf8('{"n":9223372036854775807,"s":"a\\u0041","h":"0aFF"}'));
  assert.equal(all.member("n").number((1n << 63n) - 1n), (1n << 63n) - 1n);
  assert.equal(all.member("n").number((1n << 63n) - 2n), null);
  assert.equal(all.member("s").text(), null);
  assert.equal(all.member("s").unescaped(), "aA");
  assert.equal(hex(all.member("h").hex(2)), "0aff");
  assert.equal(all.member("h").hex(1), null);
});

test("DER", () => {
  const right = ["0500", "3000", "30030101ff", "020100", `0481${"80"}${"00".repeat(128)}`];
  const wrong = [
    ...["", "30", "3001", "300000", "3080" + "0000", "048100", "04820001ff", "1f8101" + "00", "30020101"],
    "3081" + "03" + "0101ff", // a length that needs no second byte
    "30".repeat(40),
    "17022d2d", // times that are none
    "1802" + "2d2d",
  ];
  for (const text of right) assert.ok(readDer(readHex(text)), text);
  for (const text of wrong) assert.throws(() => readDer(readHex(text)), Malformed, text);
  const deep = Array.from({ length: 100 }).reduce((inner) => Uint8Array.of(0x30, inner.length, ...inner), Uint8Array.of(5, 0));
  assert.throws(() => readDer(deep.length < 256 ? deep : deep.subarray(0, 255)), Malformed);
  const many = Uint8Array.of(0x30, 0x82, 0xff, 0xfe, ...Array(0xfffe).fill(0).map((_, i) => (i % 2 ? 0 : 5)));
  assert.throws(() => readDer(many), Malformed);
  assert.equal(readDer(readHex("06092a864886f84d010d01")).oid(), "1.2.840.113741.1.13.1");
  assert.throws(() => readDer(readHex("06022a80")).oid(), Malformed);
  assert.throws(() => readDer(readHex("06038001" + "01")).oid(), Malformed);
  assert.throws(() => readDer(readHex("02020001")).integer(), Malformed);
  assert.throws(() => readDer(readHex("010101")).boolean(), Malformed);
});

test("PEM", () => {
  const block = (label, text = "AAAA") => `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`;
  const read = (text, strict) => readPem(utf8(text), "A", 2, strict).length;
  assert.equal(read(`a comment\n${block("A")}\0`, false), 1);
  assert.equal(read(`a comment\n${block("A")}${block("A")}`, true), 2);
  for (const text of [block("A") + "behind", `x ${block("A")}`, `\0${block("A")}`])
    assert.throws(() => read(text, true), Malformed, text);
  for (const text of [block("B"), block("A", "A"), block("A", "A!=="), block("A") + block("B"), block("A").repeat(3)])
    assert.throws(() => read(text, false), Malformed, text);
  assert.throws(() => read("-----BEGIN A-----\nAAAA\n", false), Malformed);
  assert.throws(() => read(block("A").replace("END A", "END B"), false), Malformed);
});

test("base64, hexadecimal and times", () => {
  assert.equal(readBase64("AA="), null);
  assert.equal(readBase64("AB==", true), null); // the unused bits are not zero
  assert.equal(base64url(readBase64url("-_8")), "-_8");
  for (const text of ["-_9", "A", "A+", "AA=="]) assert.equal(readBase64url(text), null, text);
  for (const text of ["0", "0g", "é0"]) assert.equal(readHex(text), null, text);
  assert.equal(formatTime(parseTime("2024-02-29T23:59:59Z")), "2024-02-29T23:59:59Z");
  for (const text of ["2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z", "1969-12-31T23:59:59Z", "2024-01-01", "2024-1-01T00:00:00Z"])
    assert.equal(parseTime(text), null, text);
});

test("certificates are what Node reads in them", () => {
  const names = readdirSync(VECTORS).filter((name) => name.startsWith("good-"));
  let count = 0;
  for (const name of names) {
    const vector = JSON.parse(readFileSync(`${VECTORS}/${name}`, "utf8"));
    for (const text of [vector.certificate, vector.issuer]) {
      if (!text) continue;
      const der = readBase64(text);
      const ours = new Certificate(der);
      // As PEM: of DER, Node's constructor first searches for PEM, and finds the chain within the quote.
      const theirs = new X509Certificate(`-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`);
      assert.equal(ours.notBefore, Date.parse(theirs.validFrom) / 1000);
      assert.equal(ours.notAfter, Date.parse(theirs.validTo) / 1000);
      assert.equal(BigInt(`0x${hex(ours.serial)}`), BigInt(`0x${theirs.serialNumber}`));
      assert.equal(ours.known.ca, theirs.ca);
      assert.equal(hex(ours.spki), theirs.publicKey.export({ type: "spki", format: "der" }).toString("hex"));
      assert.ok((theirs.subject ?? "CN=").includes(`CN=${ours.commonName}`));
      count++;
    }
  }
  assert.ok(count > 20);
});
