// Turn a core module that uses WASI imports into a component: embed the WIT world and wrap.
//
// Usage: node componentize.mjs WORLD.wit WIT-FOLDER CORE.wasm|--dummy OUT.wasm [ADAPTER.wasm]
//
// The adapter, for modules made with a C library, turns wasi_snapshot_preview1 into WASI 0.2. It has its state and stack
// from the module's cabi_realloc. Without one it grows the memory itself, and most allocators, which believe that
// nobody else does, then use the same bytes: so a module without one is refused, unless OWN_GROWTH says that its
// allocator minds where the memory ends each time it grows it.
//
// The WIT packages are handed over as one text (nested packages), because the wasm-tools of jco see no files.
import { readFile, writeFile } from "node:fs/promises";
import { exports, installed, nestedPackages } from "./tools.mjs";

const [worldFile, witFolder, coreFile, outFile, adapterFile] = process.argv.slice(2);
const dummy = coreFile === "--dummy";
const binary = dummy ? undefined : await readFile(coreFile);
if (adapterFile && !process.env.OWN_GROWTH && !exports(binary).includes("cabi_realloc")) {
  console.error(`componentize: ${coreFile} does not export cabi_realloc, so the adapter would take memory from under its heap`);
  process.exit(1);
}
const world = await readFile(worldFile, "utf8");
const worldName = world.match(/world\s+([\w-]+)/)[1];
const witSource = world + (await nestedPackages(witFolder));
const tools = await installed("@bytecodealliance/jco-transpile", "./wasm-tools");
const core = await tools.componentEmbed({ binary, witSource, dummy, worldName });
await writeFile(outFile, await tools.componentNew(core, adapterFile ? [["wasi_snapshot_preview1", await readFile(adapterFile)]] : []));
