/* `enclavectl sign` and `enclavectl measure`; see sign.h. */
#include "sgx/sign/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/arguments.h"
#include "common/hex.h"
#include "common/replace.h"
#include "sgx/sign/image.h"
#include "sgx/sign/sigstruct.h"

static EVP_PKEY *make_key(const char *path)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
    BIGNUM *three = BN_new();
    EVP_PKEY *key = NULL;
    if (ctx && three && BN_set_word(three, 3) && EVP_PKEY_keygen_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 3072) == 1 && EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, three) == 1)
        EVP_PKEY_keygen(ctx, &key);
    BN_free(three);
    EVP_PKEY_CTX_free(ctx);
    int fd = key ? open(path, O_WRONLY | O_CREAT | O_EXCL, 0600) : -1;
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f || PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    if (f && fclose(f) != 0) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    if (key)
        fprintf(stderr, "sign: made a development signing key: %s\n", path);
    return key;
}

/* NULL: why was told. */
static EVP_PKEY *load_or_make_key(const char *path)
{
    FILE *f = fopen(path, "r");
    bool is_new = !f && errno == ENOENT;
    int reason = errno;
    struct stat st;
    if (f && (fstat(fileno(f), &st) != 0 || S_ISDIR(st.st_mode))) {
        reason = EISDIR;
        fclose(f);
        f = NULL;
    }
    if (f || is_new)
        reason = 0;
    EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : is_new ? make_key(path) : NULL;
    if (!key && is_new)
        reason = errno;
    EVP_PKEY *second = f && key ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
    if (f)
        fclose(f);
    if (second) { /* it would be ignored */
        fprintf(stderr, "enclavectl: --key %s: there is more than one private key in it\n", path);
        EVP_PKEY_free(second);
        EVP_PKEY_free(key);
        return NULL;
    }
    if (!key)
        fprintf(stderr, "enclavectl: --key %s: %s\n", path,
                reason ? strerror(reason) : "not an RSA-3072 private key with exponent 3, in PEM");
    return key;
}

static uint32_t bcd(uint32_t decimal)
{
    uint32_t out = 0;
    for (int shift = 0; decimal; decimal /= 10, shift += 4)
        out |= (decimal % 10) << shift;
    return out;
}

static uint32_t today(void)
{
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    return (uint32_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday);
}

static int write_signed(const struct image *image, const struct image_header *header, const char *path,
                        char why[REPLACE_WHY_SIZE])
{
    static const struct replace_how how = {.mode = 0644};
    uint8_t *all = calloc(1, SGX_PAGE_SIZE + image->elf_size);
    snprintf(why, REPLACE_WHY_SIZE, "%s", strerror(ENOMEM));
    if (!all)
        return -ENOMEM;
    memcpy(all, header, sizeof *header);
    memcpy(all + SGX_PAGE_SIZE, image->elf, image->elf_size);
    int result = replace_file(path, all, SGX_PAGE_SIZE + image->elf_size, &how, why);
    free(all);
    return result;
}

static void print_hash(const uint8_t hash[32])
{
    char text[65];
    hex_text(hash, 32, text);
    puts(text);
}

struct options {
    const char *config, *key, *out, *image;
    uint32_t date;
};

static int __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("enclavectl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return -EINVAL;
}

/* YYYYMMDD, and a day that there is. */
static bool parse_date(const char *text, uint32_t *date)
{
    uint64_t v;
    if (!arguments_number(text, 20000101, 99991231, &v))
        return false;
    struct tm given = {
        .tm_year = (int)(v / 10000) - 1900, .tm_mon = (int)(v / 100 % 100) - 1, .tm_mday = (int)(v % 100)};
    struct tm normal = given;
    *date = (uint32_t)v;
    return timegm(&normal) != -1 && normal.tm_mon == given.tm_mon && normal.tm_mday == given.tm_mday;
}

static int set(struct options *o, int id, const char *value)
{
    if (id == 'c')
        o->config = value;
    else if (id == 'k')
        o->key = value;
    else if (id == 'o')
        o->out = value;
    else if (!parse_date(value, &o->date))
        return wrong("--date %s: expected a day as YYYYMMDD, such as 20260131", value);
    return 0;
}

