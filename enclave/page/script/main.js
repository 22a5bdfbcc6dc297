/**
 * The verdict of the JavaScript verifier, step by step: on the page that an enclave serves of itself (page.c), and in
 * check.html, a file of the reader's own, for any enclave. Everything that a server says goes in as text.
 */
import { CHECKS } from "../../../bindings/javascript/src/checks.js";
import { hex, latin1, utf8 } from "../../../bindings/javascript/src/bytes.js";
import { STEPS, inspect } from "../../../bindings/javascript/src/inspect.js";
import { Manifest } from "../../../bindings/javascript/src/manifest.js";
import { readPolicy } from "../../../bindings/javascript/src/policy.js";

const SIGNS = { passed: "✓", failed: "✗", "not checked": "–" };
const ANYBODY = '{"format": "enclave-os-policy/1"}';
const VERDICTS = {
  verified: "Verified: all that the policy expects holds.",
  genuine: "Genuine: nothing is wrong with what it shows, and nothing says whose enclave it is to be.",
  refused: "Refused.",
  unknown: "Nothing was shown that could be judged.",
};

/** An element. @param {string} name @param {Record<string, string>} attributes */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function table(id, caption, heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const whole = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  const title = element("h3", { id: `${id}-title` }, caption);
  const wide = { class: "wide", role: "region", "aria-labelledby": `${id}-title`, tabindex: "0" };
  return element("div", { id }, title, element("div", wide, whole));
}

/** A row of a check: its name, what it is about, what came of it, and why. */
function row({ name, outcome, reason }, meaning) {
  const sign = element("span", { "aria-hidden": "true" }, `${SIGNS[outcome]} `);
  return element("tr", { "data-check": name, "data-outcome": outcome },
    element("th", { scope: "row" }, name, element("small", {}, meaning)),
    element("td", { class: `outcome ${outcome.replace(" ", "-")}` }, sign, outcome),
    element("td", {}, reason));
}

const HEADS = ["Check", "Outcome", "Why"];
const meaningOf = (table, name) => table.find((one) => one[0] === name).at(-1);
const checks = (id, caption, list, meanings) =>
  table(id, caption, HEADS, list.map((check) => row(check, meaningOf(meanings, check.name))));

/** How many of each outcome there are, in words. */
function counted(list) {
  const count = (outcome) => list.filter((check) => check.outcome === outcome).length;
  return `${count("passed")} passed, ${count("failed")} failed, ${count("not checked")} not made.`;
}

function verdictOf({ steps, result }) {
  if (!result) return `${VERDICTS.unknown} ${steps[0].reason}.`;
  const simulated = result.claims.simulated ? " It is an emulator's enclave, which proves nothing to anybody." : "";
  const shown = steps.filter(({ outcome }) => outcome === "failed");
  const wrong = [...shown, ...(result.verdict === "refused" ? result.failed : [])];
  const why = wrong.slice(0, 3).map(({ name, reason }) => ` ${name}: ${reason}.`).join("");
  const verdict = shown.length > 0 ? "refused" : result.verdict;
  return `${VERDICTS[verdict]}${why}${simulated} Of ${result.checks.length} checks, ${counted(result.checks)}`;
}

/** What is proven of it, for a page that has no facts of its own. */
async function facts({ result, manifest }) {
  const c = result.claims;
  const list = [["Generation", c.generation], ["Instance", c.instance], ["Root over all that is attested", c.merkleRoot],
    ["Program (MRENCLAVE)", c.mrenclave], ["Signer (MRSIGNER)", c.mrsigner], ["Platform", c.tcbStatus]];
  const shown = list.filter(([, value]) => value !== null).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, element("code", {}, value?.length === 32 ? hex(value) : String(value)))));
  const proven = manifest && result.hasPassed("manifest") ? await Manifest.read(manifest) : null;
  const text = (value) => latin1(value).replace(/[^ -~]+/g, " ").trim();
  const leaves = (proven?.leaves ?? []).map(({ label, value }) => element("tr", {}, element("th", { scope: "row" }, label),
    element("td", {}, element("code", {}, value.length === 32 || value.length === 8 ? hex(value) : text(value)))));
  const parts = [element("h3", {}, "What is proven of it"), element("dl", { class: "facts" }, ...shown)];
  if (leaves.length > 0) parts.push(table("leaves", "All that is attested", ["Leaf", "Value"], leaves));
  return element("div", { id: "proven" }, ...parts);
}

async function filesOf(input) {
  const files = {};
  for (const file of input.files) files[file.name] = new Uint8Array(await file.arrayBuffer());
  return Object.keys(files).length > 0 ? files : null;
}

/** The form: where (if the page is not the server's own), whose it is to be, and who vouches for the platform. */
function form(section, isHere) {
  const field = (id, label, attributes) =>
    [element("label", { for: id }, label), element("input", { id, ...attributes })];
  const address = isHere ? [] : field("address", "Address of the enclave", { type: "url", placeholder: "https://enclave.example:8443", autocomplete: "off" });
  const policy = field("policy", "Policy file: whose enclave it is to be (optional)", { type: "file" });
  const collateral = field("collateral", "Collateral: the files that enclavectl verify --save-collateral wrote (optional)", { type: "file", multiple: "" });
  const button = element("button", { type: "button", id: "judge" }, isHere ? "Check again" : "Check");
  section.append(element("div", { class: "form" }, ...address, ...policy, ...collateral, button));
  return { address: address[1], policy: policy[1], collateral: collateral[1], button };
}

class Page {
  constructor(section) {
    this.isHere = section.hasAttribute("data-here");
    this.section = section;
    this.status = section.querySelector("[role=status]");
    this.form = form(section, this.isHere);
    this.shown = element("div", {});
    section.append(this.shown);
    this.form.button.addEventListener("click", () => void this.judge());
  }

  say(state, words) {
    this.section.dataset.state = state;
    this.status.textContent = words;
  }

  /** {address, policy, collateral} as the form has them. Throws with a sentence about what is wrong. */
  async read() {
    const { address, policy, collateral } = this.form;
    const text = address ? address.value.trim() : location.origin;
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url?.protocol !== "https:") throw new Error("The address is to be one that begins with https://");
    const file = policy.files[0];
    const read = await readPolicy(file ? new Uint8Array(await file.arrayBuffer()) : utf8(ANYBODY), { anyInstance: !file });
    return { address: url.origin, policy: read, collateral: await filesOf(collateral) };
  }

  async judge() {
    if (this.section.dataset.state === "judging") return;
    this.say("judging", "Judging it …");
    this.shown.replaceChildren();
    try {
      const { address, policy, collateral } = await this.read();
      const found = await inspect(address, policy, { sealed: this.isHere, collateral });
      await this.show(found);
      this.say("judged", verdictOf(found));
    } catch (error) {
      this.say("not judged", String(error?.message ?? error));
    }
  }

  async show(found) {
    const parts = [checks("shown", "What was asked for, in this order", found.steps, STEPS)];
    if (found.result) {
      parts.push(checks("checks", `The ${CHECKS.length} checks`, found.result.checks, CHECKS));
      if (!this.isHere) parts.push(await facts(found));
    }
    this.shown.replaceChildren(...parts);
  }
}

const page = new Page(document.getElementById("steps"));
if (page.isHere) void page.judge();
