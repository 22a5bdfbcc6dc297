// Turn a core module that uses WASI imports into a component: embed the WIT world and wrap.
//
// Usage: node componentize.mjs WORLD.wit WIT-FOLDER CORE.wasm|--dummy OUT.wasm
//
// The WIT packages are handed over as one text (nested packages), because the wasm-tools inside jco see no files.
import { readFile, writeFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [worldFile, witFolder, coreFile, outFile] = process.argv.slice(2);
const require = createRequire(join(process.env.NODE_FOLDER ?? process.cwd(), "package.json"));
const jco = await import(pathToFileURL(require.resolve("@bytecodealliance/jco")).href);

export async function nestedPackages(folder) {
  const packages = new Map();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith(".wit")) continue;
    const text = await readFile(join(entry.parentPath ?? entry.path, entry.name), "utf8");
    const header = text.match(/^\s*package\s+([^;]+);/m);
    const name = header?.[1] ?? packages.keys().next().value;
    const body = header ? text.replace(header[0], "") : text;
    packages.set(name, (packages.get(name) ?? "") + body);
  }
  return [...packages].map(([name, body]) => `package ${name} {\n${body}\n}\n`).join("");
}

const world = await readFile(worldFile, "utf8");
const worldName = world.match(/world\s+([\w-]+)/)[1];
const witSource = world + (await nestedPackages(witFolder));
const dummy = coreFile === "--dummy";
const binary = dummy ? undefined : await readFile(coreFile);
const core = await jco.componentEmbed({ binary, witSource, dummy, worldName });
await writeFile(outFile, await jco.componentNew(core, []));
