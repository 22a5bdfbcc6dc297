/** PEM (RFC 7468), line by line: blocks are found where they may stand, never by searching for bytes. */
import { latin1, readBase64 } from "./bytes.js";
import { malformed } from "./malformed.js";

export const PEM_SIZE_MAX = 64 << 10;

const BEGIN = /^-----BEGIN (.*)-----$/;
const END = /^-----END (.*)-----$/;

/**
 * The blocks called label, in order. Throws Malformed: there are more than limit or other ones, or one is not whole.
 * Text outside of blocks is let be; of a bundle that somebody chose to trust (strict) it has to be comments, before
 * what they are about.
 * @param {Uint8Array} bytes @param {string} label @returns {Uint8Array[]}
 */
export function readPem(bytes, label, limit, strict = false) {
  if (bytes.length > PEM_SIZE_MAX) malformed("too large");
  const blocks = [];
  let inside = null;
  let comment = false; // behind the last block
  for (const whole of latin1(bytes).split("\n")) {
    const line = whole.replace(/[\r\t ]+$/, "");
    const begin = BEGIN.exec(line);
    const end = END.exec(line);
    if (strict && /[^\t -~\x80-\xff]/.test(line)) malformed("bytes that are no text");
    if (strict && !begin && !end && /-----(BEGIN|END) /.test(line)) malformed("a block that begins or ends within a line");
    if (begin) {
      if (inside !== null || begin[1] !== label) malformed(`only blocks called ${label} belong there`);
      inside = "";
      comment = false;
    } else if (end) {
      const der = inside === null || end[1] !== label ? null : readBase64(inside);
      if (!der || der.length === 0 || blocks.length === limit) malformed("a block that is not whole, or one too many");
      blocks.push(der);
      inside = null;
    } else if (inside !== null) {
      inside += line;
    } else if (line !== "") {
      comment = true;
    }
  }
  if (inside !== null) malformed("the last block does not end");
  if (strict && comment) malformed("text behind the last block");
  return blocks;
}
