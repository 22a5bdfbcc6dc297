/**
 * DER (X.690), strictly: definite lengths in their shortest form, tags below 31, nothing left over. asn1js reads BER,
 * bounded in depth and in nodes; what it gives is taken only where it is DER. Octet strings are left as they are.
 */
import { fromBER } from "asn1js";
import { malformed } from "./malformed.js";

const DEPTH_MAX = 16;

/** An element: its tag as the first byte has it, all its bytes, its content, and if it is constructed what is in it. */
export class Element {
  /** @param {Uint8Array} bytes @param {Uint8Array} content @param {Element[] | null} children */
  constructor(bytes, content, children) {
    this.tag = bytes[0];
    this.bytes = bytes;
    this.content = content;
    this.children = children;
  }

  /** What a SEQUENCE (or SET, or another constructed tag) has in it. Throws Malformed. */
  sequence(tag = 0x30) {
    if (this.tag !== tag || !this.children) malformed("not the sequence that belongs there");
    return this.children;
  }

  /** The OID, dotted. */
  oid() {
    const c = this.content;
    if (this.tag !== 0x06 || c.length === 0 || c.length > 64 || c[c.length - 1] & 0x80) malformed("not an OID");
    const arcs = [];
    let arc = 0n;
    for (let i = 0, first = true; i < c.length; i++) {
      if (first && c[i] === 0x80) malformed("an OID that is not DER");
      arc = (arc << 7n) | BigInt(c[i] & 0x7f);
      first = !(c[i] & 0x80);
      if (!first) continue;
      arcs.push(arc);
      arc = 0n;
    }
    const top = arcs[0] < 40n ? 0n : arcs[0] < 80n ? 1n : 2n;
    return [top, arcs[0] - 40n * top, ...arcs.slice(1)].join(".");
  }

  /** The content of an INTEGER in its shortest form. */
  integer() {
    const c = this.content;
    if (this.tag !== 0x02 || c.length === 0) malformed("not an INTEGER");
    if (c.length > 1 && ((c[0] === 0 && c[1] < 0x80) || (c[0] === 0xff && c[1] >= 0x80)))
      malformed("an INTEGER that is not DER");
    return c;
  }

  /** A whole number of at most 16 bits. */
  small() {
    const c = this.integer();
    if (c[0] >= 0x80 || c.length > 3 || (c.length === 3 && c[0] !== 0)) malformed("a number that is too large");
    return c.reduce((sum, byte) => sum * 256 + byte, 0);
  }

  boolean() {
    const c = this.content;
    if (this.tag !== 0x01 || c.length !== 1 || (c[0] !== 0 && c[0] !== 0xff)) malformed("not a BOOLEAN");
    return c[0] === 0xff;
  }

  octets() {
    if (this.tag !== 0x04) malformed("not an OCTET STRING");
    return this.content;
  }

  /** The bytes of a BIT STRING of whole bytes. */
  bits() {
    const c = this.content;
    if (this.tag !== 0x03 || c.length === 0 || c[0] !== 0) malformed("not a BIT STRING of whole bytes");
    return c.subarray(1);
  }
}

/** How many bytes the header has, and the content behind it. */
function measure(bytes) {
  if ((bytes[0] & 0x1f) === 0x1f) malformed("a tag that no certificate has");
  const first = bytes[1];
  if (first < 0x80) return { header: 2, size: first };
  const count = first & 0x7f;
  if (first === 0x80 || count > 4 || bytes.length < 2 + count) malformed("a length that is not DER");
  let size = 0;
  for (let i = 0; i < count; i++) size = size * 256 + bytes[2 + i];
  if (bytes[2] === 0 || size < 0x80) malformed("a length that is not DER");
  return { header: 2 + count, size };
}

function take(block) {
  const bytes = block.valueBeforeDecodeView;
  if (!(bytes instanceof Uint8Array) || bytes.length < 2) malformed("no DER");
  const { header, size } = measure(bytes);
  if (header + size !== bytes.length) malformed("a length that is not DER");
  const content = bytes.subarray(header);
  if (!(bytes[0] & 0x20)) return new Element(bytes, content, null);
  if (!Array.isArray(block.valueBlock.value)) malformed("no DER");
  const children = block.valueBlock.value.map(take);
  if (children.reduce((sum, child) => sum + child.bytes.length, 0) !== content.length) malformed("no DER");
  return new Element(bytes, content, children);
}

/** What asn1js makes of it. Some values it converts at once, and throws where there is nothing to convert. */
function parse(bytes, options) {
  try {
    return fromBER(bytes, options);
  } catch {
    return malformed("no DER");
  }
}

/** The one element that these bytes are. Throws Malformed. @param {Uint8Array} bytes */
export function readDer(bytes, maxNodes = 4096) {
  if (bytes.length < 2) malformed("no DER");
  const { offset, result } = parse(bytes, { maxDepth: DEPTH_MAX, maxNodes, parseEmbedded: false });
  if (offset !== bytes.length || result.error) malformed("no DER");
  return take(result);
}
