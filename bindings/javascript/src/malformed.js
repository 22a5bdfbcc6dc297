/**
 * What a reader of strangers' bytes throws, with what is wrong in words. It never leaves this package: whoever begins to
 * read catches it (attempt) and makes of it the reason of a check.
 */
export class Malformed extends Error {}

/** @param {string} what @returns {never} */
export function malformed(what) {
  throw new Malformed(what);
}

/** What read gives, or the words of a Malformed. Anything else that is thrown is a fault of ours, and stays one. */
export async function attempt(read) {
  try {
    return { value: await read(), wrong: null };
  } catch (error) {
    if (error instanceof Malformed) return { value: null, wrong: error.message };
    throw error;
  }
}
