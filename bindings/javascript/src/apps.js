/** What the caller expects of apps, by the manifest: which code, whose, which settings, where it may connect. */
import { equal, hex, latin1 } from "./bytes.js";
import { normalEgress } from "./policy.js";
import { CHECKS } from "./checks.js";
import { FAILED, NOT_CHECKED, PASSED } from "./result.js";

const FIRST_OF_APPS = CHECKS.findIndex(([name]) => name === "app");

/** @typedef {import("./verification.js").Verification} Verification */

/** Records for one app: what the manifest says of it, held against what is expected; undefined: nothing is. */
class Judge {
  constructor(v, app, index) {
    this.v = v;
    this.app = app;
    this.index = index;
  }

  set(check, outcome, words) {
    this.v.set(check, this.index, outcome, `${this.app.name}: ${words}`);
  }

  compare(check, text, expected) {
    if (expected === undefined) this.set(check, NOT_CHECKED, `${text} (not pinned by the caller)`);
    else if (text !== expected) this.set(check, FAILED, `${text}, expected ${expected}`);
    else this.set(check, PASSED, text);
  }
}

const hexOrNone = (bytes) => (bytes === undefined ? undefined : bytes === null ? "none" : hex(bytes));

function checkPublisher(judge, rule) {
  const { publisher: expected, minVersion = 0n } = judge.app;
  const check = "app publisher";
  const boundToIt = rule?.publisher && rule.kind !== "operator";
  const version = rule?.version ?? 0n;
  const none = `none, its rule is ${rule?.kind || "not known"}`;
  const text = boundToIt ? hex(rule.publisher) : "";
  if (!expected) judge.set(check, NOT_CHECKED, `${boundToIt ? `${text}, version ${version}` : none} (not pinned by the caller)`);
  else if (!boundToIt) judge.set(check, FAILED, `${none}; expected ${hex(expected)}`);
  else if (!equal(rule.publisher, expected)) judge.set(check, FAILED, `${text}, expected ${hex(expected)}`);
  else if (version < minVersion) judge.set(check, FAILED, `version ${version}, at least ${minVersion} is expected`);
  else judge.set(check, PASSED, `${text}, version ${version}`);
}

function checkSettings(judge, manifest) {
  const leaf = manifest.find(`settings:${judge.app.name}`);
  const text = !leaf ? "none" : leaf.length === 32 ? hex(leaf) : "malformed";
  judge.compare("app settings", text, hexOrNone(judge.app.settings));
}

function checkEgress(judge, manifest) {
  const expected = judge.app.egress;
  const check = "app egress";
  const leaf = manifest.find(`egress:${judge.app.name}`);
  const text = leaf && leaf.length > 0 ? latin1(leaf.subarray(0, 200)) : "nowhere";
  const shown = leaf ? normalEgress(latin1(leaf)) : "";
  if (expected === undefined) judge.set(check, NOT_CHECKED, `${text} (not pinned by the caller)`);
  else if (shown !== expected) judge.set(check, FAILED, `${text}; expected ${expected.slice(0, 200) || "nowhere"}`);
  else judge.set(check, PASSED, text);
}

function checkOnly(v) {
  const names = v.manifest.names("app:");
  const others = names.filter((name) => !v.policy.apps.some((app) => app.name === name));
  if (!v.policy.onlyApps)
    v.skip("only apps", `${names.length} apps run there (the caller does not mind others than it names)`);
  else if (others.length > 0)
    v.fail(
      "only apps",
      `${others.length} that the caller does not name: ${others[0].slice(0, 64)}${others.length > 1 ? " and others" : ""}`,
    );
  else v.pass("only apps", `${names.length} apps run there, and no others`);
}

/** @param {Verification} v */
export function checkApps(v) {
  const { manifest } = v;
  if (manifest) checkOnly(v);
  v.policy.apps.forEach((app, index) => {
    const judge = new Judge(v, app, index);
    if (!manifest) return;
    const code = manifest.find(`app:${app.name}`, 32);
    if (!code) {
      judge.set("app", FAILED, "no app of that name runs there");
      return;
    }
    const rule = manifest.rule(app.name);
    judge.compare("app", hex(code), hexOrNone(app.sha256));
    checkPublisher(judge, rule);
    judge.compare("app identity", rule ? hex(rule.id) : "not known", hexOrNone(app.id));
    checkSettings(judge, manifest);
    checkEgress(judge, manifest);
  });
  if (v.policy.apps.length === 0)
    for (const [name] of CHECKS.slice(FIRST_OF_APPS)) v.skip(name, "the caller expects none");
}
