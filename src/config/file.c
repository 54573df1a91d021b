/*
 * Files of KEY=value lines, and small text files such as those of secrets.
 * Implements "Settings" of docs/protocol.md where it speaks of files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/error.h"
#include "config/file.h"

#define TEXT_SIZE (CONFIG_FILE_MAX_BYTES + 1) /* and a NUL; or one too many */

#define DIGITS  "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

enum line_error {
    LINE_OK = 0,
    LINE_EMPTY, /* or a comment: no error */
    LINE_EQUALS,
    LINE_NAME,
    LINE_UNCLOSED,
    LINE_AFTER_QUOTE,
    LINE__MAX
};

static const char *const line_error_texts[LINE__MAX] = {
    [LINE_OK] = "good",
    [LINE_EMPTY] = "empty",
    [LINE_EQUALS] = "must be NAME=value",
    [LINE_NAME] = "the name must be letters, digits and '_'",
    [LINE_UNCLOSED] = "the quote is not closed in this line",
    [LINE_AFTER_QUOTE] = "there must be nothing after the closing quote",
};

/* Reads up to TEXT_SIZE bytes; -1 with errno set when that fails. */
static ssize_t
descriptor_read(int fd, char *text)
{
    size_t length = 0;

    while (length < TEXT_SIZE) {
        ssize_t got = read(fd, text + length, TEXT_SIZE - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* O_NONBLOCK: a named pipe must not hold up the start. */
static const char *
text_fill(const char *path, char *text)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t length;

    if (fd < 0)
        return strerror(errno);
    length = descriptor_read(fd, text);
    if (length < 0) {
        const char *problem = strerror(errno);

        (void)close(fd);
        return problem;
    }
    (void)close(fd);
    if (length == TEXT_SIZE)
        return "is larger than 64 KiB";
    if (memchr(text, '\0', (size_t)length) != NULL)
        return "holds a NUL byte";
    text[length] = '\0';
    return NULL;
}

const char *
config_text_read(const char *path, char **ret_text)
{
    char *text = malloc(TEXT_SIZE);
    const char *problem;

    if (text == NULL)
        return strerror(ENOMEM);
    problem = text_fill(path, text);
    if (problem != NULL) {
        explicit_bzero(text, TEXT_SIZE);
        free(text);
        return problem;
    }
    *ret_text = text;
    return NULL;
}

void
config_text_free(char *text)
{
    if (text == NULL)
        return;
    explicit_bzero(text, TEXT_SIZE);
    free(text);
}

/* A carriage return counts as one, so that CRLF does no harm. */
static bool
is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static char *
blanks_skip(char *text)
{
    while (is_blank(*text))
        text++;
    return text;
}

/* Without the blanks at both ends; cut in place. */
static char *
blanks_trim(char *text)
{
    char *start = blanks_skip(text);
    size_t length = strlen(start);

    while (length > 0 && is_blank(start[length - 1]))
        length--;
    start[length] = '\0';
    return start;
}

static bool
name_is_good(const char *name)
{
    return *name != '\0' && strchr(DIGITS, *name) == NULL &&
           name[strspn(name, LETTERS DIGITS "_")] == '\0';
}

/* start is at the opening quote. */
static enum line_error
quoted_cut(char *start, const char **ret_value)
{
    char *close = strchr(start + 1, *start);
    const char *after;

    if (close == NULL)
        return LINE_UNCLOSED;
    after = blanks_skip(close + 1);
    if (*after != '\0' && (*after != '#' || after == close + 1))
        return LINE_AFTER_QUOTE;
    *close = '\0';
    *ret_value = start + 1;
    return LINE_OK;
}

/* A '#' begins a comment only after a blank, so that values may hold it. */
static const char *
plain_cut(char *text)
{
    for (char *at = text; *at != '\0'; at++) {
        if (is_blank(at[0]) && at[1] == '#') {
            *at = '\0';
            break;
        }
    }
    return blanks_trim(text);
}

static enum line_error
line_cut(char *text, struct config_line *ret_line)
{
    struct config_line line;
    char *start = blanks_skip(text);
    char *equals;

    if (*start == '\0' || *start == '#')
        return LINE_EMPTY;
    equals = strchr(start, '=');
    if (equals == NULL)
        return LINE_EQUALS;
    *equals = '\0';
    line.name = blanks_trim(start);
    if (!name_is_good(line.name))
        return LINE_NAME;

    start = blanks_skip(equals + 1);
    if (*start == '\'' || *start == '"') {
        enum line_error error = quoted_cut(start, &line.value);

        if (error != LINE_OK)
            return error;
    } else {
        line.value = plain_cut(equals + 1);
    }
    *ret_line = line;
    return LINE_OK;
}

static size_t
lines_count(const char *text)
{
    size_t count = 1;

    while ((text = strchr(text, '\n')) != NULL) {
        text++;
        count++;
    }
    return count;
}

bool
config_file_read(struct config_file *file, const char *name, const char *path,
                 struct buf *errors)
{
    const char *problem = config_text_read(path, &file->text);
    bool is_good = true;
    char *rest;

    if (problem != NULL)
        return config_error(errors, name, path, "%s", problem);
    rest = file->text;
    file->lines = calloc(lines_count(rest), sizeof(*file->lines));
    if (file->lines == NULL)
        return config_error(errors, name, path, "%s", strerror(ENOMEM));

    for (size_t number = 1; rest != NULL; number++) {
        char *text = strsep(&rest, "\n");
        enum line_error error = line_cut(text, &file->lines[file->count]);

        if (error == LINE_OK)
            file->count++;
        else if (error != LINE_EMPTY)
            is_good = config_error(errors, name, path, "line %zu: %s", number,
                                   line_error_texts[error]);
    }
    return is_good;
}

const char *
config_file_get(const struct config_file *file, const char *name)
{
    for (size_t i = file->count; i > 0; i--) {
        if (strcmp(file->lines[i - 1].name, name) == 0)
            return file->lines[i - 1].value;
    }
    return NULL;
}

void
config_file_free(struct config_file *file)
{
    config_text_free(file->text);
    free(file->lines);
    *file = (struct config_file){0};
}
