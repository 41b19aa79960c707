/* log: progress and trouble, on stderr, one line each; results go to stdout.
 *
 * Levels by purpose: error, "the user must do something"; warn, "the user
 * should know"; info, a few lines per major step of a command; debug, what a
 * developer wants.  log_* prints on every rank with its rank in front;
 * log0_* prints on rank 0 only.  This module keeps the only mutable state of
 * the program that is not passed by argument: rank, level and tag of this
 * process, set once at start. */
#ifndef LOGLOG_BASE_LOG_H
#define LOGLOG_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* rank < 0: no rank is shown (offline commands); tag (may be NULL) is put
 * behind it, "run 12/a2" in a child.  The text is copied. */
void log_init(enum log_level level, int rank, const char *tag);
enum log_level log_level(void);
/* "error", "warn", "info", "debug"; -1 for anything else. */
int log_level_parse(const char *name);

#define LOG_FN __attribute__((format(printf, 1, 2)))
void log_error(const char *fmt, ...) LOG_FN;
void log_warn(const char *fmt, ...) LOG_FN;
void log_info(const char *fmt, ...) LOG_FN;
void log_debug(const char *fmt, ...) LOG_FN;
void log0_warn(const char *fmt, ...) LOG_FN;
void log0_info(const char *fmt, ...) LOG_FN;

#endif
