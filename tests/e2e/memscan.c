/*
 * memscan PID CERT.pem MARKER: look through a server's memory for the certificate's private key and for a marker.
 *
 * ELRANGE (from 2 MiB up to 4 GiB) stands for what hardware would hide. The key is first found inside it: every
 * aligned 32-byte window that looks random is tried as the private scalar until one gives the certificate's public
 * key. Exit 0 only if key and marker are inside, and neither is outside.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ELRANGE_BASE 0x200000ull
#define ELRANGE_END 0x100000000ull
#define BLOCK (1u << 20)

struct scan {
    int fd;
    const EC_GROUP *group;
    EC_POINT *public_point;
    uint8_t key[32]; /* as found: little-endian words, so little-endian bytes */
    bool have_key;
    uint64_t keys_inside, keys_outside, markers_inside, markers_outside, bytes, tried;
    const char *marker;
};

static bool looks_random(const uint8_t *p)
{
    uint32_t seen[8] = {0}, distinct = 0;
    for (int i = 0; i < 32; i++) {
        uint32_t bit = 1u << (p[i] & 31);
        if (!(seen[p[i] >> 5] & bit))
            distinct++;
        seen[p[i] >> 5] |= bit;
    }
    return distinct >= 26;
}

static bool is_private_key(struct scan *s, const uint8_t *p)
{
    BIGNUM *d = BN_lebin2bn(p, 32, NULL);
    EC_POINT *q = EC_POINT_new(s->group);
    bool same =
        EC_POINT_mul(s->group, q, d, NULL, NULL, NULL) == 1 && EC_POINT_cmp(s->group, q, s->public_point, NULL) == 0;
    EC_POINT_free(q);
    BN_clear_free(d);
    s->tried++;
    return same;
}

static void find_key(struct scan *s, const uint8_t *block, size_t size)
{
    for (size_t i = 0; i + 32 <= size && !s->have_key; i += 8) {
        if (looks_random(block + i) && is_private_key(s, block + i)) {
            memcpy(s->key, block + i, 32);
            s->have_key = true;
        }
    }
}

static uint64_t count_in(const uint8_t *block, size_t size, const void *needle, size_t needle_size)
{
    uint64_t found = 0;
    const uint8_t *at = block;
    while ((at = memmem(at, size - (size_t)(at - block), needle, needle_size)) != NULL) {
        found++;
        at++;
    }
    return found;
}

static void search(struct scan *s, const uint8_t *block, size_t size, bool inside)
{
    uint8_t reversed[32];
    for (int i = 0; i < 32; i++)
        reversed[i] = s->key[31 - i];
    uint64_t keys = count_in(block, size, s->key, 32) + count_in(block, size, reversed, 32);
    uint64_t markers = count_in(block, size, s->marker, strlen(s->marker));
    *(inside ? &s->keys_inside : &s->keys_outside) += keys;
    *(inside ? &s->markers_inside : &s->markers_outside) += markers;
}

/* Walk the mappings; blocks overlap so that nothing is cut in two. Pages never touched are skipped by pagemap. */
static void walk(struct scan *s, int pid, bool finding)
{
    char path[64], line[512];
    static uint8_t block[BLOCK + 4096];
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "r");
    while (maps && fgets(line, sizeof line, maps)) {
        uint64_t from, to;
        char mode[8];
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[0] != 'r' || strstr(line, "[v"))
            continue;
        bool inside = from >= ELRANGE_BASE && from < ELRANGE_END;
        if (finding && (!inside || mode[1] != 'w'))
            continue;
        for (uint64_t at = from; at < to; at += BLOCK) {
            size_t want = to - at < sizeof block ? to - at : sizeof block;
            ssize_t size = pread(s->fd, block, want, (off_t)at);
            if (size <= 0)
                continue;
            s->bytes += (uint64_t)size;
            if (finding)
                find_key(s, block, (size_t)size);
            else
                search(s, block, (size_t)size, inside);
        }
    }
    if (maps)
        fclose(maps);
}

static EVP_PKEY *public_key(const char *path)
{
    FILE *f = fopen(path, "r");
    X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    if (f)
        fclose(f);
    return x ? X509_get_pubkey(x) : NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    char path[64];
    int pid = atoi(argv[1]);
    struct scan s = {.marker = argv[3]};
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    s.fd = open(path, O_RDONLY);
    EVP_PKEY *key = public_key(argv[2]);
    uint8_t point[65];
    size_t size;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    if (s.fd < 0 || !key || EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, 65, &size) != 1) {
        fprintf(stderr, "memscan: cannot read the process or the certificate\n");
        return 2;
    }
    s.group = group;
    s.public_point = EC_POINT_new(group);
    EC_POINT_oct2point(group, s.public_point, point, size, NULL);
    walk(&s, pid, true);
    if (!s.have_key) {
        printf("the key was not found inside ELRANGE (%lu windows tried): the search proves nothing\n", s.tried);
        return 1;
    }
    s.bytes = 0;
    walk(&s, pid, false);
    printf("searched %lu MiB: key inside %lu, outside %lu; marker inside %lu, outside %lu\n", s.bytes >> 20,
           s.keys_inside, s.keys_outside, s.markers_inside, s.markers_outside);
    return s.keys_inside && s.markers_inside && !s.keys_outside && !s.markers_outside ? 0 : 1;
}
