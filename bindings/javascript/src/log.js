/**
 * An instance's log as a server shows it (docs/history.md): its head, and its hashes and entries, which come in tiles
 * (C2SP tlog-tiles) of 256. What comes of them counts only as far as it makes the root of the head; whose head that is
 * says the verification.
 */
import { asBytes, bigEndian, equal } from "./bytes.js";
import { isHandOver } from "./hand_over.js";
import { Malformed, malformed } from "./malformed.js";
import { leafHash, merkleRoot, nodeHash } from "./merkle.js";
import { parseCheckpoint, parseNote } from "./note.js";
import { OID_LINEAGE, OID_LOG_HEAD } from "./oids.js";
import { Certificate } from "./x509.js";

const WIDTH = 256n;
const HEIGHT = 8n;
const CHECKPOINT_SIZE_MAX = 64 << 10;
const ENTRY_SIZE_MAX = 4096;
const BUNDLE_SIZE_MAX = 256 * (2 + ENTRY_SIZE_MAX);
const TILES_MAX = 64; // that are kept
const SEARCH_MAX = 65536n; // entries

/** No whole answer came: nothing is known of the server then, and it is not refused. */
export class NoAnswer extends Error {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super(message, options);
    this.name = "NoAnswer";
  }
}

/**
 * GET /_enclave/log/PATH, of at most limit bytes: its bytes; null: the server has none of that name. Throws NoAnswer.
 * @typedef {(path: string, limit: number) => Promise<Uint8Array | null>} LogFetch
 */

/**
 * What a verification is to see of a log. searched: "no"; how far for a hand-over: "all", "newer" (what the caller had not
 * seen, or as many as SEARCH_MAX); "not answered", "refused".
 * @typedef {{checkpoint: Uint8Array, proofs: Map<bigint, Uint8Array[]>, searched: string,
 *   handOver: {index: bigint, size: bigint, data: Uint8Array, path: Uint8Array[]} | null}} LogView
 */

/** "tile/LEVEL/INDEX", and ".p/WIDTH" unless it is whole. @param {bigint | string} level */
function tilePath(level, index, width) {
  const groups = [];
  for (let rest = index; groups.length === 0 || rest > 0n; rest /= 1000n)
    groups.unshift((groups.length > 0 ? "x" : "") + (rest % 1000n).toString().padStart(3, "0"));
  return `tile/${level}/${groups.join("/")}${width < WIDTH ? `.p/${width}` : ""}`;
}

/** How far the largest power of two below count reaches; count is at least 2. */
const split = (count) => 1n << BigInt((count - 1n).toString(2).length - 1);
const isPowerOfTwo = (n) => (n & (n - 1n)) === 0n;
const levelOf = (power) => BigInt(power.toString(2).length - 1);

export class Log {
  /** @param {LogFetch} fetch @param {Uint8Array} checkpoint @param {{size: bigint, root: Uint8Array}} head */
  constructor(fetch, checkpoint, head) {
    this.fetch = fetch;
    this.checkpoint = checkpoint;
    this.size = head.size;
    this.root = head.root;
    this.tiles = new Map();
  }

  /** Fetches the head as it is now. Null: there is none, or it is malformed. Throws NoAnswer. @param {LogFetch} fetch */
  static async open(fetch) {
    const text = asBytes(await fetch("checkpoint", CHECKPOINT_SIZE_MAX));
    const note = text && parseNote(text);
    const head = note && parseCheckpoint(note);
    return head && head.size > 0n ? new Log(fetch, text, head) : null;
  }

