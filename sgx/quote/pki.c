/*
 * Making, storing, refreshing and loading the simulation PKI. See pki.h.
 */
#include "sgx/quote/pki.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sgx/quote/certificates.h"
#include "sgx/quote/collateral.h"
#include "sgx/quote/files.h"

static struct platform_description describe_platform(void)
{
    struct platform_description p = {.pce_svn = SIMULATION_PCE_SVN, .multi_package = true};
    memcpy(p.fmspc, SIMULATION_FMSPC, sizeof p.fmspc);
    memset(p.components, SIMULATION_CPU_SVN, sizeof p.components);
    return p;
}

/* ---- collateral: what a verifier fetches beside the quote ------------------------------------------------------ */

static bool write_crl(const char *folder, const char *name, const struct crl_options *options)
{
    X509_CRL *crl = certificate_crl(options);
    bool ok = crl && files_write_crl(folder, name, crl);
    X509_CRL_free(crl);
    return ok;
}

static bool write_crls(const char *folder, int64_t from_s, int64_t until_s)
{
    EVP_PKEY *root_key = files_read_key(folder, "root.key"), *ca_key = files_read_key(folder, "pck-ca.key");
    X509 *root = files_read_certificate(folder, "root.pem", 0);
    X509 *ca = files_read_certificate(folder, "pck-chain.pem", 1);
    bool ok = root_key && ca_key && root && ca &&
              write_crl(folder, "root.crl",
                        &(struct crl_options){.issuer = root, .key = root_key, .from_s = from_s, .until_s = until_s}) &&
              write_crl(folder, "pck.crl",
                        &(struct crl_options){.issuer = ca, .key = ca_key, .from_s = from_s, .until_s = until_s});
    X509_free(root);
    X509_free(ca);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(ca_key);
    return ok;
}

static bool write_text(const char *folder, const char *name, char *text)
{
    bool ok = text && files_write(folder, name, 0644, text, strlen(text));
    free(text);
    return ok;
}

/* The platform is up to date; below it stands one level that is not, so that clients meet more than one. */
static bool write_documents(const char *folder, int64_t from_s, int64_t until_s)
{
    const struct platform_description platform = describe_platform();
    struct collateral_options tcb = {
        .issued_s = from_s,
        .next_update_s = until_s,
        .levels = {{.component = SIMULATION_CPU_SVN, .pce_svn = SIMULATION_PCE_SVN, .status = "UpToDate"},
                   {.status = "OutOfDate", .advisory = "SIMULATION-SA-00001"}},
        .level_count = 2,
        .platform = &platform};
    struct collateral_options qe = {.issued_s = from_s,
                                    .next_update_s = until_s,
                                    .levels = {{.isv_svn = SIMULATION_QE_SVN, .status = "UpToDate"}},
                                    .level_count = 1,
                                    .qe_prod_id = SIMULATION_QE_PRODID,
                                    .qe_flags = SIMULATION_QE_FLAGS};
    SHA256((const uint8_t *)SIMULATION_QE_SIGNER, sizeof SIMULATION_QE_SIGNER - 1, qe.qe_signer);
    EVP_PKEY *key = files_read_key(folder, "tcb-signing.key");
    bool ok = key && write_text(folder, "tcb-info.json", collateral_tcb_info(&tcb, key)) &&
              write_text(folder, "qe-identity.json", collateral_qe_identity(&qe, key));
    EVP_PKEY_free(key);
    return ok;
}

/* When the collateral in folder must be replaced; 0: at once. */
static int64_t refresh_time(const char *folder)
{
    size_t size;
    char *text = files_read(folder, "collateral-refresh", &size);
    long long at = text ? strtoll(text, NULL, 10) : 0;
    free(text);
    return at;
}

