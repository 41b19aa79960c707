/* tui: a terminal that a grid is shown on and keys come from.  tui_ncurses.c is
 * it; tui_none.c stands in where ncurses was not there to build with. */
#ifndef LOGLOG_RUNNER_TUI_H
#define LOGLOG_RUNNER_TUI_H

#include "base/err.h"
#include "runner/grid.h"

/* What tui_key returns besides characters. */
enum {
    TUI_NONE = 0, /* the time is over, or the size has changed */
    TUI_UP = 256,
    TUI_DOWN,
    TUI_LEFT,
    TUI_RIGHT,
    TUI_PAGE_UP,
    TUI_PAGE_DOWN,
    TUI_HOME,
    TUI_END,
    TUI_ENTER,
    TUI_ESCAPE,
    TUI_BACKSPACE,
    TUI_TAB
};

/* Take stdin and stdout, which must be a terminal; refused (ERR_ENV) when TERM
 * is not known, or when this program was built without ncurses. */
int tui_open(int colour, struct err *e);
void tui_close(void);
void tui_size(int *rows, int *cols);
void tui_show(const struct grid *g);
/* Wait up to `ms` milliseconds for a key. */
int tui_key(int ms);

#endif
