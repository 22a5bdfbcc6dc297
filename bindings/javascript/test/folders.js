/** Where the tree's files are: the tests run in a copy of this folder. */
const source = process.env.SOURCE ?? new URL("../../..", import.meta.url).pathname;
export const VECTORS = process.env.VECTORS ?? `${source}/verifier/vectors`;
export const POLICIES = `${source}/verifier/testing/policies`;
export const POLICY_SCHEMA = `${source}/docs/policy.schema.json`;
export const CHECKS_IN_C = `${source}/verifier/internal.h`;
