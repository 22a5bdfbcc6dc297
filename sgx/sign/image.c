/* The image file and its layout in ELRANGE; see image.h. */
#include "sgx/sign/image.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/ensure.h"
#include "common/error_line.h"
#include "sgx/sign/measure.h"

#define SEGMENT_MAX (1ull << 30) /* bytes, and the highest start: a file cannot ask for more memory than this */

#define SIZE_LIMIT (1ull << 35) /* of any one region */

static uint64_t page_up(uint64_t v)
{
    return (v + SGX_PAGE_SIZE - 1) & ~(uint64_t)(SGX_PAGE_SIZE - 1);
}

/* What has no length (a folder, a pipe) has none that can be trusted. */
static int read_file(const char *path, uint8_t **out, size_t *out_size)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f)
        return -errno;
    int result = fstat(fileno(f), &st) != 0 ? -errno
                 : S_ISDIR(st.st_mode)      ? -EISDIR
                 : S_ISREG(st.st_mode)      ? -EIO
                                            : -ESPIPE;
    if (result != -EIO) {
        fclose(f);
        return result;
    }
    uint8_t *data = NULL;
    if (fseek(f, 0, SEEK_END) == 0) {
        long size = ftell(f);
        rewind(f);
        data = size >= 0 ? malloc((size_t)size + 1) : NULL;
        if (data && fread(data, 1, (size_t)size, f) == (size_t)size) {
            *out = data;
            *out_size = (size_t)size;
            data = NULL;
            result = 0;
        }
    }
    free(data);
    fclose(f);
    return result;
}

static int load_segment(struct image *image, const Elf64_Phdr *ph, char *error, size_t error_size)
{
    if (ph->p_offset > image->elf_size || ph->p_filesz > image->elf_size - ph->p_offset || ph->p_filesz > ph->p_memsz ||
        ph->p_vaddr > SEGMENT_MAX || ph->p_memsz > SEGMENT_MAX)
        return error_line(error, error_size, -ENOEXEC, "%s: a PT_LOAD header points outside the file or is too large",
                          image->path);
    if (ph->p_memsz == 0)
        return 0; /* no pages */
    if (image->segment_count == sizeof image->segments / sizeof image->segments[0])
        return error_line(error, error_size, -ENOEXEC, "%s: more than 8 PT_LOAD segments", image->path);
    if ((ph->p_flags & PF_W) && (ph->p_flags & PF_X))
        return error_line(error, error_size, -ENOEXEC, "%s: a segment is both writable and executable", image->path);
    uint64_t start = ENCLAVE_LOW_GAP + (ph->p_vaddr & ~(uint64_t)(SGX_PAGE_SIZE - 1));
    uint64_t end = ENCLAVE_LOW_GAP + page_up(ph->p_vaddr + ph->p_memsz);
    struct image_segment *s = &image->segments[image->segment_count];
    if (image->segment_count > 0 && start < s[-1].offset + s[-1].length)
        return error_line(error, error_size, -ENOEXEC, "%s: PT_LOAD segments overlap or are out of order", image->path);
    s->offset = start;
    s->length = end - start;
    s->content = calloc(1, s->length ? s->length : 1);
    if (!s->content)
        return error_line(error, error_size, -ENOMEM, "%s: out of memory", image->path);
    memcpy(s->content + ph->p_vaddr % SGX_PAGE_SIZE, image->elf + ph->p_offset, ph->p_filesz);
    s->secinfo_flags =
        SECINFO_TYPE(PT_REG) | SECINFO_R | (ph->p_flags & PF_W ? SECINFO_W : 0) | (ph->p_flags & PF_X ? SECINFO_X : 0);
    image->segment_count++;
    return 0;
}

