#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * The largest file of settings, or of a secret. Nobody needs more, and a log or
 * a disk that is named by mistake is not read.
 */
#define CONFIG_TEXT_MAX_BYTES (64 * 1024)

/* The largest JSON file. Source: docs/protocol.md, S11.1 and S15.2. */
#define CONFIG_JSON_MAX_BYTES (1024 * 1024)

enum config_text_kind {
    CONFIG_TEXT_REGULAR = 0, /* a regular file, or a symbolic link to one */
    CONFIG_TEXT_ANY,         /* also a pipe, such as a shell's <(...) */
    CONFIG_TEXT_JSON         /* a regular file; keeps a byte order mark */
};

/*
 * Reads a whole text file of at most CONFIG_TEXT_MAX_BYTES, or for
 * CONFIG_TEXT_JSON of at most CONFIG_JSON_MAX_BYTES. Removes a byte order mark,
 * except from JSON. Waits at most two seconds for the writer of a pipe.
 *
 * ret_text  the content and a NUL, for config_text_free(). Set on success only.
 *
 * Returns NULL, or a text that describes the error, lent until the next call:
 * the file cannot be opened or read, has the wrong kind, is too large or slow,
 * or contains a NUL byte.
 */
const char *config_text_read(const char *path, enum config_text_kind kind,
                             char **ret_text);

/* Adds the problem of a text as an error in the settings; returns false. */
bool config_text_error(struct buf *errors, const char *name, const char *path,
                       const char *problem);

/* Wipes and frees a text. Accepts NULL. */
void config_text_free(char *bytes);

#endif
