#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <stddef.h>

#define FILES_PATH_MAX 256 /* of every path that a test makes */

/* The content, with a NUL at its end, which the caller frees; NULL if it cannot
 * be read. */
char *files_read(const char *path);

/* Creates or empties the file, for its owner only. */
bool files_write(const char *path, const char *text);

/* The same for a script that its owner may run. */
bool files_write_program(const char *path, const char *text);

/* Makes a file with this content, for its owner only, under $TMPDIR or /tmp. */
bool files_make(char ret_path[FILES_PATH_MAX], const void *content,
                size_t length);

/* Makes a private folder under $TMPDIR or /tmp. */
bool files_folder_make(char ret_path[FILES_PATH_MAX]);

/* Removes a folder with all it holds. */
void files_folder_remove(const char *path);

/* Like snprintf into a path; a path that is too long ends the program. */
void files_path(char ret_path[FILES_PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The descriptor that the next opened file would get: it stays the same if a
 * test leaves none open. */
int files_lowest_free(void);

#endif
