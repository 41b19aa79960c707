/* version: what this binary is, for --version and for every attempt's record.
 */
#ifndef LOGLOG_RUNNER_VERSION_H
#define LOGLOG_RUNNER_VERSION_H

#include <stdio.h>

#define VERSION_TEXT "0.1.0"

/* The commit it was built from, "+dirty" when the tree was changed, or
 * "unknown" outside a git checkout. */
const char *version_commit(void);
/* The day of that commit, "2026-01-31"; outside a checkout that of the build.
 */
const char *version_date(void);
/* Release and commit, for what is stored of a fit. */
void version_stamp(char *to, size_t size);
/* Compiler and flags. */
const char *version_build(void);
void version_print(FILE *out);

#endif
