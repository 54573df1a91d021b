/*
 * Lines of a file or pipe in constant memory. Used for S19 of
 * docs/protocol.md.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/line_reader.h"

#define READ_STEP (64 * 1024)

struct line_reader {
    int fd;
    size_t line_max, size;  /* size of data: line_max and READ_STEP */
    size_t at, end;         /* the bytes of data that are not yet consumed */
    int64_t number, offset; /* see line_reader_number(), _offset() */
    bool is_at_end;         /* of the file */
    char data[];
};

struct line_reader *
line_reader_new(int fd, size_t line_max)
{
    const size_t size = line_max + READ_STEP;
    struct line_reader *reader = malloc(sizeof(*reader) + size);

    if (reader != NULL)
        *reader =
            (struct line_reader){.fd = fd, .line_max = line_max, .size = size};
    return reader;
}

/*
 * Reads on. There is always room, because the caller consumes an unfinished
 * line that exceeds line_max. Returns false with errno set.
 */
static bool
read_step(struct line_reader *reader)
{
    ssize_t got;

    if (reader->at > 0) {
        memmove(reader->data, reader->data + reader->at,
                reader->end - reader->at);
        reader->end -= reader->at;
        reader->at = 0;
    }
    got = read(reader->fd, reader->data + reader->end,
               reader->size - reader->end);
    if (got < 0)
        return false;
    reader->end += (size_t)got;
    reader->is_at_end = got == 0;
    return true;
}

static void
consume(struct line_reader *reader, size_t length)
{
    reader->at += length;
    reader->offset += (int64_t)length;
}

/*
 * Finds the end of the next line, and sets its length. A line over line_max is
 * consumed while it is read; the length is then that of its unconsumed rest.
 */
static bool
find_end(struct line_reader *reader, bool *ret_is_long, size_t *ret_length)
{
    bool is_long = false;
    size_t seen = 0;

    for (;;) {
        const char *from = reader->data + reader->at;
        size_t left = reader->end - reader->at;
        const char *feed = memchr(from + seen, '\n', left - seen);

        seen = feed != NULL ? (size_t)(feed - from) : left;
        is_long = is_long || seen > reader->line_max;
        if (feed != NULL || reader->is_at_end)
            break;
        if (is_long) {
            consume(reader, seen);
            seen = 0;
        }
        if (!read_step(reader))
            return false;
    }
    *ret_is_long = is_long;
    *ret_length = seen;
    return true;
}

enum line_reader_result
line_reader_next(struct line_reader *reader, struct line *ret_line)
{
    const int64_t before = reader->offset;
    bool is_long;
    size_t length;

    if (!find_end(reader, &is_long, &length))
        return LINE_READER_FAILED;
    if (reader->at == reader->end && reader->offset == before)
        return LINE_READER_END;
    reader->number++;
    if (!is_long)
        *ret_line = (struct line){reader->data + reader->at, length};
    consume(reader, length + (reader->at + length < reader->end));
    return is_long ? LINE_READER_LONG : LINE_READER_LINE;
}

struct line
line_reader_strip(struct line line, bool is_first)
{
    static const char mark[] = "\xef\xbb\xbf";
    const size_t length = sizeof(mark) - 1;

    if (is_first && line.length >= length && memcmp(line.at, mark, length) == 0)
        line = (struct line){line.at + length, line.length - length};
    if (line.length > 0 && line.at[line.length - 1] == '\r')
        line.length--;
    return line;
}

int64_t
line_reader_number(const struct line_reader *reader)
{
    return reader->number;
}

int64_t
line_reader_offset(const struct line_reader *reader)
{
    return reader->offset;
}

void
line_reader_free(struct line_reader *reader)
{
    free(reader);
}
