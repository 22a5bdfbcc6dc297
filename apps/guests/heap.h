/*
 * Is the heap whole? Blocks of many sizes, each filled with what its number and size say, are allocated, moved and
 * freed between calls that reach the preview 1 adapter, and looked at again each time. Whoever else believes that this
 * memory is his own is noticed: a block of ours changes, or a call of his fails. For C and C++.
 */
#ifndef APPS_GUESTS_HEAP_H
#define APPS_GUESTS_HEAP_H

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAP_BLOCKS = 512, HEAP_ROUNDS = 4096 };
static struct heap_block {
    uint8_t *data;
    size_t size;
    uint32_t seed;
} heap_blocks[HEAP_BLOCKS];
static uint32_t heap_random_state;

static uint32_t heap_random(void)
{
    heap_random_state = heap_random_state * 1664525u + 1013904223u;
    return heap_random_state >> 8;
}

static uint8_t heap_byte(uint32_t seed, size_t at)
{
    return (uint8_t)((seed + (uint32_t)at) * 2654435761u >> 24);
}

static int heap_whole(const struct heap_block *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (b->data[i] != heap_byte(b->seed, i))
            return 0;
    return 1;
}

static void heap_fill(struct heap_block *b, size_t from)
{
    for (size_t i = from; i < b->size; i++)
        b->data[i] = heap_byte(b->seed, i);
}

/* Up to 1 KiB mostly, sometimes up to 256 KiB: the allocator's own lists, and more memory than it has. */
static size_t heap_size(void)
{
    return heap_random() % ((heap_random() % 16) ? 1024 : 262144) + 1;
}

/* Allocate, move or free one. NULL, or what is wrong. */
static const char *heap_turn(struct heap_block *b)
{
    size_t size = heap_size();
    if (!b->data) {
        *b = (struct heap_block){(uint8_t *)malloc(size), size, heap_random()};
        if (!b->data)
            return "no memory";
        heap_fill(b, 0);
        return NULL;
    }
    if (!heap_whole(b, b->size))
        return "a block was changed";
    if (heap_random() % 2) {
        free(b->data);
        b->data = NULL;
        return NULL;
    }
    uint8_t *moved = (uint8_t *)realloc(b->data, size);
    if (!moved)
        return "no memory to move to";
    size_t old = b->size;
    b->data = moved;
    b->size = size;
    if (!heap_whole(b, size < old ? size : old))
        return "a block was changed in moving";
    heap_fill(b, old);
    return NULL;
}

/* A call that goes through the adapter, each in turn. */
static const char *heap_call(unsigned which)
{
    struct timespec now;
    struct stat status;
    uint8_t bytes[64];
    switch (which % 5) {
    case 0:
        return clock_gettime(CLOCK_MONOTONIC, &now) ? "clock_gettime" : NULL;
    case 1:
        return getentropy(bytes, sizeof bytes) ? "getentropy" : NULL;
    case 2:
        return stat("/", &status) || !S_ISDIR(status.st_mode) ? "stat" : NULL;
    case 3: {
        FILE *file = fopen("/heap", "w+");
        char line[32] = "";
        if (!file || fputs("whole\n", file) < 0 || fseek(file, 0, SEEK_SET) || !fgets(line, sizeof line, file) ||
            strcmp(line, "whole\n") != 0 || fclose(file))
            return "a file";
        return NULL;
    }
    default: {
        DIR *directory = opendir("/");
        int seen = 0;
        for (struct dirent *e; directory && (e = readdir(directory));)
            seen += strcmp(e->d_name, "heap") == 0;
        return !directory || closedir(directory) || seen != 1 ? "readdir" : NULL;
    }
    }
}

/* NULL: it is whole. */
static const char *heap_check(uint32_t seed)
{
    const char *wrong = heap_call(3);
    heap_random_state = seed;
    for (unsigned round = 0; round < HEAP_ROUNDS && !wrong; round++) {
        wrong = heap_turn(&heap_blocks[heap_random() % HEAP_BLOCKS]);
        if (!wrong && round % 16 == 0)
            wrong = heap_call(round / 16);
    }
    for (struct heap_block *b = heap_blocks; b < heap_blocks + HEAP_BLOCKS && !wrong; b++)
        wrong = b->data && !heap_whole(b, b->size) ? "a block was changed at the end" : NULL;
    for (struct heap_block *b = heap_blocks; b < heap_blocks + HEAP_BLOCKS; b++) {
        free(b->data);
        b->data = NULL;
    }
    return wrong;
}

#endif
