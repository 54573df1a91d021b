#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * A file of NAME=value lines, as docker compose takes them; it is read, never
 * run, and nothing in it is expanded:
 *
 *     # a comment, as are empty lines
 *     NAME=value            # a blank and '#': a comment
 *     NAME = 'a value'      # as it is; \' stands for a quote
 *     export NAME="a\nb"    # escapes: \n \r \t \a \b \f \v \\ \" \$
 *
 * What compose would take in another way is a fault of that line, and matters
 * only if somebody asks for its value: a file may hold names for compose alone.
 */
struct config_line {
    const char *name, *value; /* lent by the file's text */
    const char *fault;        /* of the value, in words; NULL: none */
    size_t number;            /* from 1 */
    bool is_hidden; /* compose takes the comment for a part of the value */
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

/* The last line with this name; NULL if there is none. */
const struct config_line *config_file_get(const struct config_file *file,
                                          const char *name);

/* Wipes the text first. Leaves a zeroed struct. */
void config_file_free(struct config_file *file);

#endif
