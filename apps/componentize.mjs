// Turn a core module that uses WASI imports into a component: embed the WIT world and wrap.
//
// Usage: node componentize.mjs WORLD.wit WIT-FOLDER CORE.wasm|--dummy OUT.wasm [ADAPTER.wasm]
//
// The adapter, for modules made with a C library, turns wasi_snapshot_preview1 into WASI 0.2.
//
// The WIT packages are handed over as one text (nested packages), because the wasm-tools of jco see no files.
import { readFile, writeFile } from "node:fs/promises";
import { installed, nestedPackages } from "./tools.mjs";

const [worldFile, witFolder, coreFile, outFile, adapterFile] = process.argv.slice(2);
const tools = await installed("@bytecodealliance/jco-transpile", "./wasm-tools");

const world = await readFile(worldFile, "utf8");
const worldName = world.match(/world\s+([\w-]+)/)[1];
const witSource = world + (await nestedPackages(witFolder));
const dummy = coreFile === "--dummy";
const binary = dummy ? undefined : await readFile(coreFile);
const core = await tools.componentEmbed({ binary, witSource, dummy, worldName });
await writeFile(outFile, await tools.componentNew(core, adapterFile ? [["wasi_snapshot_preview1", await readFile(adapterFile)]] : []));
