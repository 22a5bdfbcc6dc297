/** Merkle trees: RFC 9162, sections 2.1.1 (hashes), 2.1.3.2 (inclusion) and 2.1.4.2 (consistency), with SHA-256. */
import { concat, equal, sha256 } from "./bytes.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
export const PATH_MAX = 64;

/** @param {Uint8Array} leaf */
export const leafHash = (leaf) => sha256(concat(LEAF, leaf));
/** @param {Uint8Array} left @param {Uint8Array} right */
export const nodeHash = (left, right) => sha256(concat(NODE, left, right));

/** The root over the leaves' hashes, of which there is at least one. Level by level, from the leaves up; the last of an
 * odd number goes up as it is: the same tree as RFC 9162's. @param {Uint8Array[]} hashes */
export async function merkleRoot(hashes) {
  let level = hashes;
  while (level.length > 1) {
    const above = [];
    for (let i = 0; i < level.length; i += 2)
      above.push(i + 1 < level.length ? nodeHash(level[i], level[i + 1]) : level[i]);
    level = await Promise.all(above);
  }
  return level[0];
}

/**
 * Whether the leaf is the index'th of the tree of so many that has this root. Sizes and indices are BigInt.
 * @param {{leafIndex: bigint, treeSize: bigint, path: Uint8Array[]}} proof @param {Uint8Array} leaf @param {Uint8Array} root
 */
export async function inclusionHolds({ leafIndex, treeSize, path }, leaf, root) {
  if (leafIndex < 0n || leafIndex >= treeSize || path.length > PATH_MAX) return false;
  let at = leafIndex;
  let last = treeSize - 1n;
  let hash = await leafHash(leaf);
  for (const beside of path) {
    if (last === 0n) return false; // a path longer than the tree is high
    if (at % 2n === 1n || at === last) {
      hash = await nodeHash(beside, hash);
      while (at % 2n === 0n && at !== 0n) {
        at /= 2n; // a right edge that has no sibling on these levels
        last /= 2n;
      }
    } else {
      hash = await nodeHash(hash, beside);
    }
    at /= 2n;
    last /= 2n;
  }
  return last === 0n && equal(hash, root);
}

/**
 * The roots of both trees as a consistency proof has them; null: it is none. Sizes are BigInt.
 * @param {{oldSize: bigint, newSize: bigint, path: Uint8Array[]}} proof
 */
export async function consistencyRoots({ oldSize, newSize, path }) {
  if (oldSize <= 0n || newSize < oldSize || newSize >= 1n << 63n || path.length === 0 || path.length > PATH_MAX + 1)
    return null;
  let at = oldSize - 1n;
  let last = newSize - 1n;
  for (; at % 2n === 1n; at /= 2n) last /= 2n; // up to the largest subtree that ends where the old tree does
  let oldRoot = path[0];
  let newRoot = path[0];
  for (const hash of path.slice(1)) {
    if (last === 0n) return null;
    if (at % 2n === 1n || at === last) {
      oldRoot = await nodeHash(hash, oldRoot);
      newRoot = await nodeHash(hash, newRoot);
      while (at % 2n === 0n && at !== 0n) {
        at /= 2n;
        last /= 2n;
      }
    } else {
      newRoot = await nodeHash(newRoot, hash);
    }
    at /= 2n;
    last /= 2n;
  }
  return last === 0n ? { oldRoot, newRoot } : null;
}