  /** A tile, as wide as it is in this tree; or whole, since the log has grown, and keeps that alone. Throws Malformed. */
  async #fetchTile(level, index, width, limit) {
    const narrow = await this.fetch(tilePath(level, index, width), limit);
    if (narrow) return { data: narrow, width };
    const whole = width < WIDTH ? await this.fetch(tilePath(level, index, WIDTH), limit) : null;
    return whole ? { data: whole, width: WIDTH } : malformed(`${tilePath(level, index, width)}: there is none`);
  }

  async #tile(level, index) {
    const name = `${level}/${index}`;
    const known = this.tiles.get(name);
    if (known) return known;
    const left = (this.size >> (HEIGHT * level)) - index * WIDTH;
    const { data, width } = await this.#fetchTile(level, index, left < WIDTH ? left : WIDTH, 256 * 32);
    if (data.length !== Number(width) * 32) malformed(`${name} has ${data.length} bytes`);
    if (this.tiles.size === TILES_MAX) this.tiles.delete(this.tiles.keys().next().value);
    this.tiles.set(name, data);
    return data;
  }

  /** The hash over the 2^level entries from index * 2^level on, all of which the tree has. */
  async #node(level, index) {
    const inside = level % HEIGHT;
    const first = index << inside;
    const tile = await this.#tile(level / HEIGHT, first / WIDTH);
    const at = Number(first % WIDTH);
    const hashes = Array.from({ length: 1 << Number(inside) }, (_, i) => tile.subarray(32 * (at + i), 32 * (at + i + 1)));
    return merkleRoot(hashes);
  }

  /** The hash over the entries from first to end, exclusive, a subtree of the tree. */
  async #subtree(first, end) {
    const lefts = [];
    let from = first;
    // The left half of each is whole; what remains gets smaller by half at least.
    while (!isPowerOfTwo(end - from)) {
      const half = split(end - from);
      lefts.push(await this.#node(levelOf(half), from / half));
      from += half;
    }
    let hash = await this.#node(levelOf(end - from), from / (end - from));
    while (lefts.length > 0) hash = await nodeHash(lefts.pop(), hash);
    return hash;
  }

  /** What proves that the head goes on from the tree of oldSize entries, 1 to the log's size. Throws Malformed. */
  async prove(oldSize) {
    let at = oldSize - 1n;
    let last = this.size - 1n;
    let level = 0n;
    for (; at % 2n === 1n; at /= 2n, last /= 2n) level++;
    const path = [await this.#node(level, at)];
    while (last > 0n) {
      for (; at === last && at % 2n === 0n; at /= 2n, last /= 2n) level++;
      if (at % 2n === 1n) {
        path.push(await this.#node(level, at - 1n));
      } else {
        const whole = (at + 2n) << level;
        path.push(await this.#subtree((at + 1n) << level, whole < this.size ? whole : this.size));
      }
      at /= 2n;
      last /= 2n;
      level++;
    }
    return path;
  }

  /* ---- entries, proven a bundle at a time ------------------------------------------------------------------------- */

  async #rootWith(start, hashes, first, end) {
    const stop = start + BigInt(hashes.length);
    if (end <= start || first >= stop) return this.#subtree(first, end);
    if (first >= start && end <= stop) return merkleRoot(hashes.slice(Number(first - start), Number(end - start)));
    const middle = first + split(end - first);
    return nodeHash(await this.#rootWith(start, hashes, first, middle), await this.#rootWith(start, hashes, middle, end));
  }

  /** The entries of a bundle, proven to stand in the head's tree. Throws Malformed. @returns {Promise<Uint8Array[]>} */
  async bundle(index) {
    const start = index * WIDTH;
    const left = this.size - start;
    const { data, width } = await this.#fetchTile("entries", index, left < WIDTH ? left : WIDTH, BUNDLE_SIZE_MAX);
    const entries = [];
    let at = 0;
    while (entries.length < Number(width)) {
      const size = at + 2 <= data.length ? data[at] * 256 + data[at + 1] : ENTRY_SIZE_MAX + 1;
      if (size > ENTRY_SIZE_MAX || at + 2 + size > data.length) malformed(`the bundle from ${start} on is malformed`);
      entries.push(data.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
    if (at !== data.length) malformed(`the bundle from ${start} on is malformed`);
    const known = entries.slice(0, Number(left < WIDTH ? left : WIDTH));
    const root = await this.#rootWith(start, await Promise.all(known.map(leafHash)), 0n, this.size);
    if (!equal(root, this.root)) malformed(`entries from ${start} on are not those of the log's root`);
    return known;
  }

  /* ---- by what an image has the instance --------------------------------------------------------------------------- */

  /** The inclusion of an entry in the tree of the first size entries, from the leaf upwards. */
  async #inclusion(index, size) {
    const path = [];
    let first = 0n;
    let end = size;
    while (end - first > 1n) {
      const middle = first + split(end - first);
      const left = index < middle;
      path.unshift(await (left ? this.#subtree(middle, end) : this.#subtree(first, middle)));
      if (left) end = middle;
      else first = middle;
    }
    return path;
  }

  /** The last entry of a hand-over below end and from least on, sought backwards; null: there is none. */
  async #lastHandOver(least, size) {
    for (let end = size; end > least; ) {
      const bundle = (end - 1n) / WIDTH;
      const start = bundle * WIDTH;
      const entries = await this.bundle(bundle);
      for (let i = end - 1n; i >= start && i >= least; i--) {
        const data = entries[Number(i - start)];
        if (isHandOver(data)) return { index: i, size, data, path: await this.#inclusion(i, size) };
      }
      end = start;
    }
    return null;
  }

  async #search(view, from, certified) {
    if (certified === 0n || certified > this.size || from >= certified) return; // other checks say so
    const least = certified - from > SEARCH_MAX ? certified - SEARCH_MAX : from;
    try {
      view.searched = least > 0n ? "newer" : "all";
      view.handOver = await this.#lastHandOver(least, certified);
    } catch (error) {
      if (!(error instanceof Malformed) && !(error instanceof NoAnswer)) throw error;
      view.searched = error instanceof NoAnswer ? "not answered" : "refused";
    }
  }

  /**
   * What a verification of this certificate (DER) by this policy is to see. What the server has not, or answers wrongly, is
   * missing in it, and fails its check. Throws NoAnswer: there would be nothing to go by.
   * @param {import("./policy.js").Policy} policy @param {Uint8Array} certificate @returns {Promise<LogView>}
   */
  async view(policy, certificate) {
    const { certified, hasLineage } = readLeaf(certificate);
    const view = { checkpoint: this.checkpoint, proofs: new Map(), searched: "no", handOver: null };
    const seen = policy.heads.reduce((most, head) => (head.size > most ? head.size : most), 0n);
    if (hasLineage || seen > 0n) await this.#search(view, hasLineage ? 0n : seen, certified);
    for (const size of [certified, ...policy.heads.map((head) => head.size)]) {
      if (size === 0n || size >= this.size || view.proofs.has(size)) continue;
      try {
        view.proofs.set(size, await this.prove(size));
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
      }
    }
    return view;
  }
}

/** How many entries the log had when the certificate was made (0: it does not say), and whether others had the instance. */
function readLeaf(der) {
  try {
    const leaf = new Certificate(der);
    const head = leaf.extension(OID_LOG_HEAD).value;
    return {
      certified: head?.length === 40 ? bigEndian(head) : 0n,
      hasLineage: (leaf.extension(OID_LINEAGE).value?.length ?? 0) > 0,
    };
  } catch (error) {
    if (error instanceof Malformed) return { certified: 0n, hasLineage: false };
    throw error;
  }
}
