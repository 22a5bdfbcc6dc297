/*
 * Memory for others, from the C library's own heap. Every program with a C library is linked with this, be it a
 * component with handlers or a command with a main.
 *
 * Two ask for it: the canonical ABI, for what imports return, which the program frees; and the preview 1 adapter, for
 * its state and stack, once and for good. If a module does not export it the adapter grows the memory instead, behind
 * the back of the library, whose allocator (wasi-libc before `__heap_end`) takes everything up to the end of memory for
 * its heap at its first use: heap and state then lie over each other.
 */
#include <stddef.h>
#include <stdlib.h>

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    (void)old_size;
    if (align > _Alignof(max_align_t))
        __builtin_trap();
    if (size == 0 && !old)
        return (void *)align; /* nothing, aligned: not memory that somebody would have to free */
    void *made = realloc(old, size);
    if (!made && size)
        __builtin_trap();
    return made;
}
