/* err: how a function says that it failed.
 *
 * A function that can fail returns 0 or -1 and takes `struct err *` last; on
 * -1 it has filled it with one line a person can act on, and has had no other
 * effect.  On success the err is untouched.  The lowest level says what
 * happened, callers prefix where.  Only runner/ turns an err into an exit
 * code, by its class.  `e` may be NULL where the caller does not care. */
#ifndef LOGLOG_BASE_ERR_H
#define LOGLOG_BASE_ERR_H

/* The classes are the exit codes of the program (docs: exit status). */
enum err_class {
    ERR_FAILED = 1, /* something in the work itself failed */
    ERR_USAGE = 2,  /* bad command line, study file or input file */
    ERR_ENV = 3,    /* the machine: memory, disk, permissions, libraries */
    ERR_DB = 4,     /* the results database */
};

struct err {
    enum err_class cls;
    char text[512];
};

/* Fill *e.  Always returns -1, so that failing is one line. */
int err_set(struct err *e, enum err_class cls, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set with class ERR_ENV, and ": " strerror(errno) at the end. */
int err_errno(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Put text in front of what *e says ("study.yaml: " ...).  Returns -1. */
int err_prefix(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
