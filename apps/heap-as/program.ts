// What programs in AssemblyScript need to become components, and to say something.

@external("wasi_snapshot_preview1", "fd_write")
export declare function fd_write(fd: i32, vectors: usize, count: usize, written: usize): i32;
@external("wasi_snapshot_preview1", "proc_exit")
export declare function proc_exit(status: i32): void;

// Memory for the adapter, from this module's heap: without it the adapter grows the memory, and the allocator, which
// takes all there is at its first use, lies over it. What it gives is never freed: nobody here knows of it.
export function cabi_realloc(old: usize, oldSize: usize, align: usize, size: usize): usize {
  if (align > 16) unreachable();
  return old ? heap.realloc(old, size) : heap.alloc(size);
}

export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  say("aborted at line " + line.toString());
  proc_exit(1);
}

export function say(text: string): void {
  const bytes = String.UTF8.encode(text + "\n");
  const vector = new StaticArray<usize>(3);
  vector[0] = changetype<usize>(bytes);
  vector[1] = bytes.byteLength;
  fd_write(1, changetype<usize>(vector), 1, changetype<usize>(vector) + 8);
}
