/* Write a signed image's pages, as they are loaded, and its two SIGSTRUCTs, for another implementation to measure.
 * Words are 64 bits, little-endian: SSAFRAMESIZE, SECS.SIZE, number of pages; for each page its offset, SECINFO.FLAGS,
 * whether its content is measured, and if so the content. */
#include <stdio.h>
#include <stdlib.h>

#include "sgx/sign/image.h"

static uint64_t count;

static int count_pages(void *user, const struct image_pages *p)
{
    count += p->length / SGX_PAGE_SIZE;
    return 0;
}

static void put(const void *data, size_t size)
{
    if (fwrite(data, size, 1, stdout) != 1) {
        perror("pages");
        exit(1);
    }
}

static void put_word(uint64_t word)
{
    put(&word, sizeof word);
}

static int write_pages(void *user, const struct image_pages *p)
{
    for (uint64_t at = 0; at < p->length; at += SGX_PAGE_SIZE) {
        put_word(p->offset + at);
        put_word(p->secinfo.flags);
        put_word(p->measured);
        if (p->measured)
            put(p->content + at, SGX_PAGE_SIZE);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct image image;
    char error[256];
    if (argc != 2 || image_open(argv[1], NULL, &image, error, sizeof error) < 0) {
        fprintf(stderr, "%s\n", argc != 2 ? "usage: pages SIGNED-IMAGE" : error);
        return 1;
    }
    image_walk(&image, count_pages, NULL);
    put_word(ENCLAVE_SSA_FRAME_PAGES);
    put_word(image.layout.elrange_size);
    put_word(count);
    image_walk(&image, write_pages, NULL);
    put(&image.development, sizeof image.development);
    put(&image.production, sizeof image.production);
    image_close(&image);
    return fflush(stdout) == 0 ? 0 : 1;
}
