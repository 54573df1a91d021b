#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

/* Of a file of settings or a secret: ample, and no log or disk by mistake. */
#define CONFIG_TEXT_MAX_BYTES (64 * 1024)

/* Of a JSON file that a setting names. */
#define CONFIG_JSON_MAX_BYTES (1024 * 1024)

enum config_text_kind {
    CONFIG_TEXT_REGULAR = 0, /* a regular file, or a link to one */
    CONFIG_TEXT_ANY,         /* also a pipe: what a shell's <(...) makes */
    CONFIG_TEXT_JSON         /* a regular file; may be larger, has no mark */
};

/*
 * Reads a whole text file of at most CONFIG_TEXT_MAX_BYTES, without the byte
 * order mark that it may begin with; or of at most CONFIG_JSON_MAX_BYTES, as it
 * is. Never waits, and opens nothing that is of another kind.
 *
 * ret_text  the content and a NUL, for config_text_free(). Set on success
 *           only.
 *
 * Returns NULL, or what is wrong in words, which are lent until the next call:
 * it cannot be opened or read, is too large, or holds a NUL byte.
 */
const char *config_text_read(const char *path, enum config_text_kind kind,
                             char **ret_text);

/* Wipes the text before it is freed. Accepts NULL. */
void config_text_free(char *bytes);

#endif
