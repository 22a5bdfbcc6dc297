/*
 * Making, storing and loading the simulation PKI. See pki.h.
 */
#include "sgx/quote/pki.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sgx/quote/certificates.h"

int pki_sign(EVP_PKEY *key, const void *data, size_t size, uint8_t signature[64])
{
    uint8_t der[128];
    size_t der_size = sizeof(der);
    const uint8_t *next = der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(context, der, &der_size, data, size) == 1;
    EVP_MD_CTX_free(context);
    ECDSA_SIG *pair = ok ? d2i_ECDSA_SIG(NULL, &next, (long)der_size) : NULL;
    ok = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32 &&
         BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32;
    ECDSA_SIG_free(pair);
    return ok ? 0 : -EIO;
}

/* ---- files ------------------------------------------------------------------------------------------------- */

static bool write_file(const char *folder, const char *name, mode_t mode, const void *data, size_t size)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return false;
    bool ok = write(fd, data, size) == (ssize_t)size && fsync(fd) == 0;
    return close(fd) == 0 && ok;
}

static bool write_bio(const char *folder, const char *name, mode_t mode, BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    return size > 0 && write_file(folder, name, mode, data, (size_t)size);
}

static bool write_key(const char *folder, const char *name, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    bool ok =
        bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) && write_bio(folder, name, 0600, bio);
    BIO_free(bio);
    return ok;
}

static bool write_certificates(const char *folder, const char *name, X509 *const *list, int count)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL;
    for (int i = 0; ok && i < count; i++)
        ok = PEM_write_bio_X509(bio, list[i]);
    ok = ok && write_bio(folder, name, 0644, bio);
    BIO_free(bio);
    return ok;
}

static bool write_crl(const char *folder, const char *name, X509 *issuer, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509_CRL *crl = certificate_crl(issuer, key);
    bool ok = bio && crl && i2d_X509_CRL_bio(bio, crl) && write_bio(folder, name, 0644, bio);
    X509_CRL_free(crl);
    BIO_free(bio);
    return ok;
}

/* ---- collateral: what a verifier fetches beside the quote ------------------------------------------------------ */

static void hex(char *out, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sprintf(out + 2 * i, "%02x", ((const uint8_t *)data)[i]);
}

/* {"NAME":INNER,"signature":"HEX"}, signed over the bytes of inner. */
static bool write_signed(const char *folder, const char *file, const char *name, const char *inner, EVP_PKEY *key)
{
    uint8_t signature[64];
    char signature_hex[129], text[8192];
    if (pki_sign(key, inner, strlen(inner), signature) != 0)
        return false;
    hex(signature_hex, signature, sizeof(signature));
    int size = snprintf(text, sizeof(text), "{\"%s\":%s,\"signature\":\"%s\"}", name, inner, signature_hex);
    return size < (int)sizeof(text) && write_file(folder, file, 0644, text, (size_t)size);
}

