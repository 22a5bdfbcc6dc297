// Make a binary of WebAssembly's text. Usage: node parse.mjs TEXT.wat OUT.wasm
import { readFile, writeFile } from "node:fs/promises";
import { installed } from "./tools.mjs";

const [textFile, outFile] = process.argv.slice(2);
const tools = await installed("@bytecodealliance/jco-transpile", "./wasm-tools");
await writeFile(outFile, await tools.parse(await readFile(textFile, "utf8")));
