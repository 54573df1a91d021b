/*
 * Draws a line of progress on a terminal. Implements S19.8 of docs/protocol.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/progress.h"

#define BAR_MIN         10
#define BAR_MAX         40
#define BAR_ROOM        3  /* its brackets and a space */
#define FIGURES_ROOM    42 /* columns up to 10 million lines: a steady bar */
#define COLUMNS_DEFAULT 80

#define DRAW_MS 100 /* the shortest interval between two lines */
#define RATE_MS 500 /* a rate over less time would be inexact */
#define ERASE   "\r\033[K"

#define PERCENT 100

/* The total may be an estimate, which done may exceed. */
static int64_t
done_of(const struct progress_state *state)
{
    return state->done < state->total ? state->done : state->total;
}

static void
add_time(struct buf *out, int64_t seconds)
{
    if (seconds >= S_PER_HOUR)
        buf_printf(out, "%lld:%02lld:%02lld", (long long)(seconds / S_PER_HOUR),
                   (long long)(seconds % S_PER_HOUR / S_PER_MINUTE),
                   (long long)(seconds % S_PER_MINUTE));
    else
        buf_printf(out, "%lld:%02lld", (long long)(seconds / S_PER_MINUTE),
                   (long long)(seconds % S_PER_MINUTE));
}

/* Adds the text after the bar. */
static void
add_figures(const struct progress_state *state, struct buf *out)
{
    const int64_t done = done_of(state);

    if (state->total > 0)
        buf_printf(out, "%3d%%  ",
                   (int)((double)done / (double)state->total * PERCENT));
    buf_printf(out, "%lld %s", (long long)state->count, state->unit);
    if (state->elapsed_ms < RATE_MS)
        return;
    buf_printf(out, "  %.0f/s",
               (double)state->count * MS_PER_S / (double)state->elapsed_ms);
    if (state->total == 0 || done == 0)
        return;
    buf_add_text(out, "  ");
    /* Rounded up, so that it is 0 only at the end. */
    add_time(out, (int64_t)((double)state->elapsed_ms / (double)done *
                                (double)(state->total - done) / MS_PER_S +
                            0.999));
    buf_add_text(out, " left");
}

static void
add_bar(const struct progress_state *state, int width, struct buf *out)
{
    const int full =
        (int)((double)done_of(state) / (double)state->total * width);

    buf_add_text(out, "[");
    for (int i = 0; i < width; i++)
        buf_add_text(out, i < full ? "#" : ".");
    buf_add_text(out, "] ");
}

void
progress_format(const struct progress_state *state, int columns,
                struct buf *out)
{
    const size_t before = out->length;
    struct buf figures = {0};
    int width;

    add_figures(state, &figures);
    buf_add_text(out, state->label);
    buf_add_text(out, "  ");
    width = columns - BAR_ROOM - (int)(out->length - before);
    width -= figures.length > FIGURES_ROOM ? (int)figures.length : FIGURES_ROOM;
    if (width > BAR_MAX)
        width = BAR_MAX;
    if (state->total > 0 && width >= BAR_MIN)
        add_bar(state, width, out);
    buf_add_bytes(out, buf_bytes(&figures));
    if (out->length - before > (size_t)columns)
        out->length = before + (size_t)columns;
    buf_free(&figures);
}

bool
progress_is_possible(void)
{
    const char *terminal = getenv("TERM");

    return isatty(STDERR_FILENO) && terminal != NULL &&
           strcmp(terminal, "") != 0 && strcmp(terminal, "dumb") != 0;
}

void
progress_start(struct progress *progress, const char *label, const char *unit,
               int64_t total)
{
    if (!progress->is_shown)
        return;
    progress->began_ms = progress->drawn_ms = clock_mono_ms();
    progress->state =
        (struct progress_state){.label = label, .unit = unit, .total = total};
}

/*
 * The columns of the terminal but one: some wrap the line after the last one.
 */
static int
columns_now(void)
{
    struct winsize size = {0};

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_DEFAULT - 1;
    return size.ws_col - 1;
}

static void
draw(struct progress *progress)
{
    struct buf line = {0};

    buf_add_text(&line, ERASE);
    progress_format(&progress->state, columns_now(), &line);
    if (!line.failed)
        (void)fwrite(line.data, 1, line.length, stderr);
    (void)fflush(stderr);
    buf_free(&line);
    progress->is_drawn = true;
}

void
progress_set(struct progress *progress, int64_t done, int64_t count)
{
    int64_t now_ms;

    if (!progress->is_shown)
        return;
    now_ms = clock_mono_ms();
    if (now_ms - progress->drawn_ms < DRAW_MS)
        return;
    progress->drawn_ms = now_ms;
    progress->state.done = done;
    progress->state.count = count;
    progress->state.elapsed_ms = now_ms - progress->began_ms;
    draw(progress);
}

void
progress_erase(struct progress *progress)
{
    if (!progress->is_drawn)
        return;
    (void)fwrite(ERASE, 1, sizeof(ERASE) - 1, stderr);
    (void)fflush(stderr);
    progress->is_drawn = false;
}
