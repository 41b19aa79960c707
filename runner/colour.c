/* colour: see colour.h. */
#include "runner/colour.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int colour_wanted(int *on, const char *when, struct err *e)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    *on = 0;
    if (when && !strcmp(when, "always"))
        *on = 1;
    else if (!when || !strcmp(when, "auto"))
        *on = isatty(STDOUT_FILENO) && !(no && *no) && term &&
              strcmp(term, "dumb");
    else if (strcmp(when, "never"))
        return err_set(e, ERR_USAGE,
                       "--color %s: auto, always or never expected", when);
    return 0;
}

int colour_is_ascii(void)
{
    setlocale(LC_CTYPE, "");
    return strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

int colour_columns(void)
{
    struct winsize w;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || w.ws_col < 20)
        return 80;
    return w.ws_col;
}
