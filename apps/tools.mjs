// For the scripts that make components.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// The WIT packages below a folder: [name with version, text]. Unstable functions are as good as others: toolchains use
// them.
export async function witPackages(folder) {
  const packages = new Map();
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((f) => f.name.endsWith(".wit"));
  const texts = await Promise.all(files.map((f) => readFile(join(f.parentPath ?? f.path, f.name), "utf8")));
  const named = texts.map((text, i) => ({ text, folder: files[i].parentPath ?? files[i].path, name: text.match(/^\s*package\s+([^;]+);/m)?.[1] }));
  for (const { text, folder, name } of named) {
    // A file without a package line belongs to the package of its folder.
    const owner = name ?? named.find((other) => other.folder === folder && other.name)?.name;
    const body = text.replace(/^\s*package\s+[^;]+;/m, "").replace(/@unstable\([^)]*\)/g, "");
    packages.set(owner, (packages.get(owner) ?? "") + body);
  }
  return [...packages];
}

// All of them as one text of nested packages: the tools that use it see no files.
export async function nestedPackages(folder) {
  return (await witPackages(folder)).map(([name, body]) => `package ${name} {\n${body}\n}\n`).join("");
}

// A package installed under NODE_FOLDER, which is kept outside this tree, or what it exports below its name.
export async function installed(name, below = ".") {
  const folder = join(process.env.NODE_FOLDER ?? process.cwd(), "node_modules", name);
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const entry = manifest.exports?.[below] ?? manifest.exports ?? manifest.main;
  const file = typeof entry === "string" ? entry : (entry.import?.default ?? entry.import ?? entry.default);
  return import(pathToFileURL(join(folder, file)).href);
}

// What a core module exports, by name.
export function exports(binary) {
  return WebAssembly.Module.exports(new WebAssembly.Module(binary)).map((e) => e.name);
}
