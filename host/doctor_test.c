/* The doctor on machines of the test's own: one thing missing at a time, each with its line and its advice. */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/doctor.h"
#include "sgx/quote/aesm_double.h"

/* A CPU by what it lacks. */
struct cpu {
    bool no_sgx, no_sgx1, no_sgx2, no_flc, no_exinfo, hypervisor;
    uint64_t epc_bytes;
};

static void cpuid(void *user, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const struct cpu *c = user;
    memset(out, 0, 16);
    if (leaf == 0) {
        out[0] = c->no_sgx ? 7 : 0x1b;
        memcpy(&out[1], "Genu", 4), memcpy(&out[3], "ineI", 4), memcpy(&out[2], "ntel", 4);
    } else if (leaf == 1) {
        out[2] = (uint32_t)c->hypervisor << 31;
    } else if (leaf == 7) {
        out[1] = c->no_sgx ? 0 : 4;
        out[2] = c->no_flc ? 0 : 1u << 30;
    } else if (leaf == 0x12 && subleaf == 0) {
        out[0] = (c->no_sgx1 ? 0 : 1) | (c->no_sgx2 ? 0 : 2);
        out[1] = !c->no_exinfo;
    } else if (leaf == 0x12 && subleaf == 2 && c->epc_bytes) {
        out[0] = 1 | 0x70000000u;
        out[2] = (uint32_t)c->epc_bytes & 0xfffff000u;
        out[3] = (uint32_t)(c->epc_bytes >> 32);
    }
}

struct machine {
    struct cpu cpu;
    struct doctor_machine m;
    char root[64], output[8000];
    int result;
};

static void put(const struct machine *t, const char *path, const char *content, size_t size, mode_t mode)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", t->root, path);
    for (char *slash = full + strlen(t->root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, size, f), size);
    fclose(f);
    assert_int_equal(chmod(full, mode), 0);
}

static void put_text(const struct machine *t, const char *path, const char *text)
{
    put(t, path, text, strlen(text), 0666);
}

static void put_msr(const struct machine *t, uint64_t value)
{
    uint8_t file[0x3A + 8] = {0};
    memcpy(file + 0x3A, &value, 8);
    put(t, "/dev/cpu/0/msr", (char *)file, sizeof file, 0666);
}

/* A machine with everything but AESM, which has a test of its own. */
static void open_machine(struct machine *t)
{
    memset(t, 0, sizeof *t);
    snprintf(t->root, sizeof t->root, "/tmp/doctor_test.XXXXXX");
    assert_non_null(mkdtemp(t->root));
    assert_int_equal(chmod(t->root, 0755), 0);
    t->cpu.epc_bytes = 8ull << 30;
    t->m = (struct doctor_machine){.root = t->root,
                                   .kernel_release = "6.8.0-45-generic",
                                   .cpuid = cpuid,
                                   .user = &t->cpu,
                                   .has_vdso_entry = true,
                                   .aesm_timeout_ms = 200};
    put_text(t, "/dev/sgx_enclave", "");
    put_text(t, "/dev/sgx_provision", "");
    put_msr(t, 0x60001);
    put_text(t, "/proc/cpuinfo",
             "processor\t: 0\nmicrocode\t: 0x2b000571\n\nprocessor\t: 1\nmicrocode\t: 0x2b000571\n");
    put_text(t, "/proc/self/mounts", "udev /dev devtmpfs rw,nosuid,relatime 0 0\ntmpfs /tmp tmpfs rw,noexec 0 0\n");
    put_text(t, "/etc/sgx_default_qcnl.conf",
             "{\n  // \"pccs_url\": \"https://old\"\n"
             "  \"pccs_url\": \"https://localhost:8081/sgx/certification/v4/\",\n}\n");
}

static void look(struct machine *t)
{
    FILE *out = fmemopen(t->output, sizeof t->output - 1, "w");
    memset(t->output, 0, sizeof t->output);
    t->result = doctor_run(&t->m, out);
    fclose(out);
}

static void close_machine(struct machine *t)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", t->root);
    assert_int_equal(system(command), 0);
}

/* Is there a line that begins with verdict and what, and has text in it? */
static bool has_line(const struct machine *t, const char *verdict, const char *what, const char *text)
{
    char start[64], copy[sizeof t->output], *rest = NULL;
    int length = snprintf(start, sizeof start, "%-8s %s ", verdict, what);
    memcpy(copy, t->output, sizeof copy);
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, start, (size_t)length) == 0 && strstr(line, text))
            return true;
    fprintf(stderr, "no line '%s' with '%s' in:\n%s", start, text, t->output);
    return false;
}