static int parse_elf(struct image *image, char *error, size_t error_size)
{
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)image->elf;
    if (image->elf_size < sizeof *eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
        eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_machine != EM_X86_64)
        return error_line(error, error_size, -ENOEXEC, "%s: not an x86-64 ELF file", image->path);
    if (eh->e_type != ET_DYN)
        return error_line(error, error_size, -ENOEXEC, "%s: not position-independent (static-PIE)", image->path);
    if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phoff % 8 || eh->e_phoff > image->elf_size ||
        eh->e_phnum > (image->elf_size - eh->e_phoff) / sizeof(Elf64_Phdr))
        return error_line(error, error_size, -ENOEXEC, "%s: program headers lie outside the file, or unaligned",
                          image->path);
    const Elf64_Phdr *ph = (const Elf64_Phdr *)(image->elf + eh->e_phoff);
    for (uint32_t i = 0; i < eh->e_phnum; i++) {
        if (ph[i].p_type == PT_INTERP)
            return error_line(error, error_size, -ENOEXEC, "%s: wants a dynamic loader (PT_INTERP)", image->path);
        if (ph[i].p_type != PT_LOAD)
            continue;
        int result = load_segment(image, &ph[i], error, error_size);
        if (result < 0)
            return result;
    }
    if (image->segment_count == 0 || image->segments[0].offset != ENCLAVE_LOW_GAP)
        return error_line(error, error_size, -ENOEXEC, "%s: no segment at offset 0", image->path);
    const struct image_segment *last = &image->segments[image->segment_count - 1];
    if (eh->e_entry >= last->offset + last->length - ENCLAVE_LOW_GAP)
        return error_line(error, error_size, -ENOEXEC, "%s: its entry lies outside", image->path);
    image->layout.entry_offset = ENCLAVE_LOW_GAP + eh->e_entry;
    image->layout.phdr_offset = ENCLAVE_LOW_GAP + eh->e_phoff;
    image->layout.phdr_count = eh->e_phnum;
    return 0;
}

/* Offsets of one thread's block. */
struct thread_block {
    uint64_t stack, stack_size, tcs, ssa, td, exception_stack, end;
};

static struct thread_block thread_block_at(uint64_t at, uint64_t stack_size)
{
    struct thread_block b;
    b.stack = at + ENCLAVE_GUARD_SIZE; /* the gap: a stack that overflows faults */
    b.stack_size = stack_size;
    b.tcs = b.stack + stack_size;
    b.ssa = b.tcs + SGX_PAGE_SIZE;
    b.td = b.ssa + ENCLAVE_NSSA * ENCLAVE_SSA_FRAME_PAGES * SGX_PAGE_SIZE;
    b.exception_stack = b.td + ENCLAVE_TD_PAGES * SGX_PAGE_SIZE + ENCLAVE_GUARD_SIZE;
    b.end = b.exception_stack + ENCLAVE_EXCEPTION_STACK_SIZE;
    return b;
}

static uint64_t stack_size_of(const struct image *image, uint32_t index)
{
    return index == 0 ? image->config.main_stack_size : image->config.thread_stack_size;
}

static uint64_t image_end(const struct image *image)
{
    const struct image_segment *last = &image->segments[image->segment_count - 1];
    return last->offset + last->length;
}

static bool whole_pages(uint64_t size)
{
    return size > 0 && size % SGX_PAGE_SIZE == 0 && size <= SIZE_LIMIT;
}

#define COMPILERS 2u /* one for changes, one that optimises what they brought */

/* Puts the stacks that the runtime hands out behind `at`; their end, or 0 if the configuration makes no sense. */
static uint64_t lay_out_stacks(const struct image_config *c, struct enclave_layout *l, uint64_t at)
{
    const uint64_t counts[ENCLAVE_STACK_KINDS] = {[ENCLAVE_STACK_THREAD] = c->tcs_num - 1,
                                                  [ENCLAVE_STACK_COMPILER] = COMPILERS,
                                                  [ENCLAVE_STACK_GUEST] = c->guest_stack_num};
    for (uint32_t kind = 0; kind < ENCLAVE_STACK_KINDS; kind++) {
        uint64_t size = c->stack_sizes[kind], count = size ? counts[kind] : 0;
        if ((size && !whole_pages(size)) || count > ENCLAVE_STACK_SLOTS_MAX)
            return 0;
        l->stacks[kind] = (struct enclave_stacks){.offset = at, .size = size, .count = count};
        at += count * (ENCLAVE_GUARD_SIZE + size);
    }
    return at;
}

