/** Oblivious HTTP's encapsulation (RFC 9458) for a client, over HPKE with X25519, HKDF-SHA256 and AES-128-GCM. */
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { concat, utf8 } from "./bytes.js";
import { malformed } from "./malformed.js";

const KEM_X25519 = 0x20;
const KDF_SHA256 = 1;
const AEAD_AES128 = 1;
const KEY_SIZE = 32;
const NONCE_SIZE = 16; // of a response: the larger one of the cipher's key and nonce

const be16 = (b, at) => (b[at] << 8) | b[at + 1];
const suite = () =>
  new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() });

/** {id, key} of the first key configuration (application/ohttp-keys) that is for these algorithms. Throws Malformed.
 * @param {Uint8Array} keys */
export function readKeys(keys) {
  for (let at = 0; at + 2 <= keys.length; at += 2 + be16(keys, at)) {
    const one = keys.subarray(at + 2, at + 2 + be16(keys, at));
    if (one.length !== be16(keys, at) || one.length < 3) malformed("a key configuration that is cut short");
    if (be16(one, 1) !== KEM_X25519) continue;
    const list = one.subarray(3 + KEY_SIZE);
    if (list.length < 2 || list.length !== 2 + be16(list, 0) || list.length % 4 !== 2)
      malformed("a key configuration whose algorithms are malformed");
    for (let i = 2; i < list.length; i += 4)
      if (be16(list, i) === KDF_SHA256 && be16(list, i + 2) === AEAD_AES128)
        return { id: one[0], key: one.slice(3, 3 + KEY_SIZE) };
  }
  return malformed("no key configuration for X25519, HKDF-SHA256 and AES-128-GCM");
}

async function openResponse(context, enc, sealed) {
  if (sealed.length < NONCE_SIZE) malformed("an answer that is cut short");
  const secret = await context.export(utf8("message/bhttp response"), NONCE_SIZE);
  const hkdf = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const salt = concat(enc, sealed.subarray(0, NONCE_SIZE));
  const derive = (info, size) =>
    crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: utf8(info) }, hkdf, 8 * size);
  const key = await crypto.subtle.importKey("raw", await derive("key", 16), "AES-GCM", false, ["decrypt"]);
  const iv = new Uint8Array(await derive("nonce", 12));
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed.subarray(NONCE_SIZE)));
  } catch {
    return malformed("an answer that was not encrypted to this request");
  }
}

/** @param {Uint8Array} key @param {Uint8Array} info */
async function createContext(key, info) {
  const hpke = suite();
  try {
    const recipientPublicKey = await hpke.kem.deserializePublicKey(key);
    return await hpke.createSenderContext({ recipientPublicKey, info });
  } catch {
    return malformed("nothing can be encrypted to its key"); // a point of small order
  }
}

/** The encrypted request, and what opens the answer to it, which throws Malformed as this does.
 * @param {{id: number, key: Uint8Array}} to @param {Uint8Array} plain */
export async function seal(to, plain) {
  const header = Uint8Array.of(to.id, 0, KEM_X25519, 0, KDF_SHA256, 0, AEAD_AES128);
  const info = concat(utf8("message/bhttp request"), Uint8Array.of(0), header);
  const context = await createContext(to.key, info);
  const sealed = new Uint8Array(await context.seal(plain));
  const enc = new Uint8Array(context.enc);
  return { message: concat(header, enc, sealed), open: (answer) => openResponse(context, enc, answer) };
}