static unsigned count(const struct machine *t, const char *word)
{
    unsigned n = 0;
    for (const char *at = t->output; (at = strstr(at, word)); at++)
        n += at == t->output || at[-1] == '\n';
    return n;
}

#define WITH(change, verdict, what, text)                                        \
    do {                                                                         \
        struct machine t;                                                        \
        open_machine(&t);                                                        \
        change;                                                                  \
        look(&t);                                                                \
        assert_true(has_line(&t, verdict, what, text));                          \
        assert_int_equal(t.result, 1); /* AESM is not there in any case */       \
        assert_int_equal(count(&t, "MISSING"), 1 + !strcmp(verdict, "MISSING")); \
        close_machine(&t);                                                       \
    } while (0)

static void test_all_but_aesm(void **state)
{
    (void)state;
    struct machine t;
    open_machine(&t);
    look(&t);
    assert_int_equal(count(&t, "MISSING"), 1);
    assert_true(has_line(&t, "MISSING", "AESM", "install and start sgx-aesm-service"));
    assert_non_null(strstr(t.output, "Begin with: "));
    assert_true(has_line(&t, "ok", "CPU", "GenuineIntel"));
    assert_true(has_line(&t, "ok", "EPC", "8192 MiB"));
    assert_true(has_line(&t, "ok", "firmware", "enabled"));
    assert_true(has_line(&t, "ok", "microcode", "revision 0x2b000571: what is sealed under it"));
    assert_true(has_line(&t, "ok", "driver", "can be opened"));
    assert_true(has_line(&t, "ok", "provisioning", "sgx_prv"));
    assert_true(has_line(&t, "ok", "collateral", "https://localhost:8081/sgx/certification/v4/ (a PCCS must run"));
    close_machine(&t);
}

static void test_cpu(void **state)
{
    (void)state;
    WITH(t.cpu.no_sgx = true, "MISSING", "SGX", "firmware");
    WITH(t.cpu.no_sgx = t.cpu.hypervisor = true, "MISSING", "SGX", "virtual machine");
    WITH(t.cpu.no_sgx1 = true, "MISSING", "SGX1", "set it to Enabled");
    WITH(t.cpu.no_sgx2 = true, "note", "SGX2", "heap is fixed");
    WITH(t.cpu.no_exinfo = true, "note", "EXINFO", "none");
    WITH(t.cpu.no_flc = true, "MISSING", "launch control", "no FLC");
    WITH(t.cpu.epc_bytes = 0, "MISSING", "EPC", "PRMRR");
    WITH(t.cpu.epc_bytes = 64u << 20, "note", "EPC", "64 MiB");
}

static void test_firmware(void **state)
{
    (void)state;
    char path[512];
    WITH(put_msr(&t, 0x1), "MISSING", "firmware", "off and locked");
    WITH(put_msr(&t, 0x0), "MISSING", "firmware", "off:");
    WITH(put_msr(&t, 0x40001), "MISSING", "firmware", "locked to one signer");
    WITH((snprintf(path, sizeof path, "%s/dev/cpu/0/msr", t.root), unlink(path)), "note", "firmware", "modprobe msr");
}

static void test_microcode(void **state)
{
    (void)state;
    char path[512];
    WITH(put_text(&t, "/proc/cpuinfo", "processor\t: 0\nmodel\t\t: 106\n"), "note", "microcode", "does not tell");
    WITH((snprintf(path, sizeof path, "%s/proc/cpuinfo", t.root), unlink(path)), "note", "microcode", "does not tell");
}

static void test_kernel(void **state)
{
    (void)state;
    char path[512];
    WITH(t.m.kernel_release = "5.10.0-30-amd64", "MISSING", "kernel", "5.11");
    WITH(t.m.kernel_release = "5.15.0", "note", "kernel", "EDMM needs 6.0");
    WITH(t.m.kernel_release = "nonsense", "MISSING", "kernel", "5.11");
    WITH(t.m.has_vdso_entry = false, "MISSING", "vDSO", "CONFIG_X86_SGX");
    WITH((snprintf(path, sizeof path, "%s/dev/sgx_enclave", t.root), unlink(path)), "MISSING", "driver",
         "CONFIG_X86_SGX");
    WITH(put_text(&t, "/proc/self/mounts", "a / ext4 rw 0 0\nb /dev devtmpfs rw,nosuid,noexec,relatime 0 0\n"),
         "MISSING", "/dev", "remount,exec");
    WITH((snprintf(path, sizeof path, "%s/dev/sgx_provision", t.root), unlink(path)), "note", "provisioning", "no ");
}

