#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Of a file of settings or a secret: ample, and no log or disk by mistake. */
#define CONFIG_FILE_MAX_BYTES (64 * 1024)

/*
 * A file of KEY=value lines, as docker compose takes them in common use; it is
 * read, never run, and nothing in it is expanded:
 *
 *     # a comment, as are empty lines
 *     NAME=value            # blanks, then '#': a comment
 *     NAME = 'a value'      # or in "double quotes"; all between them counts
 */
struct config_line {
    const char *name, *value; /* lent by the file's text */
};

/* Start with a zeroed struct: a file without lines. */
struct config_file {
    char *text;
    struct config_line *lines; /* in the file's order */
    size_t count;
};

/*
 * Reads a file of settings into a zeroed struct.
 *
 * name      of the setting that named the file, for the errors.
 * errors    receives a line per mistake, with the line's number and without
 *           its content, which may be secret.
 *
 * Returns false after any mistake; the lines that are good are there then, and
 * config_file_free() is due in any case.
 */
bool config_file_read(struct config_file *file, const char *name,
                      const char *path, struct buf *errors);

/* The value of the last line with this name; NULL if there is none. */
const char *config_file_get(const struct config_file *file, const char *name);

/* Wipes the text first. Leaves a zeroed struct. */
void config_file_free(struct config_file *file);

/*
 * Reads a whole text file of at most CONFIG_FILE_MAX_BYTES.
 *
 * ret_text  the content and a NUL, for config_text_free(). Set on success
 *           only.
 *
 * Returns NULL, or what is wrong in words, which are lent until the next call:
 * it cannot be opened or read, is too large, or holds a NUL byte.
 */
const char *config_text_read(const char *path, char **ret_text);

/* Wipes the text before it is freed. Accepts NULL. */
void config_text_free(char *text);

#endif
