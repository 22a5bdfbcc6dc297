// Is the heap whole? As apps/guests/heap.h asks in C: arrays filled with what their number says are made, replaced and
// looked at again, with calls between them that go through the preview 1 adapter.

@external("wasi_snapshot_preview1", "random_get")
declare function random_get(buffer: usize, size: usize): i32;
@external("wasi_snapshot_preview1", "clock_time_get")
declare function clock_time_get(clock: i32, precision: u64, time: usize): i32;
@external("wasi_snapshot_preview1", "path_filestat_get")
declare function path_filestat_get(fd: i32, flags: i32, path: usize, size: usize, stat: usize): i32;
export { cabi_realloc } from "./program";
import { say } from "./program";

function byteOf(seed: u32, at: i32): u8 {
  return <u8>(((seed + <u32>at) * 2654435761) >> 24);
}

function whole(block: Uint8Array, seed: u32): bool {
  for (let i = 0; i < block.length; i++) if (block[i] != byteOf(seed, i)) return false;
  return true;
}

function call(which: i32): bool {
  const buffer = new Uint8Array(64);
  switch (which % 3) {
    case 0:
      return random_get(buffer.dataStart, 64) == 0;
    case 1:
      return clock_time_get(1, 0, buffer.dataStart) == 0;
    default: {
      const path = String.UTF8.encode(".");
      return path_filestat_get(3, 0, changetype<usize>(path), path.byteLength, buffer.dataStart) == 0;
    }
  }
}

function check(): string {
  const blocks = new Array<Uint8Array | null>(256);
  const seeds = new Array<u32>(256);
  let state: u32 = 7;
  for (let round = 0; round < 4096; round++) {
    state = state * 1664525 + 1013904223;
    const at = <i32>((state >> 8) & 255);
    const old = blocks[at];
    if (old && !whole(old, seeds[at])) return "a block was changed";
    state = state * 1664525 + 1013904223;
    const block = new Uint8Array(<i32>((state >> 8) % (round % 16 ? 1024 : 65536)));
    for (let i = 0; i < block.length; i++) block[i] = byteOf(state, i);
    blocks[at] = block;
    seeds[at] = state;
    if (round % 16 == 0 && !call(round / 16)) return "a call failed";
  }
  for (let at = 0; at < 256; at++) {
    const block = blocks[at];
    if (block && !whole(block, seeds[at])) return "a block was changed at the end";
  }
  return "whole";
}

if (!call(0)) say("a call failed before anything was allocated");
else say(check());
