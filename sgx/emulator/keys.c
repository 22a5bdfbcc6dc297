/*
 * The emulated CPU's keys: EGETKEY and EREPORT (SDM 3D 37, 38.17). Key derivation has the architecture's inputs and
 * masks; the function itself (AES-CMAC over the key dependencies under a fuse key) is the SDM's with our own fuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arguments.h"
#include "sgx/emulator/internal.h"

/* The SDM's KEYDEPENDENCIES, in its order. */
struct key_dependencies {
    uint16_t keyname, isvprodid, isvsvn, configsvn;
    uint8_t isvextprodid[16], isvfamilyid[16];
    struct sgx_attributes attributes, attributesmask;
    uint8_t mrenclave[32], mrsigner[32], keyid[32], cpusvn[16], configid[64];
    uint32_t miscselect, miscmask;
    uint16_t keypolicy;
    uint8_t padding[6];
};

static void cmac(const uint8_t key[16], const void *data, size_t size, uint8_t mac[16])
{
    size_t mac_size = 16;
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(algorithm);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("cipher", (char *)"AES-128-CBC", 0), OSSL_PARAM_END};
    EVP_MAC_init(ctx, key, 16, params);
    EVP_MAC_update(ctx, data, size);
    EVP_MAC_final(ctx, mac, &mac_size, 16);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(algorithm);
}

static void derive(struct key_dependencies *d, uint8_t key[16])
{
    cmac(emu.fuse_key, d, sizeof *d, key);
    OPENSSL_cleanse(d, sizeof *d);
}

int emulator_report_key(const uint8_t targetinfo[512], const uint8_t keyid[32], uint8_t key[16])
{
    const struct sgx_targetinfo *t = (const void *)targetinfo;
    struct key_dependencies d = {
        .keyname = KEYNAME_REPORT, .configsvn = t->configsvn, .attributes = t->attributes, .miscselect = t->miscselect};
    memcpy(d.mrenclave, t->mrenclave, 32);
    memcpy(d.keyid, keyid, 32);
    memcpy(d.cpusvn, emu.cpu_svn, 16);
    memcpy(d.configid, t->configid, 64);
    derive(&d, key);
    return 0;
}

void emu_ereport(const struct sgx_targetinfo *target, const uint8_t reportdata[64], struct sgx_report *out)
{
    static const uint8_t boot_keyid[32] = "emulated CR_REPORT_KEYID"; /* hardware draws it at each boot */
    memset(out, 0, sizeof *out);
    memcpy(out->body.cpusvn, emu.cpu_svn, 16);
    out->body.miscselect = emu.secs.miscselect;
    out->body.attributes = emu.secs.attributes;
    memcpy(out->body.mrenclave, emu.secs.mrenclave, 32);
    memcpy(out->body.mrsigner, emu.secs.mrsigner, 32);
    memcpy(out->body.configid, emu.secs.configid, 64);
    out->body.isvprodid = emu.secs.isvprodid;
    out->body.isvsvn = emu.secs.isvsvn;
    out->body.configsvn = emu.secs.configsvn;
    memcpy(out->body.reportdata, reportdata, 64);
    memcpy(out->keyid, boot_keyid, 32);
    uint8_t key[16];
    emulator_report_key((const uint8_t *)target, out->keyid, key);
    cmac(key, &out->body, sizeof out->body, out->mac);
    OPENSSL_cleanse(key, sizeof key);
}

static bool cpusvn_beyond(const uint8_t asked[16])
{
    for (int i = 0; i < 16; i++)
        if (asked[i] > emu.cpu_svn[i])
            return true;
    return false;
}

/* Sealing and provisioning keys depend on what the request's policy and masks select. */
static void seal_dependencies(const struct sgx_keyrequest *r, struct key_dependencies *d)
{
    if (r->keypolicy & KEYPOLICY_MRENCLAVE)
        memcpy(d->mrenclave, emu.secs.mrenclave, 32);
    if (r->keypolicy & KEYPOLICY_MRSIGNER)
        memcpy(d->mrsigner, emu.secs.mrsigner, 32);
    if (!(r->keypolicy & KEYPOLICY_NOISVPRODID))
        d->isvprodid = emu.secs.isvprodid;
    if (r->keypolicy & KEYPOLICY_CONFIGID) {
        memcpy(d->configid, emu.secs.configid, 64);
        d->configsvn = r->configsvn;
    }
    d->isvsvn = r->isvsvn;
    d->keypolicy = r->keypolicy;
    /* INIT and DEBUG always count, whatever the mask says. */
    struct sgx_attributes mask = r->attributemask;
    mask.flags |= SGX_FLAGS_INIT | SGX_FLAGS_DEBUG;
    d->attributes.flags = emu.secs.attributes.flags & mask.flags;
    d->attributes.xfrm = emu.secs.attributes.xfrm & mask.xfrm;
    d->attributesmask = r->attributemask;
    d->miscselect = emu.secs.miscselect & r->miscmask;
    d->miscmask = r->miscmask;
    memcpy(d->keyid, r->keyid, 32);
    memcpy(d->cpusvn, r->cpusvn, 16);
}

