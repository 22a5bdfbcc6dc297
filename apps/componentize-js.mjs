// Turn a JavaScript file with a fetch handler into a component.
//
// Usage: node componentize-js.mjs SOURCE.js WORLD.wit WIT-FOLDER OUT.wasm
import { readFile, writeFile } from "node:fs/promises";
import { installed, nestedPackages } from "./tools.mjs";

const [sourceFile, worldFile, witFolder, outFile] = process.argv.slice(2);
const { componentize } = await installed("@bytecodealliance/componentize-js");

const world = await readFile(worldFile, "utf8");
const { component } = await componentize(await readFile(sourceFile, "utf8"), {
  // Its fetch handler is tied to this version of wasi:http.
  witWorld: world + (await nestedPackages(witFolder)).replaceAll(/\b0\.2\.1[12]\b/g, "0.2.10"),
  worldName: world.match(/world\s+([\w-]+)/)[1],
});
await writeFile(outFile, component);
