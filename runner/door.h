/* door: who may ask the server of `loglog serve`.
 *
 * It listens on loopback, where every user of the machine and every page in a
 * browser can knock.  So the Host must be a name of loopback (a page of another
 * site that has its name point here, DNS rebinding, sends its own), a request
 * that a browser says comes from another site is refused, and a secret of 128
 * bits is asked for: once in the URL that is printed, from then on as a cookie
 * that no script sees and no other site can send, or as a bearer token. */
#ifndef LOGLOG_RUNNER_DOOR_H
#define LOGLOG_RUNNER_DOOR_H

#include "runner/http.h"

#define DOOR_SECRET 33 /* 128 bits in hex, and the end */

struct door {
    char token[DOOR_SECRET];   /* in the URL */
    char session[DOOR_SECRET]; /* in the cookie */
    int port;                  /* part of the cookie's name */
};

/* New secrets from the system. */
int door_init(struct door *d, struct err *e);

/* "localhost", "127.0.0.1" or "[::1]", with any port: a tunnel may end on
 * another. */
int door_host(const char *host);
/* Headers that browsers set say that the request comes from our own page, or
 * from nowhere. */
int door_origin(const struct http_request *q);
int door_token(const struct door *d, const char *token); /* NULL: no */
/* By cookie or by Authorization: Bearer. */
int door_known(const struct door *d, const struct http_request *q);
/* The value of Set-Cookie. */
void door_cookie(char *buf, size_t size, const struct door *d);

#endif
