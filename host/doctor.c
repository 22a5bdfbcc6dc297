/* Looking a machine over; see doctor.h. */
#include "host/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/arguments.h"
#include "sgx/loader/sgx_device.h"
#include "sgx/loader/sgx_kernel.h"
#include "sgx/quote/aesm.h"

#define MSR_FEATURE_CONTROL 0x3A
#define FEATURE_CONTROL_LOCKED 0x1u
#define FEATURE_CONTROL_SGX_LC 0x20000u
#define FEATURE_CONTROL_SGX 0x40000u
#define QCNL_CONFIG "/etc/sgx_default_qcnl.conf"

enum verdict { OK, NOTE, MISSING };

struct report {
    const struct doctor_machine *m;
    FILE *out;
    unsigned missing;
    char first[400]; /* what to do about the first thing that is missing */
};

/* One line: what was looked at, and how it is. For MISSING the text says what to do. */
static void say(struct report *r, enum verdict verdict, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void say(struct report *r, enum verdict verdict, const char *what, const char *format, ...)
{
    static const char *const words[] = {"ok", "note", "MISSING"};
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(r->out, "%-8s %-18s %s\n", words[verdict], what, text);
    if (verdict == MISSING && r->missing++ == 0)
        snprintf(r->first, sizeof r->first, "%s", text);
}

static const char *path_of(const struct report *r, const char *path, char buffer[512])
{
    snprintf(buffer, 512, "%s%s", r->m->root, path);
    return buffer;
}

static bool may_use(const char *path)
{
    return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0;
}

/* ---- the CPU --------------------------------------------------------------------------------------------------- */

static void check_cpu(struct report *r)
{
    uint32_t leaf0[4], seven[4], one[4], sgx[4] = {0};
    char vendor[13] = "";
    r->m->cpuid(r->m->user, 0, 0, leaf0);
    memcpy(vendor, &leaf0[1], 4);
    memcpy(vendor + 4, &leaf0[3], 4);
    memcpy(vendor + 8, &leaf0[2], 4);
    say(r, OK, "CPU", "x86-64, %s", vendor);
    if (leaf0[0] >= 7)
        r->m->cpuid(r->m->user, 7, 0, seven);
    else
        memset(seven, 0, sizeof seven);
    bool has_sgx = seven[1] >> 2 & 1;
    r->m->cpuid(r->m->user, 1, 0, one);
    if (!has_sgx) {
        say(r, MISSING, "SGX", "this CPU does not show SGX: %s",
            one[2] >> 31 ? "in a virtual machine the host must pass it through (QEMU: -object memory-backend-epc)"
                         : "use an Intel CPU that has it, and enable it in the firmware (BIOS) set-up");
        return;
    }
    say(r, OK, "SGX", "the CPU has it");
    if (leaf0[0] >= 0x12)
        r->m->cpuid(r->m->user, 0x12, 0, sgx);
    if (sgx[0] & 1)
        say(r, OK, "SGX1", "enclaves can run");
    else
        say(r, MISSING, "SGX1", "the firmware has not enabled SGX: set it to Enabled (not Software Controlled)");
    if (sgx[0] & 2)
        say(r, OK, "SGX2", "pages can change while an enclave runs (EDMM)");
    else
        say(r, NOTE, "SGX2", "none: the heap is fixed, and code made at run time stays writable");
    if (!(sgx[1] & 1))
        say(r, NOTE, "EXINFO", "none: page faults inside an enclave end it without telling where");
    if (seven[2] >> 30 & 1)
        say(r, OK, "launch control", "flexible (FLC): the kernel may start enclaves of any signer");
    else
        say(r, MISSING, "launch control",
            "no FLC: Linux needs it. Enable \"SGX Launch Control\" (unlocked) in the firmware, or use a newer CPU");
}

static void check_epc(struct report *r)
{
    uint64_t total = 0;
    unsigned sections = 0;
    uint32_t leaf0[4], seven[4], e[4];
    r->m->cpuid(r->m->user, 0, 0, leaf0);
    r->m->cpuid(r->m->user, 7, 0, seven);
    if (leaf0[0] < 0x12 || !(seven[1] >> 2 & 1))
        return; /* said already */
    for (uint32_t sub = 2; sub < 32; sub++) {
        r->m->cpuid(r->m->user, 0x12, sub, e);
        if ((e[0] & 0xf) != 1)
            break;
        total += (uint64_t)(e[3] & 0xfffff) << 32 | (e[2] & 0xfffff000u);
        sections++;
    }
    if (total == 0)
        say(r, MISSING, "EPC", "no enclave memory: set the PRMRR / EPC size in the firmware as large as it goes");
    else if (total < 128u << 20)
        say(r, NOTE, "EPC", "%lu MiB in %u sections: larger enclaves page, which is slow", total >> 20, sections);
    else
        say(r, OK, "EPC", "%lu MiB in %u section%s", total >> 20, sections, sections == 1 ? "" : "s");
}

/* IA32_FEATURE_CONTROL, if the msr module and our rights allow. */
static void check_firmware(struct report *r)
{
    char path[512];
    uint64_t value = 0;
    int fd = open(path_of(r, "/dev/cpu/0/msr", path), O_RDONLY | O_CLOEXEC);
    bool known = fd >= 0 && pread(fd, &value, sizeof value, MSR_FEATURE_CONTROL) == sizeof value;
    if (fd >= 0)
        close(fd);
    if (!known)
        say(r, NOTE, "firmware", "cannot look (as root: modprobe msr, then run this again)");
    else if (!(value & FEATURE_CONTROL_SGX))
        say(r, MISSING, "firmware", "IA32_FEATURE_CONTROL.SGX is off%s: enable SGX in the firmware set-up",
            value & FEATURE_CONTROL_LOCKED ? " and locked" : "");
    else if (!(value & FEATURE_CONTROL_SGX_LC))
        say(r, MISSING, "firmware", "SGX is on, launch control is locked to one signer: unlock it in the firmware");
    else
        say(r, OK, "firmware", "SGX and launch control are enabled");
}

/* The processor alone knows its security version (CPUSVN); the microcode's revision is what an operator can compare. */
static void check_microcode(struct report *r)
{
    char path[512], line[512], revision[32] = "";
    FILE *f = fopen(path_of(r, "/proc/cpuinfo", path), "r");
    while (f && !revision[0] && fgets(line, sizeof line, f))
        sscanf(line, "microcode : %31s", revision);
    if (f)
        fclose(f);
    if (revision[0])
        say(r, OK, "microcode", "revision %s: what is sealed under it, older microcode does not open", revision);
    else
        say(r, NOTE, "microcode", "/proc/cpuinfo does not tell its revision");
}

/* ---- the kernel ------------------------------------------------------------------------------------------------ */

static void check_kernel(struct report *r)
{
    unsigned major = 0, minor = 0;
    sscanf(r->m->kernel_release, "%u.%u", &major, &minor);
    unsigned version = major * 1000 + minor;
    if (version < 5011)
        say(r, MISSING, "kernel", "Linux %s: the SGX driver came with 5.11; install a newer kernel",
            r->m->kernel_release);
    else if (version < 6000)
        say(r, NOTE, "kernel", "Linux %s: runs enclaves; EDMM needs 6.0", r->m->kernel_release);
    else
        say(r, OK, "kernel", "Linux %s: runs enclaves, with EDMM where the CPU has SGX2", r->m->kernel_release);
}

static const char *group_of(const struct stat *st, char buffer[64])
{
    const struct group *g = getgrgid(st->st_gid);
    if (g)
        snprintf(buffer, 64, "%s", g->gr_name);
    else
        snprintf(buffer, 64, "number %u", (unsigned)st->st_gid);
    return buffer;
}

static void check_device(struct report *r)
{
    char path[512], group[64];
    struct stat st;
    if (stat(path_of(r, SGX_ENCLAVE_DEVICE, path), &st) != 0)
        say(r, MISSING, "driver", "no " SGX_ENCLAVE_DEVICE ": %s",
            errno == ENOENT
                ? "a kernel with CONFIG_X86_SGX=y is needed, and SGX enabled in the firmware (dmesg | grep sgx)"
                : strerror(errno));
    else if (!may_use(path))
        say(r, MISSING, "driver",
            SGX_ENCLAVE_DEVICE " is there, not for this user (mode %03o): join its group, %s "
                               "(usermod -aG)",
            st.st_mode & 0777, group_of(&st, group));
    else
        say(r, OK, "driver", SGX_ENCLAVE_DEVICE " can be opened");
}

/* The mount that /dev/sgx_enclave lies on: the last one whose point is /dev, else /. */
static bool dev_is_noexec(const struct report *r)
{
    char path[512], line[2048];
    bool noexec = false;
    FILE *f = fopen(path_of(r, "/proc/self/mounts", path), "r");
    while (f && fgets(line, sizeof line, f)) {
        char point[512], options[1024];
        if (sscanf(line, "%*s %511s %*s %1023s", point, options) != 2 || strcmp(point, "/dev") != 0)
            continue;
        noexec = false;
        char *rest = NULL;
        for (char *o = strtok_r(options, ",", &rest); o; o = strtok_r(NULL, ",", &rest))
            noexec |= strcmp(o, "noexec") == 0;
    }
    if (f)
        fclose(f);
    return noexec;
}

static void check_mount(struct report *r)
{
    if (dev_is_noexec(r))
        say(r, MISSING, "/dev", "mounted noexec, so no enclave code can be mapped: mount -o remount,exec /dev");
    else
        say(r, OK, "/dev", "not mounted noexec");
}

static void check_vdso(struct report *r)
{
    if (r->m->has_vdso_entry)
        say(r, OK, "vDSO", "__vdso_sgx_enter_enclave is there");
    else
        say(r, MISSING, "vDSO", "no __vdso_sgx_enter_enclave: a kernel with CONFIG_X86_SGX=y is needed");
}

/* ---- quotes ---------------------------------------------------------------------------------------------------- */

static void check_provision(struct report *r)
{
    char path[512];
    struct stat st;
    if (stat(path_of(r, SGX_PROVISION_DEVICE, path), &st) == 0)
        say(r, OK, "provisioning", SGX_PROVISION_DEVICE " is there (AESM's user must be in its group, often sgx_prv)");
    else
        say(r, NOTE, "provisioning", "no " SGX_PROVISION_DEVICE ": the quoting enclave's certificate key needs it");
}

static void check_aesm(struct report *r)
{
    char path[512], error[512] = "";
    struct quote_backend *b;
    if (quote_aesm_create(path_of(r, AESM_SOCKET, path), r->m->aesm_timeout_ms, &b, error, sizeof error) == 0) {
        say(r, OK, "AESM", "answers, and has an ECDSA P-256 attestation key ready");
        quote_destroy(b);
        return;
    }
    say(r, MISSING, "AESM", "%s", strncmp(error, "AESM: ", 6) == 0 ? error + 6 : error);
}

/* The value behind "pccs_url" (JSON with comments) or PCCS_URL= (older), without quotes. */
static bool read_pccs_url(FILE *f, char *url, size_t size)
{
    char line[1024];
    while (fgets(line, sizeof line, f)) {
        char *at = line + strspn(line, " \t{");
        if (at[0] == '#' || strncmp(at, "//", 2) == 0)
            continue;
        char *name = strcasestr(at, "pccs_url");
        char *value = name ? strpbrk(name, ":=") : NULL;
        if (!value)
            continue;
        value += 1 + strspn(value + 1, " \t\"");
        snprintf(url, size, "%.*s", (int)strcspn(value, "\", \t\r\n"), value);
        return url[0] != 0;
    }
    return false;
}

static void check_collateral(struct report *r)
{
    char path[512], url[256];
    FILE *f = fopen(path_of(r, QCNL_CONFIG, path), "r");
    if (!f)
        say(r, NOTE, "collateral", "no " QCNL_CONFIG ": install libsgx-dcap-default-qpl and name a PCCS there");
    else if (!read_pccs_url(f, url, sizeof url))
        say(r, NOTE, "collateral", QCNL_CONFIG " names no pccs_url");
    else
        say(r, OK, "collateral", "certificates come from %s%s", url,
            strstr(url, "localhost") ? " (a PCCS must run on this machine)" : "");
    if (f)
        fclose(f);
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

int doctor_run(const struct doctor_machine *machine, FILE *out)
{
    struct report r = {.m = machine, .out = out};
    void (*const checks[])(struct report *) = {check_cpu,       check_epc,    check_firmware,  check_microcode,
                                               check_kernel,    check_device, check_mount,     check_vdso,
                                               check_provision, check_aesm,   check_collateral};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        checks[i](&r);
    if (r.missing == 0)
        fprintf(out, "\nHardware enclaves can run here: enclave-os serve --backend sgx\n");
    else
        fprintf(out,
                "\n%u missing. Begin with: %s\nUntil then the emulator serves: enclave-os serve --backend emulator\n",
                r.missing, r.first);
    return r.missing == 0 ? 0 : 1;
}

static const char usage[] =
    "usage: enclave-os doctor [--root DIR]\n"
    "Looks whether hardware enclaves can run here, and says what to do if not. Exit status 0 if they can.\n"
    "  --root DIR   look at files below DIR instead of /, as in a machine's mounted disk\n";

static int __attribute__((format(printf, 1, 2))) wrong_usage(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("enclave-os: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs(" (see enclave-os doctor --help)\n", stderr);
    va_end(arguments);
    return 2;
}

int doctor_main(int argc, char **argv)
{
    static const struct option options[] = {{"root", 1, 0, 'r'}, {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    struct utsname names = {.release = ""};
    struct doctor_machine machine = {.root = "",
                                     .cpuid = sgx_kernel_real.cpuid,
                                     .has_vdso_entry = sgx_kernel_vdso_enter() != NULL,
                                     .aesm_timeout_ms = 10000};
    struct arguments a;
    struct stat st;
    int c, rest;
    arguments_init(&a, argc, argv, options, NULL);
    while ((c = arguments_next(&a)) != ARGUMENTS_END) {
        if (c == ARGUMENTS_WRONG)
            return wrong_usage("%s", a.error);
        if (c == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        machine.root = a.value;
        if (stat(a.value, &st) != 0 || !S_ISDIR(st.st_mode))
            return wrong_usage("--root %s: not a folder, but a machine's / is wanted", a.value);
    }
    char **first = arguments_rest(&a, &rest);
    if (rest > 0)
        return wrong_usage("unexpected argument '%s'", *first);
    uname(&names);
    machine.kernel_release = names.release;
    return doctor_run(&machine, stdout);
}
