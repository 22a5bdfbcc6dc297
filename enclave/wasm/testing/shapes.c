/* See shapes.h. */
#include "enclave/wasm/testing/shapes.h"

#include <stdlib.h>

static uint64_t state;

void pick_seed(uint64_t seed)
{
    state = seed * 2654435761u + 88172645463325252u;
}

unsigned pick(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 11) % below;
}

/* Types of instances and components written into each other, with types beside them. */
static void nested_types(struct bytes *b, unsigned depth)
{
    struct bytes types = {0};
    PUT(&types, "\1");
    for (unsigned i = 0; i < depth; i++) {
        unsigned beside = pick(3);
        put(&types, pick(2) ? "\x41" : "\x42", 1);
        put_number(&types, 1 + beside);
        for (unsigned j = 0; j < beside; j++)
            put(&types, pick(2) ? "\1\x70\x7d" : "\1\x6b\x73", 3); /* list<u8>, option<string> */
        PUT(&types, "\1");
    }
    PUT(&types, "\x70\x7d");
    put_section(b, 7, &types);
}

/* Each type of an instance exports an instance of the type before it: nothing is written into anything. */
static void chained_types(struct bytes *b, unsigned depth)
{
    struct bytes types = {0};
    put_number(&types, depth + 1);
    PUT(&types, "\x42\0");
    for (unsigned i = 0; i < depth; i++) {
        PUT(&types, "\x42\2\2\3\2\1");
        put_number(&types, i);
        PUT(&types, "\4\0\1a\5\0");
    }
    put_section(b, 7, &types);
}

static void nested_components(struct bytes *b, unsigned depth)
{
    struct bytes inner = {0};
    put_head(&inner);
    while (depth--) {
        struct bytes outer = {0};
        put_head(&outer);
        put_section(&outer, 4, &inner);
        inner = outer;
    }
    put_section(b, 4, &inner);
}

/* Each component instantiates the one within it twice: 2^depth instances of the innermost. */
static void doubled_instances(struct bytes *b, unsigned depth)
{
    struct bytes inner = {0};
    put_head(&inner);
    while (depth--) {
        struct bytes outer = {0}, instances = {0};
        put_head(&outer);
        put_section(&outer, 4, &inner);
        PUT(&instances, "\2\0\0\0\0\0\0");
        put_section(&outer, 5, &instances);
        inner = outer;
    }
    struct bytes instances = {0};
    put_section(b, 4, &inner);
    PUT(&instances, "\1\0\0\0");
    put_section(b, 5, &instances);
}

/* Instances made of exports of instances of exports. */
static void bundled_instances(struct bytes *b, unsigned depth)
{
    struct bytes instances = {0};
    put_number(&instances, depth + 1);
    PUT(&instances, "\1\0");
    for (unsigned i = 0; i < depth; i++) {
        PUT(&instances, "\1\1\0\1a\5");
        put_number(&instances, i);
    }
    put_section(b, 5, &instances);
}

/* Types of values that name each other. wasmparser has a limit of its own for these. */
static void nested_values(struct bytes *b, unsigned depth)
{
    struct bytes types = {0};
    put_number(&types, depth + 1);
    PUT(&types, "\x70\x7d");
    for (unsigned i = 0; i < depth; i++) {
        put(&types, pick(2) ? "\x70" : "\x6b", 1);
        /* signed: the sign bit of the last byte stays clear */
        uint8_t low = (uint8_t)(0x80 | (i & 0x7f)), high = (uint8_t)(0x80 | ((i >> 7) & 0x7f)), top = 0;
        put(&types, &low, 1), put(&types, &high, 1), put(&types, &top, 1);
    }
    put_section(b, 7, &types);
}

/* Types beside each other. */
static void many_types(struct bytes *b, unsigned count)
{
    struct bytes types = {0};
    put_number(&types, count);
    put_times(&types, count, "\x70\x7d", 2);
    put_section(b, 7, &types);
}

/* Of functions, in two modules. */
static void many_core_types(struct bytes *b, unsigned count)
{
    for (unsigned i = 0; i < 2; i++) {
        unsigned here = (count + i) / 2;
        struct bytes module = {0}, types = {0};
        PUT(&module, "\0asm\1\0\0\0");
        put_number(&types, here);
        put_times(&types, here, "\x60\0\0", 3);
        put_section(&module, 1, &types);
        put_section(b, 1, &module);
    }
}

