/* Enclave images: whatever the file, opening it fails with a line, or its pages lie in ELRANGE and in order. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sgx/sign/image.h"
#include "tests/fuzz/fuzz.h"

struct walk {
    const struct image *image;
    uint64_t end;
};

static int visit(void *user, const struct image_pages *p)
{
    struct walk *w = user;
    MUST(p->length > 0 && p->offset % SGX_PAGE_SIZE == 0 && p->length % SGX_PAGE_SIZE == 0);
    MUST(p->offset >= w->end && p->offset + p->length > p->offset);
    MUST(p->offset + p->length <= w->image->layout.elrange_size);
    MUST(!p->measured || p->content);
    w->end = p->offset + p->length;
    return 0;
}

static void open_with(const char *path, const struct image_config *config)
{
    struct image image;
    char error[256] = "";
    if (image_open(path, config, &image, error, sizeof error) < 0) {
        MUST(error[0]);
        return;
    }
    MUST((image.layout.elrange_size & (image.layout.elrange_size - 1)) == 0);
    struct walk w = {.image = &image};
    MUST(image_walk(&image, visit, &w) == 0);
    image_close(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct image_config config = {.heap_init_size = 0x2000,
                                               .code_size = 0x1000,
                                               .main_stack_size = 0x2000,
                                               .thread_stack_size = 0x1000,
                                               .tcs_num = 2};
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("image", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    MUST(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    open_with(path, NULL);
    open_with(path, &config);
    return 0;
}