/* table: what the command takes; needed: vals of those that it cannot do without, ended by 0. 1: help was asked for. */
static int parse(int argc, char **argv, const struct option *table, const char *needed, struct options *o)
{
    struct arguments a;
    int id, rest;
    bool given[128] = {false};
    memset(o, 0, sizeof *o);
    arguments_init(&a, argc, argv, table, NULL);
    while ((id = arguments_next(&a)) != ARGUMENTS_END) {
        if (id == ARGUMENTS_WRONG)
            return wrong("%s", a.error);
        if (id == 'h')
            return 1;
        if (set(o, id, a.value) < 0)
            return -EINVAL;
        given[id] = true;
    }
    for (const struct option *at = table; at->name; at++)
        if (strchr(needed, at->val) && !given[at->val])
            return wrong("--%s is missing", at->name);
    char **first = arguments_rest(&a, &rest);
    if (rest != 1 || !*first[0])
        return rest <= 1 ? wrong("the IMAGE is missing: an enclave's file, signed or to be signed")
                         : wrong("unexpected argument '%s': one IMAGE is taken", first[1]);
    o->image = first[0];
    return 0;
}

static const char sign_usage[] =
    "usage: enclavectl sign --config FILE.xml --key FILE.pem --out FILE [--date YYYYMMDD] IMAGE\n"
    "Lays out and measures the enclave's ELF file IMAGE, and writes it with its two SIGSTRUCTs. Prints MRENCLAVE.\n"
    "  --config FILE.xml        sizes, number of threads, product id and version: config/enclave.config.xml\n"
    "  --key FILE.pem           RSA-3072 with exponent 3; made if there is no such file\n"
    "  --out FILE               where the signed image goes\n"
    "  --date YYYYMMDD          the day in the SIGSTRUCTs; default: today\n";
static const char measure_usage[] =
    "usage: enclavectl measure [--config FILE.xml] IMAGE\n"
    "Prints MRENCLAVE of a signed image, or of the ELF file IMAGE with a configuration.\n"
    "  --config FILE.xml        the configuration of an IMAGE that is not signed\n";

static int show_usage(const char *text)
{
    fputs(text, stdout);
    return 0;
}

static int open_measured(const struct options *o, struct image *image, uint8_t mrenclave[32])
{
    char error[512] = "out of memory";
    struct image_config config;
    int result = 0;
    if (o->config)
        result = image_config_read(o->config, &config, error, sizeof error);
    if (result < 0)
        return wrong("--config %s", error);
    result = image_open(o->image, o->config ? &config : NULL, image, error, sizeof error);
    if (result < 0)
        return wrong("%s", error);
    if (image->is_signed && o->config) {
        image_close(image);
        return wrong(
            "%s: it is signed and has its configuration in it: --config is for the ELF file that it was made of",
            o->image);
    }
    result = image_measure(image, mrenclave);
    return result < 0 ? wrong("%s: it cannot be measured", o->image) : 0;
}

int sign_main(int argc, char **argv)
{
    static const struct option table[] = {{"config", 1, 0, 'c'}, {"key", 1, 0, 'k'},  {"out", 1, 0, 'o'},
                                          {"date", 1, 0, 'd'},   {"help", 0, 0, 'h'}, {0}};
    struct options o;
    int parsed = parse(argc, argv, table, "cko", &o);
    if (parsed != 0)
        return parsed == 1 ? show_usage(sign_usage) : 2;
    struct image image;
    uint8_t mrenclave[32];
    char why[REPLACE_WHY_SIZE];
    if (open_measured(&o, &image, mrenclave) < 0)
        return 1;
    EVP_PKEY *key = load_or_make_key(o.key);
    struct image_header header = {.elf_offset = SGX_PAGE_SIZE, .elf_size = image.elf_size, .config = image.config};
    memcpy(header.magic, IMAGE_MAGIC, sizeof IMAGE_MAGIC);
    uint32_t date = bcd(o.date ? o.date : today());
    int result = key ? sigstruct_make(&image.config, mrenclave, date, 0, key, &header.development) : -EINVAL;
    if (result == 0)
        result = sigstruct_make(&image.config, mrenclave, date, 1, key, &header.production);
    if (key && result < 0)
        fprintf(stderr, "enclavectl: --key %s: not an RSA-3072 private key with exponent 3\n", o.key);
    else if (key && (result = write_signed(&image, &header, o.out, why)) < 0)
        fprintf(stderr, "enclavectl: --out %s: %s\n", o.out, why);
    EVP_PKEY_free(key);
    image_close(&image);
    if (result == 0)
        print_hash(mrenclave);
    return result == 0 ? 0 : 1;
}

int measure_main(int argc, char **argv)
{
    static const struct option table[] = {{"config", 1, 0, 'c'}, {"help", 0, 0, 'h'}, {0}};
    struct options o;
    int parsed = parse(argc, argv, table, "", &o);
    if (parsed != 0)
        return parsed == 1 ? show_usage(measure_usage) : 2;
    struct image image;
    uint8_t mrenclave[32];
    if (open_measured(&o, &image, mrenclave) < 0)
        return 1;
    print_hash(mrenclave);
    image_close(&image);
    return 0;
}
