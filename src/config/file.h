#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * A file of NAME=value lines, by the rules of docker compose. It is parsed,
 * never run, and no variable in it is expanded:
 *
 *     # a comment
 *     NAME=value            # a comment begins with a blank and '#'
 *     NAME = 'a value'      # no escapes, except \' for a quote
 *     export NAME="a\nb"    # escapes: \n \r \t \a \b \f \v \\ \" \$
 *
 * A value that compose would read differently is a fault of its line. The
 * caller reports it only when it uses the line, because a file may also contain
 * names for compose alone. Source: docs/protocol.md, S24.2.
 */
struct config_line {
    const char *name, *value; /* point into config_file.text */
    const char *fault;        /* describes the fault of the value; NULL: none */
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
 * name      the setting that named the file, for the errors.
 * errors    receives a line for each error, with the line's number, but without
 *           its content, which may be secret.
 *
 * Returns false after any error; file then has the valid lines. Call
 * config_file_free() in any case.
 */
bool config_file_read(struct config_file *file, const char *name,
                      const char *path, struct buf *errors);

/* The last line with this name; NULL if there is none. */
const struct config_line *config_file_get(const struct config_file *file,
                                          const char *name);

/* Wipes the text first. Leaves a zeroed struct. */
void config_file_free(struct config_file *file);

#endif
