/** bundle.mjs FOLDER: makes page.js, its integrity, and check.html there, of main.js and the verifier. Nothing of the machine
 * gets into them. Packages are found by NODE_PATH. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const here = new URL(".", import.meta.url).pathname;
const { buildSync } = createRequire(`${process.env.NODE_PATH}/`)("esbuild");
const read = (path) => readFileSync(here + path, "utf8");
const hash = (text) => `sha256-${createHash("sha256").update(text).digest("base64")}`;

const { outputFiles } = buildSync({
  entryPoints: [`${here}main.js`],
  bundle: true,
  minify: true,
  write: false,
  format: "iife",
  target: "es2022",
  charset: "ascii",
  legalComments: "eof", // licences stay
  logLevel: "warning",
  nodePaths: [process.env.NODE_PATH],
});
const licences = ["@hpke/core", "@peculiar/utils"].map((name) => `/*!\n${name}\n\n${readFileSync(`${process.env.NODE_PATH}/${name}/LICENSE`, "utf8")}*/\n`);
const script = outputFiles[0].text + licences.join("");
if (script.includes("</script") || script.includes("<!--")) throw new Error("it cannot stand in a page");
const style = read("../page.css");
const parts = { STYLE: style, STYLE_HASH: hash(style), SCRIPT: script, SCRIPT_HASH: hash(script) };
const check = read("check.html").replace(/@([A-Z_]+)@/g, (_, name) => parts[name]);
const out = process.argv[2];
writeFileSync(`${out}/page.js`, script);
writeFileSync(`${out}/integrity`, `${hash(script)}\n`);
writeFileSync(`${out}/check.html`, check);
