/* replace: a rebuilt database to where the damaged one was; see rebuild.h. */
#include "base/file.h"
#include "base/mem.h"
#include "db/lock.h"
#include "db/rebuild.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a database consists of, but for the lock. */
static const char *const parts[] = {"", "-wal", "-shm", "-journal",
                                    ".journal.jsonl"};

#define NAME (PATH_MAX + 32)

/* Each part that is there gets another name. */
static int move(const char *from, const char *to, struct err *e)
{
    char a[NAME], b[NAME];

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        snprintf(a, sizeof a, "%s%s", from, parts[i]);
        snprintf(b, sizeof b, "%s%s", to, parts[i]);
        if (rename(a, b) && errno != ENOENT)
            return err_set(e, ERR_DB, "%s: %s", a, strerror(errno));
    }
    return 0;
}

static int swap(const char *path, const char *out, const char *aside,
                struct err *e)
{
    char lock[NAME];

    if (move(path, aside, e) || move(out, path, e))
        return -1;
    snprintf(lock, sizeof lock, "%s.lock", out);
    unlink(lock);
    return 0;
}

int db_put_in_place(const char *path, const char *out, struct err *e)
{
    char aside[PATH_MAX];
    int lock, rc;

    if (snprintf(aside, sizeof aside, "%s.damaged", path) >= (int)sizeof aside)
        return err_set(e, ERR_DB, "%s: path too long", path);
    if (file_exists(aside))
        return err_set(e, ERR_DB,
                       "%s: is there already; move it away (the rebuilt "
                       "database is %s)",
                       aside, out);
    lock = lock_take(path, e);
    if (lock < 0)
        return -1;
    rc = swap(path, out, aside, e);
    lock_release(lock);
    return rc;
}
