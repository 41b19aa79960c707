/* hosts: see hosts.h. */
#include "runner/hosts.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE (1 << 20)
#define MAX_RANGE 100000

/* Options of mpirun that we replace; each takes one word. */
enum kind { OTHER, HOST, HOSTFILE, COUNT };
static const struct {
    const char *name;
    enum kind kind;
} options[] = {
    {"--host", HOST},
    {"-host", HOST},
    {"-H", HOST},
    {"--hostfile", HOSTFILE},
    {"-hostfile", HOSTFILE},
    {"--machinefile", HOSTFILE},
    {"-n", COUNT},
    {"-machinefile", HOSTFILE},
    {"--n", COUNT},
    {"-np", COUNT},
    {"--np", COUNT},
    {"-c", COUNT},
};

/* What opt[i] is; words: how many words it takes. */
static enum kind kind_of(int *words, char *const *opt, int n_opt, int i)
{
    *words = 1;
    for (size_t k = 0; k < ARRAY_LEN(options); k++)
        if (!strcmp(opt[i], options[k].name) && i + 1 < n_opt) {
            *words = 2;
            return options[k].kind;
        }
    return OTHER;
}

/* --- reading --- */

/* Named again: its slots add up. */
static struct host *add(struct hosts *h, const char *name, int slots)
{
    for (int i = 0; i < h->n; i++)
        if (!strcmp(h->host[i].name, name)) {
            h->host[i].slots += slots;
            return &h->host[i];
        }
    h->host = xrealloc(h->host, (size_t)(h->n + 1) * sizeof *h->host);
    memset(&h->host[h->n], 0, sizeof *h->host);
    snprintf(h->host[h->n].name, sizeof h->host[h->n].name, "%s", name);
    h->host[h->n].slots = slots;
    return &h->host[h->n++];
}

/* "a:2,b,c:4" */
static void from_list(struct hosts *h, const char *list)
{
    char *copy = xstrdup(list), *save = NULL;

    for (char *word = strtok_r(copy, ",", &save); word;
         word = strtok_r(NULL, ",", &save)) {
        char *colon = strchr(word, ':');
        int64_t slots = 1;

        if (colon) {
            *colon = '\0';
            if (str_to_i64(colon + 1, &slots) || slots < 1 || slots > MAX_RANGE)
                slots = 0; /* "auto" */
        }
        add(h, word, (int)slots);
    }
    free(copy);
}

/* A host a line: "name slots=4", "#..."; of PBS: a line a slot. */
static int from_file(struct hosts *h, const char *path, int a_line_a_slot,
                     struct err *e)
{
    char *text, *save = NULL;
    size_t len;

    if (file_read(&text, &len, path, MAX_FILE, e))
        return -1;
    for (char *line = strtok_r(text, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save)) {
        char name[256];
        const char *slots = strstr(line, "slots=");
        int n = 0;

        if (sscanf(line, " %255[^# \t]", name) != 1)
            continue;
        if (slots && (slots == line || slots[-1] == ' ' || slots[-1] == '\t'))
            n = atoi(slots + strlen("slots="));
        add(h, name, a_line_a_slot ? 1 : n > 0 ? n : 0);
    }
    free(text);
    return 0;
}

/* One element of a list, "n[01-03,7]-x": recursion over its brackets. */
static int expand_one(const char *head, const char *rest,
                      void (*found)(void *ctx, const char *name), void *ctx)
{
    const char *open = strchr(rest, '['), *at;
    char name[512];

    if (!open) {
        if (snprintf(name, sizeof name, "%s%s", head, rest) >= (int)sizeof name)
            return -1;
        found(ctx, name);
        return 0;
    }
    for (at = open + 1; *at && *at != ']';) {
        long long from, to;
        int digits = (int)strspn(at, "0123456789"), used = 0;
        const char *close = strchr(open, ']');

        if (!close || !digits)
            return -1;
        from = to = strtoll(at, NULL, 10);
        at += digits;
        if (*at == '-' && sscanf(at, "-%lld%n", &to, &used) == 1)
            at += used;
        if (to < from || to - from > MAX_RANGE)
            return -1;
        for (long long v = from; v <= to; v++) {
            if (snprintf(name, sizeof name, "%s%.*s%0*lld", head,
                         (int)(open - rest), rest, digits,
                         v) >= (int)sizeof name ||
                expand_one(name, close + 1, found, ctx))
                return -1;
        }
        at += *at == ',';
    }
    return *at == ']' ? 0 : -1;
}

int hosts_expand(const char *list, void (*found)(void *ctx, const char *name),
                 void *ctx)
{
    while (*list) {
        char one[1024];
        size_t len = 0;
        int depth = 0;

        for (; list[len] && (depth || list[len] != ','); len++)
            depth += (list[len] == '[') - (list[len] == ']');
        if (depth || len >= sizeof one)
            return -1;
        snprintf(one, sizeof one, "%.*s", (int)len, list);
        if (expand_one("", one, found, ctx))
            return -1;
        list += len + (list[len] == ',');
    }
    return 0;
}