static void time_text(char out[32], time_t t)
{
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

#define COLLATERAL_SECONDS (20ll * 365 * 86400)

static bool write_tcb_info(const char *folder, EVP_PKEY *key)
{
    char issued[32], next[32], fmspc[13], components[16 * 16] = "", inner[4096];
    time_text(issued, time(NULL) - 86400);
    time_text(next, time(NULL) + COLLATERAL_SECONDS);
    hex(fmspc, SIMULATION_FMSPC, 6);
    for (int i = 0; i < 16; i++)
        sprintf(components + strlen(components), "%s{\"svn\":%u}", i ? "," : "", SIMULATION_CPU_SVN);
    snprintf(inner, sizeof(inner),
             "{\"id\":\"SGX\",\"version\":3,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\",\"fmspc\":\"%s\","
             "\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":1,\"tcbLevels\":[{\"tcb\":"
             "{\"sgxtcbcomponents\":[%s],\"pcesvn\":%u},\"tcbDate\":\"%s\",\"tcbStatus\":\"UpToDate\"}]}",
             issued, next, fmspc, components, SIMULATION_PCE_SVN, issued);
    return write_signed(folder, "tcb-info.json", "tcbInfo", inner, key);
}

static bool write_qe_identity(const char *folder, EVP_PKEY *key)
{
    char issued[32], next[32], signer_hex[65], inner[2048];
    uint8_t signer[32];
    time_text(issued, time(NULL) - 86400);
    time_text(next, time(NULL) + COLLATERAL_SECONDS);
    SHA256((const uint8_t *)SIMULATION_QE_SIGNER, sizeof(SIMULATION_QE_SIGNER) - 1, signer);
    hex(signer_hex, signer, sizeof(signer));
    snprintf(inner, sizeof(inner),
             "{\"id\":\"QE\",\"version\":2,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\",\"tcbEvaluationDataNumber\":1,"
             "\"miscselect\":\"00000000\",\"miscselectMask\":\"ffffffff\","
             "\"attributes\":\"15000000000000000000000000000000\","
             "\"attributesMask\":\"ffffffffffffffff0000000000000000\",\"mrsigner\":\"%s\",\"isvprodid\":%u,"
             "\"tcbLevels\":[{\"tcb\":{\"isvsvn\":%u},\"tcbDate\":\"%s\",\"tcbStatus\":\"UpToDate\"}]}",
             issued, next, signer_hex, SIMULATION_QE_PRODID, SIMULATION_QE_SVN, issued);
    return write_signed(folder, "qe-identity.json", "enclaveIdentity", inner, key);
}

/* ---- making it --------------------------------------------------------------------------------------------- */

struct maker {
    EVP_PKEY *root_key, *ca_key, *pck_key, *tcb_key, *attestation_key;
    X509 *root, *ca, *pck, *tcb;
};

static bool make_certificates(struct maker *m)
{
    m->root_key = EVP_EC_gen("P-256");
    m->ca_key = EVP_EC_gen("P-256");
    m->pck_key = EVP_EC_gen("P-256");
    m->tcb_key = EVP_EC_gen("P-256");
    m->attestation_key = EVP_EC_gen("P-256");
    if (!m->root_key || !m->ca_key || !m->pck_key || !m->tcb_key || !m->attestation_key)
        return false;
    m->root = certificate_make(&(struct certificate_options){.common_name = SIMULATION_ROOT_NAME,
                                                             .key = m->root_key,
                                                             .issuer_key = m->root_key,
                                                             .authority = true,
                                                             .path_length = 1});
    if (!m->root)
        return false;
    m->ca = certificate_make(&(struct certificate_options){.common_name = SIMULATION_PCK_CA_NAME,
                                                           .key = m->ca_key,
                                                           .issuer = m->root,
                                                           .issuer_key = m->root_key,
                                                           .authority = true,
                                                           .path_length = 0});
    m->tcb = certificate_make(&(struct certificate_options){
        .common_name = SIMULATION_TCB_NAME, .key = m->tcb_key, .issuer = m->root, .issuer_key = m->root_key});
    if (!m->ca || !m->tcb)
        return false;
    m->pck = certificate_make(&(struct certificate_options){.common_name = SIMULATION_PCK_NAME,
                                                            .key = m->pck_key,
                                                            .issuer = m->ca,
                                                            .issuer_key = m->ca_key,
                                                            .sgx_extension = true});
    return m->pck != NULL;
}

static bool store(const struct maker *m, const char *folder)
{
    X509 *chain[] = {m->pck, m->ca, m->root}, *tcb_chain[] = {m->tcb, m->root};
    return write_key(folder, "root.key", m->root_key) && write_key(folder, "pck-ca.key", m->ca_key) &&
           write_key(folder, "pck.key", m->pck_key) && write_key(folder, "tcb-signing.key", m->tcb_key) &&
           write_key(folder, "attestation.key", m->attestation_key) &&
           write_certificates(folder, "root.pem", &chain[2], 1) &&
           write_certificates(folder, "pck-chain.pem", chain, 3) &&
           write_certificates(folder, "pck-crl-chain.pem", &chain[1], 2) &&
           write_certificates(folder, "tcb-chain.pem", tcb_chain, 2) &&
           write_crl(folder, "root.crl", m->root, m->root_key) && write_crl(folder, "pck.crl", m->ca, m->ca_key) &&
           write_tcb_info(folder, m->tcb_key) && write_qe_identity(folder, m->tcb_key);
}

int pki_make(const char *folder)
{
    struct maker m = {0};
    bool ok = make_certificates(&m) && store(&m, folder);
    X509_free(m.root);
    X509_free(m.ca);
    X509_free(m.pck);
    X509_free(m.tcb);
    EVP_PKEY_free(m.root_key);
    EVP_PKEY_free(m.ca_key);
    EVP_PKEY_free(m.pck_key);
    EVP_PKEY_free(m.tcb_key);
    EVP_PKEY_free(m.attestation_key);
    return ok ? 0 : errno ? -errno : -EIO;
}

/* ---- loading it -------------------------------------------------------------------------------------------- */

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(folder);
}

static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Make the PKI beside its place and move it there; if another process was first, its PKI stands. */
static int make_in_place(const char *folder)
{
    char aside[4096];
    if ((size_t)snprintf(aside, sizeof(aside), "%s.XXXXXX", folder) >= sizeof(aside))
        return -ENAMETOOLONG;
    if (!mkdtemp(aside))
        return -errno;
    errno = 0;
    int result = pki_make(aside);
    if (result == 0) {
        sync_folder(aside);
        chmod(aside, 0755);
        if (rename(aside, folder) == 0)
            return 0;
        result = errno == ENOTEMPTY || errno == EEXIST ? 0 : -errno;
    }
    remove_folder(aside);
    return result;
}

static EVP_PKEY *read_key(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    BIO *bio = BIO_new_file(path, "r");
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return key;
}

static char *read_chain(const char *folder, size_t *size)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/pck-chain.pem", folder);
    FILE *file = fopen(path, "r");
    char *text = file ? malloc(16384) : NULL;
    if (text) {
        *size = fread(text, 1, 16383, file);
        text[*size] = '\0';
    }
    if (file)
        fclose(file);
    return text;
}

int pki_open(struct pki *pki, const char *folder, char *error, size_t error_size)
{
    *pki = (struct pki){0};
    struct stat st;
    if (stat(folder, &st) != 0) {
        int result = errno == ENOENT ? make_in_place(folder) : -errno;
        if (result != 0) {
            snprintf(error, error_size, "cannot make the simulation's certificates in %s: %s", folder,
                     strerror(-result));
            return result;
        }
    }
    pki->pck_key = read_key(folder, "pck.key");
    pki->attestation_key = read_key(folder, "attestation.key");
    pki->chain = read_chain(folder, &pki->chain_size);
    if (!pki->pck_key || !pki->attestation_key || !pki->chain || pki->chain_size == 0) {
        snprintf(error, error_size,
                 "the simulation's certificates in %s cannot be read; remove the folder to make new ones", folder);
        pki_close(pki);
        return -EIO;
    }
    return 0;
}

void pki_close(struct pki *pki)
{
    EVP_PKEY_free(pki->pck_key);
    EVP_PKEY_free(pki->attestation_key);
    free(pki->chain);
    *pki = (struct pki){0};
}
