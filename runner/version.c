/* version: see version.h.  The build passes LOGLOG_COMMIT and LOGLOG_DATE
 * (cmake/commit.cmake renews it at each build). */
#include "runner/version.h"

#include "runner/commit.h"
#include "runner/net.h"

const char *version_commit(void)
{
    return LOGLOG_COMMIT;
}

const char *version_date(void)
{
    return LOGLOG_DATE;
}

void version_stamp(char *to, size_t size)
{
    snprintf(to, size, "%s %.40s", VERSION_TEXT, version_commit());
}

const char *version_build(void)
{
    return "gcc-compatible " __VERSION__
#ifdef LOGLOG_HAVE_MPI
           ", mpi"
#else
           ", no mpi"
#endif
#ifdef __SANITIZE_ADDRESS__
           ", asan"
#endif
        ;
}

void version_print(FILE *out)
{
    fprintf(out, "loglog %s (commit %s; %s; %s)\n", VERSION_TEXT, LOGLOG_COMMIT,
            version_build(), net_library());
}