static int compute_layout(struct image *image, char *error, size_t error_size)
{
    const struct image_config *c = &image->config;
    if (c->tcs_num < 1 || c->tcs_num > ENCLAVE_TCS_MAX)
        return error_line(error, error_size, -EINVAL, "configuration: TCSNum must be 1 to %u", ENCLAVE_TCS_MAX);
    uint64_t heap_max_size = c->heap_max_size ? c->heap_max_size : c->heap_init_size;
    uint64_t sizes[] = {c->heap_init_size, heap_max_size, c->code_size, c->main_stack_size, c->thread_stack_size};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!whole_pages(sizes[i]))
            return error_line(error, error_size, -EINVAL,
                              "configuration: a size is zero, not whole pages, or above 32 GiB");
    if (heap_max_size < c->heap_init_size)
        return error_line(error, error_size, -EINVAL, "configuration: HeapMaxSize is below HeapInitSize");
    struct enclave_layout *l = &image->layout;
    l->magic = ENCLAVE_LAYOUT_MAGIC;
    uint64_t at = image_end(image) + SGX_PAGE_SIZE; /* behind the layout page */
    for (uint32_t i = 0; i < c->tcs_num; i++) {
        struct thread_block b = thread_block_at(at, stack_size_of(image, i));
        image->tcs_offsets[i] = b.tcs;
        at = b.end;
    }
    l->tcs_count = c->tcs_num;
    at = lay_out_stacks(c, l, at);
    if (at == 0)
        return error_line(error, error_size, -EINVAL,
                          "configuration: stacks that are not whole pages, above 32 GiB, or more than %u",
                          ENCLAVE_STACK_SLOTS_MAX);
    l->heap_offset = at + ENCLAVE_GUARD_SIZE;
    l->heap_size = c->heap_init_size;
    l->heap_max_size = heap_max_size;
    l->code_offset = l->heap_offset + l->heap_max_size + ENCLAVE_GUARD_SIZE;
    l->code_size = c->code_size;
    l->elrange_size = SGX_PAGE_SIZE;
    while (l->elrange_size < l->code_offset + l->code_size)
        l->elrange_size *= 2;
    return 0;
}

static int use_header(struct image *image, char *error, size_t error_size)
{
    const struct image_header *h = (const struct image_header *)image->file;
    if (h->elf_offset != SGX_PAGE_SIZE || h->elf_size != image->file_size - SGX_PAGE_SIZE)
        return error_line(error, error_size, -ENOEXEC, "%s: the signed image is truncated", image->path);
    image->is_signed = true;
    image->config = h->config;
    image->development = h->development;
    image->production = h->production;
    image->elf = image->file + h->elf_offset;
    image->elf_size = h->elf_size;
    return 0;
}

int image_open(const char *path, const struct image_config *config, struct image *image, char *error, size_t error_size)
{
    *image = (struct image){.path = path};
    int result = read_file(path, &image->file, &image->file_size);
    if (result < 0)
        return error_line(error, error_size, result, "%s: %s", path,
                          result == -ESPIPE   ? "not a file"
                          : result == -EISDIR ? "Is a directory: expected the file of an image"
                                              : strerror(-result));
    const char *sign = "not a signed enclave image; enclavectl sign makes one of the enclave's ELF file";
    if (image->file_size > SGX_PAGE_SIZE && memcmp(image->file, IMAGE_MAGIC, sizeof IMAGE_MAGIC) == 0) {
        result = use_header(image, error, error_size);
    } else if (config) {
        image->config = *config;
        image->elf = image->file;
        image->elf_size = image->file_size;
    } else {
        result = error_line(error, error_size, -ENOEXEC, "%s: %s", path, image->file_size == 0 ? "it is empty" : sign);
    }
    if (result == 0)
        result = parse_elf(image, error, error_size);
    if (result == 0)
        result = compute_layout(image, error, error_size);
    if (result < 0)
        image_close(image);
    return result;
}

void image_close(struct image *image)
{
    for (uint32_t i = 0; i < image->segment_count; i++)
        free(image->segments[i].content);
    free(image->file);
    memset(image, 0, sizeof *image);
}

struct walk {
    int (*visit)(void *user, const struct image_pages *pages);
    void *user;
    uint64_t end, elrange_size; /* of the pages so far; of what they lie in */
};

static int emit(struct walk *w, uint64_t offset, uint64_t length, uint64_t flags, const void *content, bool measured)
{
    ENSURE(offset % SGX_PAGE_SIZE == 0 && length % SGX_PAGE_SIZE == 0);
    ENSURE(offset >= w->end && offset >= ENCLAVE_LOW_GAP);
    ENSURE(offset <= w->elrange_size && length <= w->elrange_size - offset);
    w->end = offset + length;
    struct image_pages pages = {.offset = offset, .length = length, .content = content, .measured = measured};
    pages.secinfo.flags = flags;
    return w->visit(w->user, &pages);
}

