#ifndef LINE_READER_H
#define LINE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Reads a file or pipe line by line, in constant memory. */
struct line_reader;

/* The reader does not need a line again: whoever has it may alter its bytes. */
struct line {
    char *at;
    size_t length;
};

static inline struct bytes
line_bytes(struct line line)
{
    return (struct bytes){line.at, line.length};
}

enum line_reader_result {
    LINE_READER_LINE = 0,
    LINE_READER_LONG, /* the line exceeds line_max, and was skipped */
    LINE_READER_END,
    LINE_READER_FAILED, /* errno is set; EINTR after a signal */
    LINE_READER__MAX
};

/*
 * fd        borrowed; read from its current offset.
 * line_max  the most bytes that a line may have, without its line feed.
 *
 * Returns NULL when out of memory. Free it with line_reader_free().
 */
struct line_reader *line_reader_new(int fd, size_t line_max);

/*
 * Returns the next line. The last line need not end with a line feed.
 *
 * ret_line  set for LINE_READER_LINE only: the line without its line feed; lent
 *           until the next call.
 */
enum line_reader_result line_reader_next(struct line_reader *reader,
                                         struct line *ret_line);

/*
 * Removes a carriage return from the end of a line, and a byte order mark from
 * the beginning of the first line. Together they have LINE_READER_AROUND bytes.
 */
#define LINE_READER_AROUND 4
struct line line_reader_strip(struct line line, bool is_first);

/* The number of the line that was returned or skipped last, from 1. */
int64_t line_reader_number(const struct line_reader *reader);

/* The bytes of all lines so far, with their line feeds. */
int64_t line_reader_offset(const struct line_reader *reader);

/* Accepts NULL. */
void line_reader_free(struct line_reader *reader);

#endif
