/** Judges all vectors, and posts what came of each. */
import { PolicyError, attestedFetch } from "enclave-verifier";
import { judgeVector } from "../vector.js";

async function refused() {
  try {
    await attestedFetch(location.origin.replace("http:", "https:"), { format: "enclave-os-policy/1" });
    return "";
  } catch (error) {
    return error instanceof PolicyError ? error.message : String(error);
  }
}

const post = (path, value) => fetch(path, { method: "POST", body: JSON.stringify(value) });
addEventListener("error", (event) => post("/failed", String(event.message)));
addEventListener("unhandledrejection", (event) => post("/failed", String(event.reason?.stack ?? event.reason)));

const results = {};
for (const name of await (await fetch("/vectors")).json()) {
  const { result, checks } = await judgeVector(await (await fetch(`/vectors/${name}`)).json());
  results[name] = { verdict: result.verdict, checks };
}
await post("/done", { results, refused: await refused(), node: typeof process });
