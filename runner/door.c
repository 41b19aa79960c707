/* door: see door.h. */
#include "runner/door.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static int secret(char hex[DOOR_SECRET], struct err *e)
{
    unsigned char raw[(DOOR_SECRET - 1) / 2];

    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return err_errno(e, "random numbers of the system");
    for (size_t i = 0; i < sizeof raw; i++)
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    return 0;
}

int door_init(struct door *d, struct err *e)
{
    return secret(d->token, e) || secret(d->session, e) ? -1 : 0;
}

/* In a time that does not tell how much of the guess was right. */
static int same(const char *mine, const char *guess, size_t n)
{
    unsigned char diff = 0;

    if (n != DOOR_SECRET - 1)
        return 0;
    for (size_t i = 0; i < n; i++)
        diff |= (unsigned char)(mine[i] ^ guess[i]);
    return diff == 0;
}

int door_host(const char *host)
{
    static const char *const name[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; host && i < ARRAY_LEN(name); i++) {
        size_t n = strlen(name[i]);
        if (strncmp(host, name[i], n))
            continue;
        if (!host[n])
            return 1;
        if (host[n] == ':' && host[n + 1] && strlen(host + n) <= 6 &&
            strspn(host + n + 1, "0123456789") == strlen(host + n + 1))
            return 1;
    }
    return 0;
}

int door_origin(const struct http_request *q)
{
    const char *site = q->header(q, "Sec-Fetch-Site");
    const char *mode = q->header(q, "Sec-Fetch-Mode");
    const char *origin = q->header(q, "Origin");

    if (origin && (strncmp(origin, "http://", 7) || !door_host(origin + 7)))
        return 0;
    /* following a link from elsewhere is fine, reading us from there is not */
    return !site || !strcmp(site, "same-origin") || !strcmp(site, "none") ||
           (mode && !strcmp(mode, "navigate"));
}

int door_token(const struct door *d, const char *token)
{
    return token && same(d->token, token, strlen(token));
}

static void cookie_name(char buf[32], const struct door *d)
{
    snprintf(buf, 32, "loglog_%d", d->port);
}

/* "a=1; loglog_8080=SECRET". */
static int has_cookie(const struct door *d, const char *cookies)
{
    char name[32];
    size_t n;

    cookie_name(name, d);
    n = strlen(name);
    while (cookies && *cookies) {
        size_t len;
        cookies += strspn(cookies, "; ");
        len = strcspn(cookies, ";");
        if (len > n && !strncmp(cookies, name, n) && cookies[n] == '=' &&
            same(d->session, cookies + n + 1, len - n - 1))
            return 1;
        cookies += len;
    }
    return 0;
}

int door_known(const struct door *d, const struct http_request *q)
{
    const char *bearer = q->header(q, "Authorization");

    if (bearer && !strncmp(bearer, "Bearer ", 7) && door_token(d, bearer + 7))
        return 1;
    return has_cookie(d, q->header(q, "Cookie"));
}

void door_cookie(char *buf, size_t size, const struct door *d)
{
    char name[32];

    cookie_name(name, d);
    snprintf(buf, size, "%s=%s; Path=/; HttpOnly; SameSite=Strict", name,
             d->session);
}