static void test_permissions(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    struct machine t;
    open_machine(&t);
    put(&t, "/dev/sgx_enclave", "", 0, 0660);
    assert_int_equal(setgroups(0, NULL), 0);
    assert_int_equal(setegid(65534), 0);
    assert_int_equal(seteuid(65534), 0);
    look(&t);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);
    assert_true(has_line(&t, "MISSING", "driver", "mode 660): join its group, root"));
    close_machine(&t);
}

/* Nothing is missing: only then may the exit status be 0. */
static void test_all_there(void **state)
{
    (void)state;
    struct machine t;
    char path[512];
    open_machine(&t);
    put_text(&t, "/var/run/aesmd/aesm.socket", "");
    snprintf(path, sizeof path, "%s/var/run/aesmd/aesm.socket", t.root);
    unlink(path);
    service_start(path, QUESTIONS, HONEST, 0);
    t.m.aesm_timeout_ms = client_timeout_ms;
    look(&t);
    service_stop();
    assert_int_equal(t.result, 0);
    assert_int_equal(count(&t, "MISSING"), 0);
    assert_int_equal(count(&t, "note"), 0);
    assert_true(has_line(&t, "ok", "AESM", "ECDSA P-256"));
    assert_non_null(strstr(t.output, "Hardware enclaves can run here"));

    service_start(path, INIT_SIZE, ERROR_CODE, 44);
    look(&t);
    service_stop();
    assert_int_equal(t.result, 1);
    assert_true(has_line(&t, "MISSING", "AESM", "check the PCCS"));
    close_machine(&t);
}

static void test_collateral(void **state)
{
    (void)state;
    char path[512];
    WITH((snprintf(path, sizeof path, "%s/etc/sgx_default_qcnl.conf", t.root), unlink(path)), "note", "collateral",
         "libsgx-dcap-default-qpl");
    WITH(put_text(&t, "/etc/sgx_default_qcnl.conf", "# PCCS_URL=https://x\n"), "note", "collateral", "no pccs_url");
    WITH(put_text(&t, "/etc/sgx_default_qcnl.conf", "PCCS_URL=https://pccs.example/v4/\n"), "ok", "collateral",
         "from https://pccs.example/v4/");
}

/* Something listens and never answers. */
static void test_aesm_silent(void **state)
{
    (void)state;
    struct machine t;
    open_machine(&t);
    put_text(&t, "/var/run/aesmd/aesm.socket", "");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/var/run/aesmd/aesm.socket", t.root);
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    look(&t);
    assert_true(has_line(&t, "MISSING", "AESM", "no answer within 200 ms"));
    close(fd);
    look(&t);
    assert_true(has_line(&t, "MISSING", "AESM", "nobody listens"));
    close_machine(&t);
}

/* The first advice is that of the first thing in order, whatever else is missing. */
static void test_order(void **state)
{
    (void)state;
    struct machine t;
    open_machine(&t);
    t.cpu.no_flc = true;
    t.m.kernel_release = "4.19";
    t.m.has_vdso_entry = false;
    look(&t);
    assert_int_equal(count(&t, "MISSING"), 4);
    assert_non_null(strstr(t.output, "4 missing. Begin with: no FLC"));
    close_machine(&t);
}

/* The command itself: on a machine without SGX it says so and fails. */
static void test_command(void **state)
{
    (void)state;
    FILE *p = popen("'" HOST "' doctor 2>&1", "r");
    char output[8000] = "";
    assert_non_null(p);
    size_t size = fread(output, 1, sizeof output - 1, p);
    int status = pclose(p);
    assert_true(size > 0 && WIFEXITED(status));
    bool ready = strstr(output, "MISSING") == NULL;
    assert_int_equal(WEXITSTATUS(status), ready ? 0 : 1);
    assert_true(ready || strstr(output, "Begin with: "));
    status = system("'" HOST "' doctor --nonsense >/dev/null 2>&1");
    assert_int_equal(WEXITSTATUS(status), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_there),  cmocka_unit_test(test_all_but_aesm), cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_firmware),   cmocka_unit_test(test_kernel),       cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_collateral), cmocka_unit_test(test_aesm_silent),  cmocka_unit_test(test_order),
        cmocka_unit_test(test_command),    cmocka_unit_test(test_microcode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
