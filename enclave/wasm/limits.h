/*
 * What guests may have. docs/limits.md lists these numbers with what happens at each; tests/native/limits_table.c makes
 * its table from them, and a test compares. Bytes unless said otherwise.
 *
 * "wasmtime" is what `wasmtime serve` 48 gives without options.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_WASM_LIMITS_H

#include <assert.h>
#include <stdint.h>

#define KIB(n) (UINT64_C(n) << 10)
#define MIB(n) (UINT64_C(n) << 20)

/* A component, before it is compiled ---------------------------------------------------------------------------- */

/* Types within types and components within components; wasmtime: 100 for values' types, by recursion for the rest. */
#define COMPONENT_DEPTH_MAX 100
/* Types, imports, exports, aliases and instances' arguments, of all components in it. What Python makes has 1,500. */
#define COMPONENT_ITEMS_MAX 100000
/* Functions, globals, types and the like of all its modules; wasmtime: a million of each kind, for each module. */
#define COMPONENT_CORE_ITEMS_MAX 1000000
/* One function's code; wasmtime: 7,654,321. Compiling takes some hundred times as much memory as the code. */
#define COMPONENT_FUNCTION_MAX MIB(1)
/* Loops within loops of one function; what compiling takes grows with the square. */
#define COMPONENT_LOOPS_MAX 200
/* Values that a block takes or gives, and exceptions' handlers that are in force at one place. Compilers make few; each
 * is a value, or an edge, of its own at every place that leads there. */
#define COMPONENT_BLOCK_VALUES_MAX 64
#define COMPONENT_HANDLERS_MAX 64
/* Bulk instructions in a row, which nothing interrupts: each may take a tenth of a second. Compilers make ten. */
#define COMPONENT_BULK_MAX 64
/* What compiling a function takes beyond its length, in steps of about a microsecond (Work in wasmtime/src/check.rs
 * says what counts): of one function, and of all. */
#define COMPONENT_FUNCTION_STEPS_MAX 4000000
#define COMPONENT_STEPS_MAX 100000000
/* Bytes of code, and steps, from which on optimising takes seconds: then quick code serves until that is done. */
#define COMPONENT_QUICK_CODE MIB(1)
#define COMPONENT_QUICK_STEPS 4000000
/* Of modules and components, in one instance of the whole; wasmtime: 10,000. */
#define COMPONENT_INSTANCES_MAX 1000

/* An instance ----------------------------------------------------------------------------------------------------- */

/* Its calls' frames; as wasmtime. The rest of a stack is for host functions. */
#define GUEST_WASM_STACK KIB(512)
#define GUEST_HOST_STACK KIB(128)
#define GUEST_STACK (GUEST_WASM_STACK + GUEST_HOST_STACK)
#define GUEST_MEMORIES_MAX 1000       /* as many as instances; wasmtime: 10,000 */
#define GUEST_MARKED_MEMORIES_MAX 256 /* of those, where each module has marks (image.h) */
#define GUEST_TABLES_MAX 1000         /* the same */
#define GUEST_TABLE_MAX 10000000      /* elements of one table; as wasmtime. They are charged to the app */
/* What is collected (structures, arrays, exceptions), of all its modules together; wasmtime: 4 GiB. Collecting it, or
 * filling an array as large, is one step that nothing interrupts. */
#define GUEST_COLLECTED_MAX MIB(16)
/* Out of its memory in one host call; wasmtime: 128 MiB. It is copied before anybody can be asked whether there is
 * memory for it, by each worker at once. Nothing that succeeds takes more: a transaction of the store is 8 MiB. */
#define GUEST_COPIED_MAX MIB(12)
/* Of what all guests may hold: so much, one part of, may be memories that are kept for requests to come. */
#define GUESTS_KEPT_PART 8u
/* What those copies are at most, with what is made of them: short strings take three times their bytes and places. So
 * much is set aside for each worker. */
#define GUEST_LIFTED_MAX MIB(48)
#define RANDOM_MAX MIB(64)     /* random bytes at once; as wasmtime */
#define KEYVALUE_KEYS_MAX 4096 /* of one call for many */
/* After its client went away: for what it has to put in order. Milliseconds. */
#define GUEST_GONE_MS 5000
/* What a turn of a guest's counts at least of what it may compute, in microseconds: the clock that its turns are
 * measured by goes forward once a millisecond, and nobody can slip between two of its steps for nothing. */
#define GUEST_TURN_MIN_US 20
/* How long a guest computes at most before it yields: while none queues for its turn, and where one has lately. */
#define GUEST_TICK_MS 20
#define GUEST_TICK_QUEUED_MS 1
#define GUEST_QUEUED_LATELY_MS 100
/* What an app may compute on one worker, in one pass of its loop, before others have their turns (turns.c). */
#define GUEST_QUANTUM_US 1000
#define APP_CALLS_OUT_MAX 128u /* requests to servers elsewhere, of one app at once: a number */
/* Connections to servers elsewhere that wait for the next request, of all apps: a number, of which an app has as many
 * as it leaves free for others. */
#define APPS_KEPT_MAX 256u

/* A guest's own ---------------------------------------------------------------------------------------------------- */

#define RESOURCE_FIRST 16u /* resources in the guest itself; each later chunk has twice as many */
#define RESOURCE_CHUNKS 10u
#define RESOURCES_MAX (RESOURCE_FIRST * ((1u << RESOURCE_CHUNKS) - 1)) /* 16,368 */
#define FIELDS_BYTES_MAX 65536u                                        /* names and values of one list of fields */
#define FIELDS_COUNT_MAX 512u
#define LINE_MAX_SIZE 1024u /* of what it prints: the rest is a second line */
#define LINK_NAME_MAX 128u  /* of an interface with its version */
#define SCRATCH_SIZE 65536u /* what a reply points to */
#define PASSED_SLOT 64u     /* of a list that passes: an element as wasmtime keeps it, a slot, what is borrowed */
#define PASSED_FREE (SCRATCH_SIZE + 64u * PASSED_SLOT) /* of what passes in one call, before the app is charged */
#define GUEST_FRAMES_FREE KIB(16)                      /* of a stack that is put away, before the app is charged */
#define GUEST_STRUCTURE KIB(8)                         /* struct guest: its first resources and replies are in it */

/* What an instance takes beside its memories, tables, stack and contexts. */
#define GUEST_OWN_COST KIB(192)
#define GUEST_OWN_NEEDED (SCRATCH_SIZE + PASSED_FREE + GUEST_FRAMES_FREE + 2u * LINE_MAX_SIZE + GUEST_STRUCTURE)
static_assert(GUEST_OWN_NEEDED + KIB(32) <= GUEST_OWN_COST, "the rest is for wasmtime's store");

#endif
