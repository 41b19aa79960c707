/* cmd_doctor: what this build and this machine can do, what is missing, and
 * the fix.  A table of checks; each fills one line. */
#include "base/file.h"
#include "base/mem.h"
#include "base/plugin.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/doctor_gpu.h"
#include "runner/net.h"
#include "runner/version.h"

#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum verdict { FINE, NOTE, MISSING };
static const char *const verdict_name[] = {"ok", "note", "missing"};

struct finding {
    enum verdict verdict;
    char text[256]; /* what was found */
    char fix[256];  /* "" when there is nothing to do */
};

#define SAY(f, v, ...)                                                         \
    do {                                                                       \
        (f)->verdict = (v);                                                    \
        snprintf((f)->text, sizeof(f)->text, __VA_ARGS__);                     \
    } while (0)
#define FIX(f, ...) snprintf((f)->fix, sizeof(f)->fix, __VA_ARGS__)

static void check_build(struct finding *f)
{
    SAY(f, FINE, "loglog %s, commit %s, %s", VERSION_TEXT, version_commit(),
        version_build());
}

static void check_mpi(struct finding *f)
{
#ifdef LOGLOG_HAVE_MPI
    const char *path = getenv("PATH");
    char *copy = xstrdup(path ? path : ""), *save = NULL;
    char file[4096];

    SAY(f, NOTE, "built with %s, but no mpirun on PATH", net_library());
    FIX(f, "install the MPI runtime (Debian: openmpi-bin) or use srun; one "
           "process needs neither");
    for (char *dir = strtok_r(copy, ":", &save); dir;
         dir = strtok_r(NULL, ":", &save)) {
        snprintf(file, sizeof file, "%s/mpirun", dir);
        if (access(file, X_OK))
            continue;
        SAY(f, FINE, "built with %s; %.200s", net_library(), file);
        f->fix[0] = '\0';
        break;
    }
    free(copy);
#else
    SAY(f, NOTE, "built without MPI: one process on this machine");
    FIX(f, "configure with -DLOGLOG_MPI=ON for mpirun and srun");
#endif
}

static void check_cores(struct finding *f)
{
    cpu_set_t set;
    int online = (int)sysconf(_SC_NPROCESSORS_ONLN), mine = online;

    if (!sched_getaffinity(0, sizeof set, &set))
        mine = CPU_COUNT(&set);
    SAY(f, mine < online ? NOTE : FINE, "%d of %d cores usable", mine, online);
    if (mine < online)
        FIX(f, "this process is bound; with mpirun add --bind-to none");
}

static void check_isa(struct finding *f)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    const struct {
        const char *name;
        int has;
    } isa[] = {
        {"avx2", __builtin_cpu_supports("avx2")},
        {"fma", __builtin_cpu_supports("fma")},
        {"avx512f", __builtin_cpu_supports("avx512f")},
        {"avx512bf16", __builtin_cpu_supports("avx512bf16")},
    };
    size_t n;

    SAY(f, FINE, "x86-64");
    for (size_t i = 0; i < ARRAY_LEN(isa); i++) {
        n = strlen(f->text);
        if (isa[i].has)
            snprintf(f->text + n, sizeof f->text - n, " %s", isa[i].name);
    }
    if (!isa[0].has || !isa[1].has) {
        f->verdict = NOTE;
        FIX(f, "kernels run as portable vector code here, several times "
               "slower");
    }
#else
    SAY(f, NOTE, "not x86-64: portable vector code");
#endif
}

static void check_memory(struct finding *f)
{
    char a[STR_DOUBLE], b[STR_DOUBLE];
    struct sysinfo si;

    if (sysinfo(&si)) {
        SAY(f, NOTE, "memory unknown");
        return;
    }
    SAY(f, FINE, "%s of memory, %s free",
        str_bytes(a, (double)si.totalram * si.mem_unit),
        str_bytes(b, (double)(si.freeram + si.bufferram) * si.mem_unit));
}

static void check_space(struct finding *f, const char *path, double least,
                        const char *why)
{
    char a[STR_DOUBLE];
    struct statvfs v;
    double room;

    if (statvfs(path, &v)) {
        SAY(f, MISSING, "%s cannot be used", path);
        FIX(f, "%s", why);
        return;
    }
    room = (double)v.f_bavail * (double)v.f_frsize;
    SAY(f, room < least ? NOTE : FINE, "%s: %s free", path, str_bytes(a, room));
    if (room < least)
        FIX(f, "%s", why);
}