static void add_expanded(void *ctx, const char *name)
{
    add(ctx, name, 0);
}

/* "2(x3),1": how many tasks on each host. */
static void slurm_slots(struct hosts *h, const char *tasks)
{
    for (int i = 0; i < h->n && tasks && *tasks;) {
        int slots = 0, times = 1, used = 0;

        if (sscanf(tasks, "%d%n", &slots, &used) != 1)
            return;
        tasks += used;
        if (sscanf(tasks, "(x%d)%n", &times, &used) == 1)
            tasks += used;
        for (int k = 0; k < times && i < h->n; k++)
            h->host[i++].slots = slots;
        tasks += *tasks == ',';
    }
}

static int from_environment(struct hosts *h, struct err *e)
{
    const char *slurm = getenv("SLURM_JOB_NODELIST"),
               *pbs = getenv("PBS_NODEFILE");

    if (slurm && *slurm) {
        if (hosts_expand(slurm, add_expanded, h))
            h->n = 0; /* not understood: mpirun may */
        slurm_slots(h, getenv("SLURM_TASKS_PER_NODE"));
        return 0;
    }
    h->named = pbs && *pbs;
    return h->named ? from_file(h, pbs, 1, e) : 0;
}

int hosts_read(struct hosts *h, char *const *opt, int n_opt, struct err *e)
{
    memset(h, 0, sizeof *h);
    for (int i = 0, words; i < n_opt; i += words) {
        enum kind kind = kind_of(&words, opt, n_opt, i);

        if (kind == HOST)
            from_list(h, opt[i + 1]);
        if (kind == HOSTFILE && from_file(h, opt[i + 1], 0, e))
            return -1;
    }
    return h->n ? 0 : from_environment(h, e);
}

void hosts_release(struct hosts *h)
{
    free(h->host);
    memset(h, 0, sizeof *h);
}

/* --- writing --- */

/* "a:2,c:auto": those that live, or one of them (only >= 0). */
static void live_list(struct str *out, const struct hosts *h, int only)
{
    for (int i = 0; i < h->n; i++) {
        if (only >= 0 ? i != only : h->host[i].dead)
            continue;
        str_addf(out, "%s%s:", out->len ? "," : "", h->host[i].name);
        if (only >= 0)
            str_add(out, "1");
        else if (h->host[i].slots)
            str_addf(out, "%d", h->host[i].slots);
        else
            str_add(out, "auto");
    }
}

/* Of n ranks over all hosts, how many over those that live. */
static int live_ranks(const struct hosts *h, int n)
{
    int known = 1, alive = 0, slots = 0;

    for (int i = 0; i < h->n; i++) {
        known &= h->host[i].slots > 0;
        alive += !h->host[i].dead;
        slots += h->host[i].dead ? 0 : h->host[i].slots;
    }
    if (!known)
        slots = n * alive / h->n;
    n = slots < n ? slots : n;
    return n > 0 ? n : 1;
}

/* The options but those of the kinds we set, then ours: hosts, and a count
 * (0: none). */
static char **with(const char *list, int count, char *const *opt, int n_opt)
{
    size_t room = strlen(list) + 1;
    char **out = xcalloc(1, (size_t)(n_opt + 5) * sizeof *out + room + 64);
    char *text = (char *)(out + n_opt + 5);
    int n = 0;

    for (int i = 0, words; i < n_opt; i += words)
        if (kind_of(&words, opt, n_opt, i) == OTHER)
            out[n++] = opt[i];
    out[n++] = text;
    text = stpcpy(text, "--host") + 1;
    out[n++] = text;
    text = stpcpy(text, list) + 1;
    if (count) {
        out[n++] = text;
        text = stpcpy(text, "-n") + 1;
        out[n] = text;
        snprintf(out[n], 16, "%d", count);
    }
    return out;
}

char **hosts_options(const struct hosts *h, char *const *opt, int n_opt)
{
    int dead = 0, count = 0;
    struct str list;
    char **out;

    for (int i = 0; i < h->n; i++)
        dead += h->host[i].dead;
    if (!dead && !h->named) {
        out = xcalloc((size_t)n_opt + 1, sizeof *out);
        if (n_opt)
            memcpy(out, opt, (size_t)n_opt * sizeof *out);
        return out;
    }
    for (int i = 0, words; i < n_opt; i += words)
        if (kind_of(&words, opt, n_opt, i) == COUNT)
            count = live_ranks(h, atoi(opt[i + 1]));
    str_init(&list);
    live_list(&list, h, -1);
    out = with(list.text, count, opt, n_opt);
    str_release(&list);
    return out;
}

char **hosts_probe(const struct hosts *h, int i, char *const *opt, int n_opt)
{
    struct str list;
    char **out;

    str_init(&list);
    live_list(&list, h, i);
    out = with(list.text, 1, opt, n_opt);
    str_release(&list);
    return out;
}
