/* tui: without ncurses; see tui.h. */
#include "runner/tui.h"

int tui_open(int colour, struct err *e)
{
    (void)colour;
    return err_set(e, ERR_ENV,
                   "this loglog was built without ncurses (libncurses-dev): "
                   "`loglog status F --watch` shows the same as plain text");
}

void tui_close(void)
{
}

void tui_size(int *rows, int *cols)
{
    *rows = 24;
    *cols = 80;
}

void tui_show(const struct grid *g)
{
    (void)g;
}

int tui_key(int ms)
{
    (void)ms;
    return 'q';
}