/* A block that gives so many values. */
static void many_block_values(struct bytes *b, unsigned count)
{
    struct bytes module = {0}, types = {0}, functions = {0}, code = {0}, body = {0};
    PUT(&module, "\0asm\1\0\0\0");
    PUT(&types, "\2\x60\0\0\x60\0"); /* nothing to nothing, nothing to the values */
    put_number(&types, count);
    put_times(&types, count, "\x7f", 1);
    put_section(&module, 1, &types);
    PUT(&functions, "\1\0");
    put_section(&module, 3, &functions);
    PUT(&body, "\0\2\1");
    put_times(&body, count, "\x41\0", 2);
    PUT(&body, "\x0b");
    put_times(&body, count, "\x1a", 1);
    PUT(&body, "\x0b");
    PUT(&code, "\1");
    put_number(&code, (unsigned)body.size);
    put(&code, body.data, body.size);
    put_section(&module, 10, &code);
    put_section(b, 1, &module);
    free(body.data);
}

/* A function of so many nested blocks. */
static void nested_blocks(struct bytes *b, unsigned depth)
{
    struct bytes body = {0};
    put_times(&body, depth, "\2\x40", 2);
    put_times(&body, depth + 1, "\x0b", 1);
    put_functions(b, 1, "", 0, &body);
}

/* Of loops, with blocks between them. */
static void nested_loops(struct bytes *b, unsigned depth)
{
    struct bytes body = {0};
    unsigned blocks = 0;
    for (unsigned i = 0; i < depth; i++) {
        for (unsigned j = pick(2); j > 0; j--, blocks++)
            PUT(&body, "\2\x40");
        PUT(&body, "\3\x40");
    }
    put_times(&body, depth + blocks + 1, "\x0b", 1);
    put_functions(b, 1, "", 0, &body);
}

/* One behind the other, however many. */
static void loops_in_a_row(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    put_times(&body, count, "\3\x40\x0b", 3);
    PUT(&body, "\x0b");
    put_functions(b, 1, "", 0, &body);
}

/* Shapes that take much memory for their size. */
static void many_functions(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    PUT(&body, "\x0b");
    put_functions(b, count, "", 0, &body);
}

static void many_calls(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    put_times(&body, count, "\x10\0", 2);
    PUT(&body, "\x0b");
    put_functions(b, 1, "", 0, &body);
}

/* So many values wait on the stack while the next is computed by a call. */
static void many_values(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    put_times(&body, count + 1, "\x10\0", 2);
    put_times(&body, count, "\x6a", 1);
    PUT(&body, "\x0b");
    put_functions(b, 1, "\1\x7f", 0, &body);
}

void many_operators(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    PUT(&body, "\x41\0");
    put_times(&body, count, "\x41\1\x6a", 3);
    PUT(&body, "\x1a\x0b");
    put_functions(b, 1, "", 0, &body);
}

/* 100 loops within each other, which all change the same variables. */
static void many_meetings(struct bytes *b, unsigned variables)
{
    struct bytes body = {0};
    put_times(&body, 100, "\3\x40", 2);
    for (unsigned i = 0; i < variables; i++) {
        PUT(&body, "\x20");
        put_number(&body, i);
        PUT(&body, "\x41\1\x6a\x21");
        put_number(&body, i);
    }
    put_times(&body, 100, "\x20\0\x0d\0\x0b", 5);
    PUT(&body, "\x0b");
    put_functions(b, 1, "", variables, &body);
}

/* So many branches to a block that gives so many values as it may. */
static void branches_with_values(struct bytes *b, unsigned branches)
{
    struct bytes module = {0}, types = {0}, one = {0};
    PUT(&types, "\2\x60\0\0\x60\0\x3c"); /* 60 values */
    put_times(&types, 60, "\x7f", 1);
    PUT(&module, "\0asm\1\0\0\0");
    put_section(&module, 1, &types);
    PUT(&module, "\3\2\1\0");
    PUT(&one, "\0\2\1");
    put_times(&one, 60, "\x41\0", 2);
    put_times(&one, branches, "\x41\1\x0d\0", 4);
    PUT(&one, "\x0b");
    put_times(&one, 60, "\x1a", 1);
    PUT(&one, "\x0b");
    put_module(b, &module, 1, &one);
}

/* Handlers within each other, and as many calls within them all. */
static void handlers(struct bytes *b, unsigned depth)
{
    struct bytes body = {0};
    PUT(&body, "\2\x40");
    put_times(&body, depth, "\x1f\x40\1\2\0", 5);
    put_times(&body, depth, "\x10\0", 2);
    put_times(&body, depth + 2, "\x0b", 1);
    put_functions(b, 1, "", 0, &body);
}

/* A memory is filled again and again, and an import is called each time, which interrupts nothing. */
static void bulk(struct bytes *b, unsigned count)
{
    struct bytes module = {0}, one = {0};
    PUT(&module, "\0asm\1\0\0\0\1\4\1\x60\0\0"); /* a type: nothing to nothing */
    PUT(&module, "\2\7\1\1a\1b\0\0");            /* a.b of that type */
    PUT(&module, "\3\2\1\0\5\3\1\0\1");          /* a function, a memory of one page */
    PUT(&one, "\0");
    put_times(&one, count, "\x41\0\x41\0\x41\0\xfc\x0b\0\x10\0", 11);
    PUT(&one, "\x0b");
    put_module(b, &module, 1, &one);
}

