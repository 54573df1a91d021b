/*
 * Files and private folders of the integration tests.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

#define FILES_READ_STEP (64 * 1024)
#define FILES_OPEN_MAX  16 /* descriptors that nftw() may use */

static char *
read_all(FILE *file)
{
    char *text = NULL;
    size_t length = 0, got;

    do {
        char *more = realloc(text, length + FILES_READ_STEP + 1);

        if (more == NULL) {
            free(text);
            return NULL;
        }
        text = more;
        got = fread(text + length, 1, FILES_READ_STEP, file);
        length += got;
    } while (got > 0);
    text[length] = '\0';
    return text;
}

char *
files_read(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text;

    if (file == NULL)
        return NULL;
    text = read_all(file);
    (void)fclose(file);
    return text;
}

bool
files_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t length = strlen(text);
    bool is_written;

    if (fd < 0)
        return false;
    is_written = write(fd, text, length) == (ssize_t)length;
    return close(fd) == 0 && is_written;
}

bool
files_write_program(const char *path, const char *text)
{
    return files_write(path, text) && chmod(path, 0700) == 0;
}

/* A path for mkstemp() or mkdtemp(). */
static void
make_template(char ret_path[FILES_PATH_MAX])
{
    const char *parent = getenv("TMPDIR");

    if (parent == NULL || parent[0] == '\0')
        parent = "/tmp";
    files_path(ret_path, "%s/scoring-test-XXXXXX", parent);
}

bool
files_make(char ret_path[FILES_PATH_MAX], const void *content, size_t length)
{
    bool is_written;
    int fd;

    make_template(ret_path);
    fd = mkstemp(ret_path);
    if (fd < 0)
        return false;
    is_written = write(fd, content, length) == (ssize_t)length;
    return close(fd) == 0 && is_written;
}

bool
files_folder_make(char ret_path[FILES_PATH_MAX])
{
    make_template(ret_path);
    return mkdtemp(ret_path) != NULL;
}

static int
remove_one(const char *path, const struct stat *status, int kind,
           struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    (void)remove(path);
    return 0;
}

void
files_folder_remove(const char *path)
{
    (void)nftw(path, remove_one, FILES_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
}

void
files_path(char ret_path[FILES_PATH_MAX], const char *format, ...)
{
    va_list list;
    int length;

    va_start(list, format);
    length = vsnprintf(ret_path, FILES_PATH_MAX, format, list);
    va_end(list);
    if (length < 0 || length >= FILES_PATH_MAX) {
        (void)fprintf(stderr, "files: a path is too long: %s\n", ret_path);
        exit(EXIT_FAILURE);
    }
}

int
files_lowest_free(void)
{
    int fd = dup(STDERR_FILENO);

    (void)close(fd);
    return fd;
}