static void check_shm(struct finding *f)
{
    check_space(f, "/dev/shm", 64e6,
                "gangs of several processes share gradients there: make it "
                "larger (mount -o remount,size=1G /dev/shm)");
}

static void check_disk(struct finding *f)
{
    check_space(f, ".", 1e9, "databases and checkpoints need room here");
}

static void check_gpu(struct finding *f)
{
    if (access("/dev/nvidiactl", F_OK)) {
        SAY(f, NOTE, "no NVIDIA device: runs train on the CPU");
        return;
    }
    SAY(f, NOTE, "an NVIDIA device is present, which this does not try");
    FIX(f, "loglog doctor --gpu tries all of the GPU code in two minutes");
}

static void check_serve(struct finding *f)
{
    char path[PATH_MAX];

    if (plugin_find(path, "http", "", NULL) == 0) {
        SAY(f, FINE, "%.200s", path);
        return;
    }
    SAY(f, NOTE, "built without libmicrohttpd: no `loglog serve`");
    FIX(f, "install it (Debian: libmicrohttpd-dev) and configure again");
}

static void check_pdf(struct finding *f)
{
    char path[PATH_MAX];

    if (plugin_find(path, "pdf", "", NULL) == 0) {
        SAY(f, FINE, "%.200s", path);
        return;
    }
    SAY(f, NOTE,
        "built without librsvg: figures of `loglog report` as SVG, "
        "not as PDF");
    FIX(f, "install it (Debian: librsvg2-dev) and configure again");
}

static const struct {
    const char *name;
    void (*check)(struct finding *f);
} checks[] = {
    {"build", check_build},   {"mpi", check_mpi},
    {"cores", check_cores},   {"cpu", check_isa},
    {"memory", check_memory}, {"shared memory", check_shm},
    {"disk", check_disk},     {"gpu", check_gpu},
    {"serve", check_serve},   {"pdf", check_pdf},
};

static int doctor_main(const struct command *self, int argc, char **argv)
{
    int json = 0, gpu = 0, n_args, rc, missing = 0;
    const char **args, *device = "cuda";
    enum device_kind kind;
    struct err e;
    const struct opt opts[] = {
        {"json", 0, OPT_FLAG, &json, NULL, "one JSON object a line"},
        {"gpu", 0, OPT_FLAG, &gpu, NULL,
         "try the GPU code on the GPUs of this machine"},
        {"device", 0, OPT_STRING, &device, "NAME",
         "with --gpu: cuda, or cuemu, the emulator"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 0, 0, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (gpu) {
        if (device_parse(&kind, device, &e))
            return opts_fail(&e);
        if (kind != DEVICE_CUDA && kind != DEVICE_CUEMU) {
            err_set(&e, ERR_USAGE, "--gpu: --device cuda or cuemu expected");
            return opts_fail(&e);
        }
        rc = doctor_gpu(kind, &e);
        return rc < 0 ? opts_fail(&e) : rc ? ERR_FAILED : 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct finding f = {.verdict = FINE};

        checks[i].check(&f);
        missing |= f.verdict == MISSING;
        if (json) {
            json_t *o = json_pack(
                "{s:s, s:s, s:s, s:s}", "check", checks[i].name, "verdict",
                verdict_name[f.verdict], "found", f.text, "fix", f.fix);
            json_dumpf(o, stdout, JSON_COMPACT);
            putchar('\n');
            json_decref(o);
            continue;
        }
        printf("%-8s %-14s %s\n", verdict_name[f.verdict], checks[i].name,
               f.text);
        if (f.fix[0])
            printf("%-8s %-14s -> %s\n", "", "", f.fix);
    }
    return missing ? ERR_ENV : 0;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .synopsis = "doctor [--json] [--gpu [--device NAME]]",
    .summary = "what this build and machine can do, and what is missing",
    .help = "Prints one line a check (ok, note or missing) and, behind an "
            "arrow, the fix.\nExit status 3 when something that is needed is "
            "missing.\n\nWith --gpu: the tests of the kernels, a training "
            "comparison with the CPU, NCCL and\na table of throughput on the "
            "GPUs of this machine, and one verdict.\n",
    .main = doctor_main,
};
