/** ECDSA on P-256 with SHA-256, by WebCrypto. */
import { concat } from "./bytes.js";
import { readDer } from "./der.js";
import { malformed } from "./malformed.js";

const POINT = Uint8Array.of(4); // uncompressed

/** The key of a point x || y; null: it is none of the curve. @param {Uint8Array} xy @returns {Promise<CryptoKey | null>} */
export async function p256Key(xy) {
  if (xy.length !== 64) return null;
  try {
    const curve = { name: "ECDSA", namedCurve: "P-256" };
    return await crypto.subtle.importKey("raw", concat(POINT, xy), curve, false, ["verify"]);
  } catch {
    return null; // WebCrypto's only other answer
  }
}

/** Whether a signature r || s holds. @param {CryptoKey | null} key @param {Uint8Array} rs @param {Uint8Array} data */
export async function signatureHolds(key, rs, data) {
  if (!key || rs.length !== 64) return false;
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, rs, data);
}

/** r || s of a signature as X.509 has it. Throws Malformed. @param {Uint8Array} der */
export function readSignature(der) {
  const parts = readDer(der).sequence();
  if (parts.length !== 2) malformed("not a signature of ECDSA");
  const out = new Uint8Array(64);
  parts.forEach((part, i) => {
    const number = part.integer();
    const digits = number[0] === 0 ? number.subarray(1) : number;
    if (number[0] >= 0x80 || digits.length > 32) malformed("not a signature of P-256");
    out.set(digits, 32 * i + 32 - digits.length);
  });
  return out;
}
