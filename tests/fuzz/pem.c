/* A bundle of certificates, whatever it is: what is taken has nothing in it that OpenSSL would pass over. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>

#include "common/pem.h"

#include "tests/fuzz/fuzz.h"

/* How many blocks OpenSSL finds, of any name; a private key among them is a lie. */
static long count_blocks(const uint8_t *data, size_t size, bool *keys, bool *others)
{
    char *name, *header;
    uint8_t *der;
    long der_size, count = 0;
    BIO *bio = BIO_new_mem_buf(data, (int)size);
    MUST(bio);
    while (PEM_read_bio(bio, &name, &header, &der, &der_size) == 1) {
        *keys = *keys || strstr(name, "PRIVATE KEY");
        *others = *others || strcmp(name, PEM_STRING_X509) != 0;
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
        count++;
    }
    ERR_clear_error();
    BIO_free(bio);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[PEM_WHY_SIZE] = "";
    char *text = malloc(size ? size : 1); /* exactly: what is read beyond it is seen */
    bool keys = false, others = false;
    MUST(text);
    memcpy(text, data, size);
    long blocks = pem_judge(text, size, PEM_STRING_X509, why);
    long found = count_blocks(data, size, &keys, &others);
    MUST(blocks >= -1);
    MUST(blocks < 0 ? why[0] && strlen(why) < PEM_WHY_SIZE && !strchr(why, '\n') : found <= blocks);
    MUST(blocks < 0 || (!keys && !others));
    MUST(blocks != 0 || found == 0);
    free(text);
    return 0;
}
