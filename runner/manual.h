/* manual: pages for man(1), made from what a command says of itself, so that
 * they cannot say anything else: `loglog help --man COMMAND`. */
#ifndef LOGLOG_RUNNER_MANUAL_H
#define LOGLOG_RUNNER_MANUAL_H

#include "runner/opts.h"

#include <stddef.h>
#include <stdio.h>

/* The page of a command; extra: an option that every command has. */
void manual_command(FILE *out, const struct command *c, const struct opt *opts,
                    const struct opt *extra);
/* The page of the whole program. */
void manual_program(FILE *out, const struct command *const *commands, size_t n);

#endif
