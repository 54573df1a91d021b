#ifndef LINE_READER_H
#define LINE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * Lines of a file or pipe, of any number and length, in constant memory.
 */
struct line_reader;

enum line_reader_result {
    LINE_READER_LINE = 0,
    LINE_READER_LONG, /* a line of more bytes than allowed; passed over */
    LINE_READER_END,
    LINE_READER_FAILED, /* errno says why; EINTR: by a signal */
    LINE_READER__MAX
};

/*
 * fd        borrowed; read from where it stands.
 * line_max  bytes of a line, without its line feed.
 *
 * NULL without memory.
 */
struct line_reader *line_reader_new(int fd, size_t line_max);

/*
 * Takes the next line; the last one need not end with a line feed.
 *
 * ret_line  with LINE_READER_LINE only: without its line feed; lent until the
 *           next call.
 */
enum line_reader_result line_reader_next(struct line_reader *reader,
                                         struct bytes *ret_line);

/*
 * The line itself: without a carriage return at its end and, where it is the
 * first one, without a byte order mark. LINE_READER_AROUND: of both, in bytes.
 */
#define LINE_READER_AROUND 4
struct bytes line_reader_strip(struct bytes line, bool is_first);

/* The number of the line that was taken last, from 1. */
int64_t line_reader_number(const struct line_reader *reader);

/* Bytes that all lines taken so far have, with their line feeds. */
int64_t line_reader_offset(const struct line_reader *reader);

/* Accepts NULL. */
void line_reader_free(struct line_reader *reader);

#endif
