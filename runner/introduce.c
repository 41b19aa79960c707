/* introduce: see introduce.h. */
#include "runner/introduce.h"

#include "base/hash.h"
#include "runner/proto.h"
#include "runner/version.h"
#include "trainer/bench.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Equal where processes share memory: host, boot, and the very tmpfs that
 * shared memory lives in (containers of one host may have several). */
static uint64_t node_id(const char *host)
{
    char text[256], boot[64] = "";
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    struct stat st;

    if (f) {
        if (!fgets(boot, sizeof boot, f))
            boot[0] = '\0';
        fclose(f);
    }
    if (stat("/dev/shm", &st))
        memset(&st, 0, sizeof st);
    snprintf(text, sizeof text, "%s %s %llu", host, boot,
             (unsigned long long)st.st_dev);
    return (uint64_t)hash_id(text);
}

static int usable_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    return CPU_COUNT(&set);
}

void introduce_rank(struct net *net, int slots)
{
    struct msg_hello m;

    memset(&m, 0, sizeof m);
    m.magic = PROTO_MAGIC;
    m.version = PROTO_VERSION;
    m.spec_size = (int32_t)sizeof(struct run_spec);
    m.slots = slots;
    m.cpus = usable_cpus();
    m.cores = (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
    m.pid = getpid();
    if (gethostname(m.host, sizeof m.host - 1))
        snprintf(m.host, sizeof m.host, "unknown");
    m.node = node_id(m.host);
    for (int i = 0; i < 2; i++)
        m.peak[i] = bench_peak(i);
    snprintf(m.commit, sizeof m.commit, "%.*s", PROTO_HOST - 1,
             version_commit());
    net_send(net, NET_COORDINATOR, MSG_HELLO, &m, sizeof m);
}

/* Without a context on one: that is the children's. */
void introduce_device(struct net *net, enum device_kind kind)
{
    const struct engine_api *api;
    struct engine_device d;
    struct msg_device m;
    struct err e;

    memset(&m, 0, sizeof m);
    if (device_open(&api, kind, &e) || !api || api->devices(&m.n, &e)) {
        snprintf(m.why, sizeof m.why, "%.*s", PROTO_TEXT - 1, e.text);
    } else {
        m.found = 1;
        for (int i = 0; i < m.n && i < PROTO_DEVICES; i++) {
            if (api->describe(&d, i, &e))
                break;
            snprintf(m.uuid[i], sizeof m.uuid[i], "%.*s", PROTO_UUID - 1,
                     d.uuid);
            if (i == 0)
                snprintf(m.what, sizeof m.what, "%.*s", PROTO_HOST - 1, d.name);
        }
    }
    net_send(net, NET_COORDINATOR, MSG_DEVICE, &m, sizeof m);
}
