/* run_dir: the directory of one run's checkpoints, ROOT/<run id>.  The trainer
 * writes in it; the coordinator looks and, when the run's result is in the
 * database, clears it away. */
#ifndef LOGLOG_RUNNER_RUN_DIR_H
#define LOGLOG_RUNNER_RUN_DIR_H

#include "runner/proto.h"

#include <stdint.h>

#define RUN_DIR (PROTO_PATH + 80)

void run_dir_path(char path[RUN_DIR], const char *root, int64_t run);
/* The step that the newest checkpoint claims in its name; 0: none.  For the
 * record: what a run really goes on from is what its trainer finds good. */
int64_t run_dir_newest(const char *root, int64_t run);
/* The file that `run` leaves after `step` for runs that share its first steps
 * (train_trunk_path of that run). */
void run_dir_trunk(char path[RUN_DIR], const char *root, int64_t run,
                   int64_t step);
int run_dir_is_trunk(const char *name);
/* Remove the files in it but for those. */
void run_dir_keep_trunks(const char *root, int64_t run);
/* Remove it with the files in it. */
void run_dir_remove(const char *root, int64_t run);

#endif