int pki_refresh(const char *folder, int64_t now_s)
{
    char text[32];
    int64_t due = refresh_time(folder);
    if (now_s < due && due - now_s <= PKI_COLLATERAL_SECONDS / 2)
        return 0;
    /* An hour back, for clients whose clocks are late. The time is written last: if the rest failed, or this process
     * was ended in between, all is done again. */
    int64_t from_s = now_s - 3600, until_s = now_s + PKI_COLLATERAL_SECONDS;
    snprintf(text, sizeof text, "%lld\n", (long long)(now_s + PKI_COLLATERAL_SECONDS / 2));
    errno = 0;
    if (write_documents(folder, from_s, until_s) && write_crls(folder, from_s, until_s) &&
        files_write(folder, "collateral-refresh", 0644, text, strlen(text)))
        return 0;
    return errno ? -errno : -EIO;
}

/* ---- making it ------------------------------------------------------------------------------------------------- */

struct maker {
    EVP_PKEY *root_key, *ca_key, *pck_key, *tcb_key, *attestation_key;
    X509 *root, *ca, *pck, *tcb;
};

static bool make_certificates(struct maker *m)
{
    const struct platform_description platform = describe_platform();
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
                                                            .platform = &platform});
    return m->pck != NULL;
}

static bool store(const struct maker *m, const char *folder)
{
    X509 *chain[] = {m->pck, m->ca, m->root}, *tcb_chain[] = {m->tcb, m->root};
    return files_write_key(folder, "root.key", m->root_key) && files_write_key(folder, "pck-ca.key", m->ca_key) &&
           files_write_key(folder, "pck.key", m->pck_key) && files_write_key(folder, "tcb-signing.key", m->tcb_key) &&
           files_write_key(folder, "attestation.key", m->attestation_key) &&
           files_write_certificates(folder, "root.pem", &chain[2], 1) &&
           files_write_certificates(folder, "pck-chain.pem", chain, 3) &&
           files_write_certificates(folder, "pck-crl-chain.pem", &chain[1], 2) &&
           files_write_certificates(folder, "tcb-info-chain.pem", tcb_chain, 2) &&
           files_write_certificates(folder, "qe-identity-chain.pem", tcb_chain, 2);
}

/* Everything but the collateral, in an existing empty folder. */
static int make(const char *folder)
{
    struct maker m = {0};
    errno = 0;
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
    if ((size_t)snprintf(aside, sizeof aside, "%s.XXXXXX", folder) >= sizeof aside)
        return -ENAMETOOLONG;
    if (!mkdtemp(aside))
        return -errno;
    int result = make(aside);
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

/* ---- loading it ------------------------------------------------------------------------------------------------ */

/* A PKI of an older version has its signer's chain in one file of another name. */
static bool adopt(const char *folder)
{
    size_t size;
    char *chain = files_read(folder, "tcb-info-chain.pem", &size);
    bool ok = chain != NULL;
    if (!chain && (chain = files_read(folder, "tcb-chain.pem", &size)))
        ok = files_write(folder, "tcb-info-chain.pem", 0644, chain, size) &&
             files_write(folder, "qe-identity-chain.pem", 0644, chain, size);
    free(chain);
    return ok;
}

int pki_open(struct pki *pki, const char *folder, char *error, size_t error_size)
{
    *pki = (struct pki){0};
    struct stat st;
    size_t size;
    int result = stat(folder, &st) == 0 ? 0 : errno == ENOENT ? make_in_place(folder) : -errno;
    if (result == 0 && adopt(folder))
        result = pki_refresh(folder, time(NULL));
    if (result != 0) {
        snprintf(error, error_size, "cannot make the simulation's certificates in %s: %s", folder, strerror(-result));
        return result;
    }
    pki->pck_key = files_read_key(folder, "pck.key");
    pki->attestation_key = files_read_key(folder, "attestation.key");
    pki->chain = files_read(folder, "pck-chain.pem", &size);
    if (!pki->pck_key || !pki->attestation_key || !pki->chain || size == 0 || size > 16384) {
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
