/*
 * Parses files of NAME=value lines. Implements S24.2 of docs/protocol.md.
 * Source of the rules: the package dotenv of compose-go, by which docker
 * compose reads such files.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "config/error.h"
#include "config/file.h"
#include "config/text.h"

#define DIGITS  "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define EXPORT  "export"
#define ASCII   0x80 /* the first byte value that is not ASCII */

enum line_error {
    LINE_OK = 0,
    LINE_EMPTY, /* no error: empty, or a comment */
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

/* Faults of values that docker compose would read differently. */
static const char fault_variable[] =
    "put a value with '$' into 'single quotes', or write \\$ in double quotes";
static const char fault_octal[] = "\\0 is no escape: write the byte itself";
static const char fault_blank[] =
    "put a value that begins or ends with a blank into quotes";
static const char fault_utf8[] = "must be UTF-8";

static const struct {
    char letter, byte;
} escapes[] = {
    {'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'a', '\a'},  {'b', '\b'},
    {'f', '\f'}, {'v', '\v'}, {'"', '"'},  {'\\', '\\'}, {'$', '$'},
};

/*
 * Unicode's White_Space beyond ASCII: compose trims it, and this file does not.
 */
static const char *const odd_blanks[] = {
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80",
    "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
    "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
    "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
    "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Includes the carriage return, so that lines may end with CRLF. */
static bool
is_blank(char byte)
{
    return byte != '\0' && strchr(" \t\r\v\f", byte) != NULL;
}

static char *
blanks_skip(char *text)
{
    while (is_blank(*text))
        text++;
    return text;
}

/* Removes the blanks at both ends, in place. */
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

static bool
has_odd_blank(const char *value)
{
    const size_t length = strlen(value);

    for (size_t i = 0; i < COUNT(odd_blanks); i++) {
        const size_t size = strlen(odd_blanks[i]);

        if (length >= size &&
            (memcmp(value, odd_blanks[i], size) == 0 ||
             memcmp(value + length - size, odd_blanks[i], size) == 0))
            return true;
    }
    return false;
}

/* Whether compose would expand a variable, or "$$", at this '$'. */
static bool
begins_variable(const char *dollar)
{
    const char next = dollar[1];

    return next != '\0' && ((unsigned char)next >= ASCII ||
                            strchr(LETTERS "_{$", next) != NULL ||
                            (next == '\\' && dollar[2] == '$'));
}

/* The byte that an escape stands for; NUL if there is no escape here. */
static char
escape_byte(const char *at)
{
    for (size_t i = 0; i < COUNT(escapes) && at[0] == '\\'; i++) {
        if (escapes[i].letter == at[1])
            return escapes[i].byte;
    }
    return '\0';
}

/*
 * These two functions decode a quoted text in place, and return the end of the
 * result. They set *ret_close to the closing quote, or to the NUL that ends the
 * line if there is none.
 */
static char *
double_quoted_decode(char *from, const char **fault, char **ret_close)
{
    char *to = from;

    while (*from != '"' && *from != '\0') {
        const char byte = escape_byte(from);

        if (*from == '\\' && from[1] == '0')
            *fault = fault_octal;
        if (*from == '$' && begins_variable(from))
            *fault = fault_variable;
        if (byte != '\0') {
            *to++ = byte;
            from += 2;
        } else {
            *to++ = *from++;
        }
    }
    *ret_close = from;
    return to;
}

static char *
single_quoted_decode(char *from, char **ret_close)
{
    char *to = from;

    while (*from != '\'' && *from != '\0') {
        if (from[0] == '\\' && from[1] == '\\')
            *to++ = *from++; /* so the second one is not an escape */
        else if (from[0] == '\\' && from[1] == '\'')
            from++;
        *to++ = *from++;
    }
    *ret_close = from;
    return to;
}

/* start points to the opening quote. */
static enum line_error
quoted_cut(char *start, struct config_line *line)
{
    char *close, *end;
    const char *after;

    end = *start == '"' ? double_quoted_decode(start + 1, &line->fault, &close)
                        : single_quoted_decode(start + 1, &close);
    if (*close == '\0')
        return LINE_UNCLOSED;
    after = blanks_skip(close + 1);
    if (*after != '\0' && (*after != '#' || after == close + 1))
        return LINE_AFTER_QUOTE;
    *end = '\0';
    line->value = start + 1;
    return LINE_OK;
}

/*
 * A '#' begins a comment only after a blank, so that values may contain it. For
 * compose that blank must be a space, with a value before it.
 */
static void
plain_cut(char *text, struct config_line *line)
{
    char *start = blanks_skip(text);

    for (char *at = text; *at != '\0'; at++) {
        if (is_blank(at[0]) && at[1] == '#') {
            line->is_hidden = at[0] != ' ' || at < start;
            *at = '\0';
            break;
        }
    }
    line->value = blanks_trim(text);
    for (const char *at = line->value; *at != '\0'; at++) {
        if (*at == '$' && begins_variable(at))
            line->fault = fault_variable;
    }
    if (has_odd_blank(line->value))
        line->fault = fault_blank;
}

/* Skips "export" before a name, which a shell may need. */
static char *
export_skip(char *start)
{
    const size_t length = strlen(EXPORT);

    if (strncmp(start, EXPORT, length) == 0 && is_blank(start[length]))
        return blanks_skip(start + length);
    return start;
}

static enum line_error
line_cut(char *text, struct config_line *ret_line)
{
    struct config_line line = {0};
    enum line_error error = LINE_OK;
    char *start = blanks_skip(text);
    char *equals;

    if (*start == '\0' || *start == '#')
        return LINE_EMPTY;
    start = export_skip(start);
    equals = strchr(start, '=');
    if (equals == NULL)
        return LINE_EQUALS;
    *equals = '\0';
    line.name = blanks_trim(start);
    if (!name_is_good(line.name))
        return LINE_NAME;

    start = blanks_skip(equals + 1);
    if (*start == '\'' || *start == '"')
        error = quoted_cut(start, &line);
    else
        plain_cut(equals + 1, &line);
    if (error != LINE_OK)
        return error;
    if (!json_is_utf8(bytes_of(line.value)))
        line.fault = fault_utf8;
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
    const char *problem =
        config_text_read(path, CONFIG_TEXT_REGULAR, &file->text);
    bool is_good = true;
    char *rest;

    if (problem != NULL)
        return config_text_error(errors, name, path, problem);
    rest = file->text;
    file->lines = calloc(lines_count(rest), sizeof(*file->lines));
    if (file->lines == NULL)
        return config_out_of_memory(errors, name, path);

    for (size_t number = 1; rest != NULL; number++) {
        char *text = strsep(&rest, "\n");
        enum line_error error = line_cut(text, &file->lines[file->count]);

        if (error == LINE_OK)
            file->lines[file->count++].number = number;
        else if (error != LINE_EMPTY)
            is_good = config_error(errors, name, path, "line %zu: %s", number,
                                   line_error_texts[error]);
    }
    return is_good;
}

const struct config_line *
config_file_get(const struct config_file *file, const char *name)
{
    for (size_t i = file->count; i > 0; i--) {
        if (strcmp(file->lines[i - 1].name, name) == 0)
            return &file->lines[i - 1];
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
