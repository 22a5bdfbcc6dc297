/** The body of an answer of fetch, of at most so many bytes: more is an error. */
import { concat } from "./bytes.js";

/** @param {Response} response @param {number} limit @returns {Promise<Uint8Array>} */
export async function readBody(response, limit) {
  const chunks = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader.read()) {
    size += next.value.length;
    if (size > limit) throw new Error(`an answer of more than ${limit} bytes`);
    chunks.push(next.value);
  }
  return concat(...chunks);
}
