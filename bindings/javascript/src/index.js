/** What judges enclaves, anywhere: no sockets, no files. attestedFetch comes with the platform (node.js, browser.js). */
export { CHECKS } from "./checks.js";
export { Log, NoAnswer } from "./log.js";
export { collateralFrom } from "./pccs.js";
export { PolicyError, namesInstance, needsLog, needsManifest, readPolicy } from "./policy.js";
export { Result } from "./result.js";
export { verify } from "./verify.js";
