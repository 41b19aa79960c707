/* tui: with ncurses; see tui.h. */
#include "runner/tui.h"

#include "base/mem.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int curses, key;
} keys[] = {
    {KEY_UP, TUI_UP},
    {KEY_DOWN, TUI_DOWN},
    {KEY_LEFT, TUI_LEFT},
    {KEY_RIGHT, TUI_RIGHT},
    {KEY_PPAGE, TUI_PAGE_UP},
    {KEY_NPAGE, TUI_PAGE_DOWN},
    {KEY_HOME, TUI_HOME},
    {KEY_END, TUI_END},
    {KEY_ENTER, TUI_ENTER},
    {'\n', TUI_ENTER},
    {'\r', TUI_ENTER},
    {27, TUI_ESCAPE},
    {KEY_BACKSPACE, TUI_BACKSPACE},
    {127, TUI_BACKSPACE},
    {8, TUI_BACKSPACE},
    {'\t', TUI_TAB},
    {KEY_BTAB, TUI_LEFT},
};

int tui_open(int colour, struct err *e)
{
    static const short pair[PAINTS] = {[PAINT_GOOD] = COLOR_GREEN,
                                       [PAINT_BAD] = COLOR_RED,
                                       [PAINT_BUSY] = COLOR_CYAN};
    const char *term = getenv("TERM");

    if (!newterm(NULL, stdout, stdin))
        return err_set(e, ERR_ENV,
                       "the terminal '%s' is not known here; set TERM, or use "
                       "`loglog status F --watch`",
                       term ? term : "");
    set_escdelay(50);
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    curs_set(0);
    if (colour && has_colors()) {
        start_color();
        use_default_colors();
        for (short i = 0; i < PAINTS; i++)
            if (pair[i])
                init_pair((short)(i + 1), pair[i], -1);
    }
    return 0;
}

void tui_close(void)
{
    endwin();
}

void tui_size(int *rows, int *cols)
{
    getmaxyx(stdscr, *rows, *cols);
}

/* Without colours what is good or bad is told by its words; the rest by what
 * every terminal can do. */
static attr_t attribute(int paint)
{
    switch ((enum paint)paint) {
    case PAINT_BOLD:
        return A_BOLD;
    case PAINT_DIM:
        return A_DIM;
    case PAINT_BAR:
        return A_REVERSE;
    case PAINT_GOOD:
    case PAINT_BAD:
    case PAINT_BUSY:
        /* COLORS is 0 until start_color */
        return COLORS > 0 ? (attr_t)COLOR_PAIR(paint + 1) : A_NORMAL;
    default:
        return A_NORMAL;
    }
}

void tui_show(const struct grid *g)
{
    erase();
    for (int row = 0; row < g->rows; row++) {
        const struct cell *c = &g->cell[(size_t)row * (size_t)g->cols];

        move(row, 0);
        for (int i = 0; i < g->cols; i++) {
            attrset((int)attribute(c[i].paint));
            addstr(c[i].text);
        }
    }
    refresh();
}

int tui_key(int ms)
{
    int key;

    timeout(ms);
    key = getch();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].curses == key)
            return keys[i].key;
    return key > 0 && key < 256 ? key : TUI_NONE;
}
