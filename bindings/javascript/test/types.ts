/** The types, as somebody uses them: tsc reads this, nothing runs it. */
import { attestedFetch, collateralFrom, readPolicy, verify } from "enclave-verifier";
import type { Verdict } from "enclave-verifier";

export async function greet(text: string): Promise<string> {
  const f = await attestedFetch("https://enclave.example:8443", text, { fresh: true, collateral: collateralFrom("https://pccs.example") });
  const response = await f("/hello/", { method: "POST", body: "name" });
  await f.close();
  return `${f.result.verdict}: ${await response.text()}`;
}

export async function judge(der: Uint8Array): Promise<Verdict> {
  const policy = await readPolicy({ format: "enclave-os-policy/1" }, { anyInstance: true });
  const result = await verify(policy, { certificate: der, live: false });
  if (!result.ok) return "refused";
  // @ts-expect-error there is no such outcome
  if (result.checks[0].outcome === "skipped") return "refused";
  return result.claims.generation === 1n ? result.verdict : "refused";
}
