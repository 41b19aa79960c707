/* cmd: the commands.  To add one: write runner/cmd_<name>.c with a
 * `const struct command cmd_<name>`, declare it here, add it to the table in
 * main.c and the file to CMakeLists.txt; tests/cli checks its --help. */
#ifndef LOGLOG_RUNNER_CMD_H
#define LOGLOG_RUNNER_CMD_H

#include "runner/opts.h"

extern const struct command cmd_bench;
extern const struct command cmd_cancel;
extern const struct command cmd_data;
extern const struct command cmd_db;
extern const struct command cmd_design;
extern const struct command cmd_doctor;
extern const struct command cmd_export;
extern const struct command cmd_fit;
extern const struct command cmd_import;
extern const struct command cmd_launch;
extern const struct command cmd_plan;
extern const struct command cmd_predict;
extern const struct command cmd_query;
extern const struct command cmd_report;
extern const struct command cmd_retry;
extern const struct command cmd_run;
extern const struct command cmd_serve;
extern const struct command cmd_skip;
extern const struct command cmd_status;
extern const struct command cmd_top;
extern const struct command cmd_train;

#endif
