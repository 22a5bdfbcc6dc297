/** Numbers that a seed determines (xorshift), so that what failed can be done again. */
export function randomFrom(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A copy of the bytes with something wrong: mostly a bit, else a piece that is gone, there twice, or noise. */
export function mutate(bytes, random) {
  const at = random(bytes.length);
  const size = 1 + random(Math.min(64, bytes.length));
  const parts = (...list) => Uint8Array.from(list.flatMap((part) => [...part]));
  switch (random(8)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return parts(bytes.subarray(0, at), bytes.subarray(at + size));
    case 2:
      return parts(bytes.subarray(0, at + size), bytes.subarray(at));
    case 3:
      return parts(bytes.subarray(0, at), Array.from({ length: size }, () => random(256)), bytes.subarray(at + size));
    default: {
      const copy = bytes.slice();
      copy[at] ^= 1 << random(8);
      return copy;
    }
  }
}