bool emu_keyrequest_valid(const struct sgx_keyrequest *r)
{
    uint8_t any = r->reserved1;
    for (size_t i = 0; i < sizeof r->reserved2; i++)
        any |= r->reserved2[i];
    /* the further policies need ATTRIBUTES.KSS, which is not modelled */
    return any == 0 && (r->keypolicy & ~(KEYPOLICY_MRENCLAVE | KEYPOLICY_MRSIGNER)) == 0;
}

enum sgx_error emu_egetkey(const struct sgx_keyrequest *r, uint8_t key[16])
{
    struct key_dependencies d = {.keyname = r->keyname};
    switch (r->keyname) {
    case KEYNAME_REPORT: {
        struct sgx_targetinfo self = {
            .attributes = emu.secs.attributes, .miscselect = emu.secs.miscselect, .configsvn = emu.secs.configsvn};
        memcpy(self.mrenclave, emu.secs.mrenclave, 32);
        memcpy(self.configid, emu.secs.configid, 64);
        emulator_report_key((const uint8_t *)&self, r->keyid, key);
        return SGX_SUCCESS;
    }
    case KEYNAME_PROVISION:
    case KEYNAME_PROVISION_SEAL:
        if (!(emu.secs.attributes.flags & SGX_FLAGS_PROVISION_KEY))
            return SGX_INVALID_ATTRIBUTE;
        break;
    case KEYNAME_SEAL:
        break;
    case KEYNAME_EINITTOKEN:
        return SGX_INVALID_ATTRIBUTE;
    default:
        return SGX_INVALID_KEYNAME;
    }
    if (cpusvn_beyond(r->cpusvn))
        return SGX_INVALID_CPUSVN;
    if (r->isvsvn > emu.secs.isvsvn)
        return SGX_INVALID_ISVSVN;
    seal_dependencies(r, &d);
    if (r->keyname != KEYNAME_SEAL) { /* the machine's, by signer: neither MRENCLAVE nor KEYID are inputs */
        memcpy(d.mrsigner, emu.secs.mrsigner, 32);
        memset(d.mrenclave, 0, 32);
        memset(d.keyid, 0, 32);
    }
    derive(&d, key);
    return SGX_SUCCESS;
}

static int make_fuses(const char *path)
{
    char temporary[4200];
    uint8_t key[32];
    if (RAND_bytes(key, sizeof key) != 1)
        return -EIO;
    snprintf(temporary, sizeof temporary, "%s.%d", path, (int)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int result = write(fd, key, sizeof key) == sizeof key && fsync(fd) == 0 ? 0 : -EIO;
    close(fd);
    OPENSSL_cleanse(key, sizeof key);
    /* link, not rename: when two processes start at once, the first one's key stands */
    if (result == 0 && link(temporary, path) != 0 && errno != EEXIST)
        result = -errno;
    unlink(temporary);
    return result;
}

/* The number of the emulated microcode, which all 16 components of CPUSVN have. */
static int load_cpu_svn(const char *machine_dir, char *error, size_t error_size)
{
    char path[4096], text[8] = "1";
    snprintf(path, sizeof path, "%s/cpu-svn", machine_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof text - 1) : errno == ENOENT ? 1 : -1;
    if (fd >= 0)
        close(fd);
    size -= size > 1 && text[size - 1] == '\n';
    text[size > 0 ? size : 0] = '\0';
    uint64_t number;
    if (!arguments_number(text, 1, 255, &number)) {
        snprintf(error, error_size, "emulator: %s: expected a number from 1 to 255", path);
        return -EINVAL;
    }
    memset(emu.cpu_svn, (int)number, sizeof emu.cpu_svn);
    return 0;
}

int emu_load_fuses(const char *machine_dir, char *error, size_t error_size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/fuse-key", machine_dir);
    if (mkdir(machine_dir, 0700) != 0 && errno != EEXIST) {
        snprintf(error, error_size, "emulator: %s: %s", machine_dir, strerror(errno));
        return -errno;
    }
    int result = 0;
    if (access(path, F_OK) != 0)
        result = make_fuses(path);
    int fd = result == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || read(fd, emu.fuse_key, sizeof emu.fuse_key) != sizeof emu.fuse_key) {
        snprintf(error, error_size, "emulator: %s: %s", path, strerror(result < 0 ? -result : errno));
        result = -EIO;
    }
    if (fd >= 0)
        close(fd);
    return result == 0 ? load_cpu_svn(machine_dir, error, error_size) : result;
}