/* Calls whose exceptions are caught, with as many variables alive. */
static void caught_calls(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    PUT(&body, "\2\x40\x1f\x40\1\2\0");
    for (unsigned i = 0; i < count; i++) {
        PUT(&body, "\x41\1\x21");
        put_number(&body, i);
        PUT(&body, "\x10\0");
    }
    PUT(&body, "\x0b\x0b");
    for (unsigned i = 0; i < count; i++) {
        PUT(&body, "\x20");
        put_number(&body, i);
        PUT(&body, "\x1a");
    }
    PUT(&body, "\x0b");
    put_functions(b, 1, "", count, &body);
}

/* As many variables as calls that they live across. */
static void variables_and_calls(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    for (unsigned i = 0; i < count; i++) {
        PUT(&body, "\x10\0\x21");
        put_number(&body, i);
    }
    put_times(&body, count, "\x10\0\x1a", 3);
    PUT(&body, "\x41\0");
    for (unsigned i = 0; i < count; i++) {
        PUT(&body, "\x20");
        put_number(&body, i);
        PUT(&body, "\x6a");
    }
    PUT(&body, "\x0b");
    put_functions(b, 1, "\1\x7f", count, &body);
}

/* A table whose branches all lead to where as many variables meet. */
static void table_of_branches(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    PUT(&body, "\2\x40\x41\1\x0e");
    put_number(&body, count);
    put_times(&body, count + 1, "\0", 1);
    PUT(&body, "\x0b\x0b");
    put_functions(b, 1, "", count, &body);
}

enum { TYPES_DEEP = 100 }; /* COMPONENT_DEPTH_MAX, which a test must not follow by itself */

#define TOO_LONG "would take too long to compile"

const struct shape_kind shapes[] = {
    {"nested types", nested_types, TYPES_DEEP - 3, TYPES_DEEP + 1, 20000, "nested more than 100 levels deep"},
    {"chained types", chained_types, TYPES_DEEP - 3, TYPES_DEEP + 1, 20000, "nested more than 100 levels deep"},
    {"nested components", nested_components, TYPES_DEEP - 3, TYPES_DEEP + 1, 3000, "nested more than 100 levels deep"},
    {"bundled instances", bundled_instances, TYPES_DEEP - 3, TYPES_DEEP + 1, 900, "nested more than 100 levels deep"},
    {"doubled instances", doubled_instances, 8, 10, 60, "more than 1000 instances"},
    {"nested values", nested_values, 90, 110, 16000, "too deep"},
    {"many types", many_types, 90000, 100001, 200000, "more than 100000 types, imports and exports"},
    {"many core types", many_core_types, 300000, 1000001, 1500000, "more than 1000000 functions, types and the like"},
    {"values of a block", many_block_values, 64, 65, 900, "takes or gives more than 64 values"},
    {"nested blocks", nested_blocks, 5000, 600000, 700000, "at most 1048576"},
    {"nested loops", nested_loops, 200, 201, 20000, "more than 200 loops within loops"},
    {"loops in a row", loops_in_a_row, 10000, 400000, 500000, "at most 1048576"},
    /* what compiling takes more than its length would say */
    {"values across calls", many_values, 2700, 2900, 100000, TOO_LONG},
    {"variables across calls", variables_and_calls, 1300, 1500, 40000, TOO_LONG},
    {"branches with values", branches_with_values, 1900, 2100, 200000, TOO_LONG},
    {"handlers", handlers, 64, 65, 20000, "64 exception handlers at one place"},
    {"bulk instructions", bulk, 64, 65, 90000, "64 instructions like memory.copy in a row"},
    {"caught calls", caught_calls, 450, 500, 40000, TOO_LONG},
    {"tables of branches", table_of_branches, 1900, 2100, 40000, TOO_LONG},
};
const size_t shape_count = sizeof shapes / sizeof *shapes;

const struct large_shape large_shapes[] = {
    {"many functions", many_functions, 20000},
    {"many calls", many_calls, 50000},
    {"many values", many_values, 2700},
    {"many operators", many_operators, 50000},
    {"many meetings", many_meetings, 500},
    {"nested blocks", nested_blocks, 50000},
    {"branches with values", branches_with_values, 1900},
    {"caught calls", caught_calls, 450},
    {"variables across calls", variables_and_calls, 1300},
    {"handlers", handlers, 64},
};
const size_t large_shape_count = sizeof large_shapes / sizeof *large_shapes;