/* Zeros that are measured: what lies there at the start is known to whoever knows MRENCLAVE. */
static int emit_zeros(struct walk *w, uint64_t offset, uint64_t length)
{
    static const uint8_t zeros[16 * SGX_PAGE_SIZE];
    int result = 0;
    for (uint64_t at = 0; at < length && !result; at += sizeof zeros)
        result = emit(w, offset + at, length - at < sizeof zeros ? length - at : sizeof zeros,
                      SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_W, zeros, true);
    return result;
}

static int walk_thread(const struct image *image, uint32_t index, uint64_t at, struct walk *w)
{
    const uint64_t rw = SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_W;
    struct thread_block b = thread_block_at(at, stack_size_of(image, index));
    static _Thread_local uint8_t page[SGX_PAGE_SIZE];

    int result = emit_zeros(w, b.stack, b.stack_size);
    if (result)
        return result;
    struct sgx_tcs *tcs = memset(page, 0, sizeof page);
    tcs->ossa = b.ssa;
    tcs->nssa = ENCLAVE_NSSA;
    tcs->oentry = image->layout.entry_offset;
    tcs->ofsbase = b.td;
    tcs->ogsbase = b.td;
    tcs->fslimit = 0xfff;
    tcs->gslimit = 0xfff;
    result = emit(w, b.tcs, SGX_PAGE_SIZE, SECINFO_TYPE(PT_TCS), page, true);
    if (result)
        return result;
    result = emit_zeros(w, b.ssa, b.td - b.ssa);
    if (result)
        return result;
    struct thread_data_initial *td = memset(page, 0, sizeof page);
    td->stack_top_offset = b.tcs;
    td->ssa_offset = b.ssa;
    td->td_offset = b.td;
    td->tcs_index = index;
    td->exception_stack_offset = b.end;
    result = emit(w, b.td, SGX_PAGE_SIZE, rw, page, true);
    if (result)
        return result;
    return emit_zeros(w, b.exception_stack, ENCLAVE_EXCEPTION_STACK_SIZE);
}

static int walk_stacks(const struct enclave_stacks *s, struct walk *w)
{
    int result = 0;
    for (uint64_t i = 0; i < s->count && !result; i++)
        result = emit(w, s->offset + i * (ENCLAVE_GUARD_SIZE + s->size) + ENCLAVE_GUARD_SIZE, s->size,
                      SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_W, NULL, false);
    return result;
}

int image_walk(const struct image *image, int (*visit)(void *user, const struct image_pages *pages), void *user)
{
    const struct enclave_layout *l = &image->layout;
    struct walk w = {.visit = visit, .user = user, .elrange_size = l->elrange_size};
    ENSURE(image->segment_count > 0); /* it is open */
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *s = &image->segments[i];
        int result = emit(&w, s->offset, s->length, s->secinfo_flags, s->content, true);
        if (result)
            return result;
    }
    uint8_t page[SGX_PAGE_SIZE] = {0};
    memcpy(page, l, sizeof *l);
    uint64_t at = image_end(image);
    int result = emit(&w, at, SGX_PAGE_SIZE, SECINFO_TYPE(PT_REG) | SECINFO_R, page, true);
    at += SGX_PAGE_SIZE;
    for (uint32_t i = 0; i < l->tcs_count && !result; i++) {
        result = walk_thread(image, i, at, &w);
        at = thread_block_at(at, stack_size_of(image, i)).end;
    }
    for (uint32_t kind = 0; kind < ENCLAVE_STACK_KINDS && !result; kind++)
        result = walk_stacks(&l->stacks[kind], &w);
    if (!result)
        result = emit(&w, l->heap_offset, l->heap_size, SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_W, NULL, false);
    if (!result)
        result = emit(&w, l->code_offset, l->code_size, SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_W | SECINFO_X, NULL,
                      false);
    return result;
}

static int measure_pages(void *user, const struct image_pages *pages)
{
    struct measure *m = user;
    for (uint64_t at = 0; at < pages->length; at += SGX_PAGE_SIZE) {
        measure_eadd(m, pages->offset + at, &pages->secinfo);
        for (uint64_t chunk = 0; pages->measured && chunk < SGX_PAGE_SIZE; chunk += 256)
            measure_eextend(m, pages->offset + at + chunk, pages->content + at + chunk);
    }
    return 0;
}

int image_measure(const struct image *image, uint8_t mrenclave[32])
{
    struct measure *m = measure_ecreate(ENCLAVE_SSA_FRAME_PAGES, image->layout.elrange_size);
    if (!m)
        return -ENOMEM;
    image_walk(image, measure_pages, m);
    measure_final(m, mrenclave);
    return 0;
}
