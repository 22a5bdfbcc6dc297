// What a program in AssemblyScript asks of WASI preview 1 by itself: arguments, environment, standard streams, random
// bytes, clocks, a file, the exit status. A line for each case that is otherwise than expected; at the end how many there
// were. The arguments are what it is to find, "exit" and a status at the end says to end with that.

export { cabi_realloc } from "./program";
import { fd_write, proc_exit, say } from "./program";

@external("wasi_snapshot_preview1", "args_sizes_get")
declare function args_sizes_get(count: usize, size: usize): i32;
@external("wasi_snapshot_preview1", "args_get")
declare function args_get(list: usize, text: usize): i32;
@external("wasi_snapshot_preview1", "environ_sizes_get")
declare function environ_sizes_get(count: usize, size: usize): i32;
@external("wasi_snapshot_preview1", "environ_get")
declare function environ_get(list: usize, text: usize): i32;
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(fd: i32, vectors: usize, count: usize, taken: usize): i32;
@external("wasi_snapshot_preview1", "fd_close")
declare function fd_close(fd: i32): i32;
@external("wasi_snapshot_preview1", "path_open")
declare function path_open(fd: i32, lookup: i32, path: usize, size: usize, oflags: i32, base: i64, inherited: i64, flags: i32, out: usize): i32;
@external("wasi_snapshot_preview1", "path_unlink_file")
declare function path_unlink_file(fd: i32, path: usize, size: usize): i32;
@external("wasi_snapshot_preview1", "random_get")
declare function random_get(buffer: usize, size: usize): i32;
@external("wasi_snapshot_preview1", "clock_time_get")
declare function clock_time_get(clock: i32, precision: i64, time: usize): i32;

const BADF: i32 = 8;
const NOENT: i32 = 44;
let tried = 0;
let failed = 0;

function equal<T>(name: string, got: T, expected: T): void {
  tried++;
  if (got == expected) return;
  failed++;
  say(name + ": " + got.toString() + ", expected " + expected.toString());
}

// A list of strings as arguments and environment come: pointers, and what they point to.
function list(sizes: (count: usize, size: usize) => i32, get: (list: usize, text: usize) => i32, name: string): string[] {
  const out = new StaticArray<u32>(2);
  const at = changetype<usize>(out);
  equal(name + " sizes", sizes(at, at + 4), 0);
  const count = out[0];
  const pointers = new StaticArray<u32>(count + 1);
  const text = new Uint8Array(out[1] + 1);
  pointers[count] = 0xdddddddd;
  text[out[1]] = 0xdd;
  equal(name, get(changetype<usize>(pointers), text.dataStart), 0);
  equal(name + " goes no further", pointers[count] == 0xdddddddd && text[out[1]] == 0xdd, true);
  const strings: string[] = [];
  let size: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const string = String.UTF8.decodeUnsafe(pointers[i], text.dataStart + out[1] - pointers[i], true);
    size += String.UTF8.byteLength(string, true);
    strings.push(string);
  }
  equal(name + " sizes are exact", size, out[1]);
  return strings;
}

function argumentsAndEnvironment(): string[] {
  const given = list((a, b) => args_sizes_get(a, b), (a, b) => args_get(a, b), "arguments");
  const variables = list((a, b) => environ_sizes_get(a, b), (a, b) => environ_get(a, b), "environment");
  equal("one", given.length > 1 ? given[1] : "", "one");
  equal("two words", given.length > 2 ? given[2] : "", "two words");
  equal("none", given.length > 3 ? given[3] : "none", "");
  equal("é", given.length > 4 ? given[4] : "", "é");
  equal("a variable", variables.includes("GREETING=hello"), true);
  equal("an empty one", variables.includes("EMPTY="), true);
  equal("what was asked", variables.includes("REQUEST_METHOD=POST"), true);
  return given;
}

function vectors(parts: string[], copies: ArrayBuffer[]): StaticArray<usize> {
  const out = new StaticArray<usize>(2 * parts.length + 1);
  for (let i = 0; i < parts.length; i++) {
    copies.push(String.UTF8.encode(parts[i]));
    out[2 * i] = changetype<usize>(copies[i]);
    out[2 * i + 1] = copies[i].byteLength;
  }
  return out;
}

function write(fd: i32, parts: string[], expected: i32, size: usize): void {
  const copies: ArrayBuffer[] = [];
  const out = vectors(parts, copies);
  const written = changetype<usize>(out) + 8 * parts.length;
  equal("write to " + fd.toString(), fd_write(fd, changetype<usize>(out), parts.length, written), expected);
  equal("written to " + fd.toString(), out[2 * parts.length], size);
}

function read(fd: i32, size: i32): string {
  const bytes = new Uint8Array(size);
  const vector = new StaticArray<usize>(3);
  vector[0] = bytes.dataStart;
  vector[1] = size;
  const at = changetype<usize>(vector);
  equal("read from " + fd.toString(), fd_read(fd, at, 1, at + 8), 0);
  return String.UTF8.decodeUnsafe(bytes.dataStart, vector[2]);
}

function streams(): void {
  write(1, [], 0, 0);
  write(1, [""], 0, 0);
  write(2, ["posix-as was here\n"], 0, 18);
  write(99, ["nowhere"], BADF, 0);
  write(0, ["nowhere"], BADF, 0);
  equal("stdin", read(0, 64), "the body");
  equal("its end", read(0, 64), "");
}

function open(path: string, oflags: i32, expected: i32): i32 {
  const name = String.UTF8.encode(path);
  const out = new StaticArray<i32>(1);
  const at = changetype<usize>(out);
  equal("open " + path, path_open(3, 0, changetype<usize>(name), name.byteLength, oflags, -1, -1, 0, at), expected);
  return out[0];
}

function file(): void {
  const path = "posix-as";
  const name = String.UTF8.encode(path);
  open(path, 0, NOENT);
  let fd = open(path, 1, 0);
  write(fd, ["one ", "", "two"], 0, 4); // what follows the first is for another call
  equal("close", fd_close(fd), 0);
  equal("close again", fd_close(fd), BADF);
  fd = open(path, 0, 0);
  equal("its bytes", read(fd, 64), "one ");
  equal("close", fd_close(fd), 0);
  equal("unlink", path_unlink_file(3, changetype<usize>(name), name.byteLength), 0);
  equal("unlink again", path_unlink_file(3, changetype<usize>(name), name.byteLength), NOENT);
}

function randomAndClocks(): void {
  const bytes = new Uint8Array(64);
  equal("no random bytes", random_get(bytes.dataStart, 0), 0);
  equal("none changed", bytes.every((byte) => byte == 0), true);
  equal("random bytes", random_get(bytes.dataStart, 64), 0);
  equal("changed", bytes.some((byte) => byte != 0), true);
  const time = new StaticArray<u64>(2);
  const at = changetype<usize>(time);
  equal("clock", clock_time_get(1, 0, at), 0);
  equal("clock", clock_time_get(1, 0, at + 8), 0);
  equal("it does not go back", time[1] >= time[0], true);
}

const given = argumentsAndEnvironment();
streams();
file();
randomAndClocks();
say((tried - failed).toString() + " of " + tried.toString() + " cases");
if (given.length > 6 && given[5] == "exit") proc_exit(I32.parseInt(given[6]));
