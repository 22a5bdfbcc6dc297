// A component that imports every function of the WIT packages in a folder and calls none: what tests/native/wasi_table
// compares the enclave's tables with.
//
// Usage: node all-imports.mjs WIT-FOLDER OUT.wasm
import { writeFile } from "node:fs/promises";
import { installed, nestedPackages, witPackages } from "./tools.mjs";

const [witFolder, outFile] = process.argv.slice(2);
const tools = await installed("@bytecodealliance/jco-transpile", "./wasm-tools");

// What a component exports to be called; it is not imported from a host.
const exported = new Set(["wasi:http/incoming-handler", "wasi:cli/run"]);
const imports = [];
for (const [fullName, body] of await witPackages(witFolder)) {
  const [name, version] = fullName.split("@");
  for (const [, iface] of body.matchAll(/^\s*interface ([\w-]+) \{/gm)) {
    if (!exported.has(`${name}/${iface}`)) imports.push(`import ${name}/${iface}@${version};`);
  }
}
const witSource = `package apps:all;\nworld all {\n${imports.join("\n")}\n}\n${await nestedPackages(witFolder)}`;
const core = await tools.componentEmbed({ dummy: true, witSource, worldName: "all" });
await writeFile(outFile, await tools.componentNew(core, []));
