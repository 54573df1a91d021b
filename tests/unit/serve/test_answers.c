/*
 * The answers that nginx makes by itself, counted from a file. Source:
 * docs/protocol.md, S23.4.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/answers.h"
#include "support/cases.h"
#include "support/files.h"

#define TURN_BYTES 1048576 /* of a file, that are read at once */

/* A socket in a folder of its own, what stands beside it, and the counts. */
struct place {
    char folder[FILES_PATH_MAX], file[FILES_PATH_MAX], told[FILES_PATH_MAX];
    int socket;
    struct answers answers;
    struct metrics *metrics;
    struct log *log;
};

static void
open_place(struct place *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    CU_ASSERT_TRUE_FATAL(files_folder_make(place->folder));
    files_path(place->file, "%s/s.answers", place->folder);
    files_path(place->told, "%s/log", place->folder);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s/s",
                   place->folder);
    place->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(
        bind(place->socket, (struct sockaddr *)&address, sizeof(address)), 0);
    place->metrics = metrics_new();
    place->log = log_open(&(struct log_plan){.file = place->told});
    CU_ASSERT_PTR_NOT_NULL_FATAL(place->metrics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(place->log);
    answers_init(&place->answers, place->socket);
}

static void
close_place(struct place *place)
{
    (void)log_close(place->log);
    metrics_free(place->metrics);
    (void)close(place->socket);
    files_folder_remove(place->folder);
}

static void
count(struct place *place)
{
    const int lowest = files_lowest_free();

    answers_count(&place->answers, place->metrics, place->log);
    CU_ASSERT_EQUAL(files_lowest_free(), lowest);
}

/* Bytes of the file; -1: there is none. */
static long
size_of(const struct place *place)
{
    struct stat status;

    return stat(place->file, &status) == 0 ? (long)status.st_size : -1;
}

static void
append(const struct place *place, const char *text)
{
    FILE *file = fopen(place->file, "a");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fputs(text, file);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static uint64_t
all_of(const struct place *place)
{
    uint64_t all = 0;

    for (int i = METRIC_NGINX_308; i <= METRIC_NGINX_OTHER; i++)
        all += metrics_get(place->metrics, (enum metric)i);
    return all;
}

static size_t
times_told(const struct place *place)
{
    char *text, *at;
    size_t times = 0;

    log_flush(place->log);
    at = text = files_read(place->told);
    while (at != NULL &&
           (at = strstr(at, "answers are not counted: ")) != NULL) {
        times++;
        at++;
    }
    free(text);
    return times;
}

struct line_case {
    const char *name, *text;
    enum metric metric;
    uint64_t times; /* that it was counted */
    long left;      /* bytes in the file */
};

static const struct line_case line_rows[] = {
    {"nothing", "", METRIC_NGINX_429, 0, 0},
    {"one", "429\n", METRIC_NGINX_429, 1, 0},
    {"the first of the table", "308\n", METRIC_NGINX_308, 1, 0},
    {"the last of the table", "505\n", METRIC_NGINX_505, 1, 0},
    {"several", "413\n413\n413\n", METRIC_NGINX_413, 3, 0},
    {"between others", "502\n413\n504\n413\n", METRIC_NGINX_413, 2, 0},
    {"not in the table", "418\n", METRIC_NGINX_OTHER, 1, 0},
    {"of the service", "200\n", METRIC_NGINX_OTHER, 1, 0},
    {"before the table", "000\n", METRIC_NGINX_OTHER, 1, 0},
    {"behind the table", "999\n", METRIC_NGINX_OTHER, 1, 0},
    {"an empty line", "\n", METRIC_NGINX_OTHER, 1, 0},
    {"two digits", "42\n", METRIC_NGINX_OTHER, 1, 0},
    {"four digits", "4290\n", METRIC_NGINX_OTHER, 1, 0},
    {"a blank before it", " 429\n", METRIC_NGINX_OTHER, 1, 0},
    {"a carriage return", "429\r\n", METRIC_NGINX_OTHER, 1, 0},
    {"words", "all is well\n429\n", METRIC_NGINX_OTHER, 1, 0},
    {"a good line after words", "all is well\n429\n", METRIC_NGINX_429, 1, 0},
    {"a line that has not ended", "429", METRIC_NGINX_429, 0, 3},
    {"a line before it", "413\n42", METRIC_NGINX_413, 1, 6},
};

TEST_CASES(line, struct line_case, line_rows)
{
    struct place place;

    open_place(&place);
    CU_ASSERT_TRUE(files_write(place.file, c->text));
    count(&place);
    CU_ASSERT_EQUAL(metrics_get(place.metrics, c->metric), c->times);
    CU_ASSERT_EQUAL(size_of(&place), c->left);
    count(&place); /* nothing twice */
    CU_ASSERT_EQUAL(metrics_get(place.metrics, c->metric), c->times);
    CU_ASSERT_EQUAL(times_told(&place), 0);
    close_place(&place);
}

TEST_SINGLE(rest, "of a line is waited for")
{
    struct place place;

    open_place(&place);
    append(&place, "413\n42");
    count(&place);
    append(&place, "9\n50");
    count(&place);
    CU_ASSERT_EQUAL(metrics_get(place.metrics, METRIC_NGINX_413), 1);
    CU_ASSERT_EQUAL(metrics_get(place.metrics, METRIC_NGINX_429), 1);
    append(&place, "2\n");
    count(&place);
    CU_ASSERT_EQUAL(metrics_get(place.metrics, METRIC_NGINX_502), 1);
    CU_ASSERT_EQUAL(all_of(&place), 3);
    CU_ASSERT_EQUAL(size_of(&place), 0);
    close_place(&place);
}

/* The service begins when nginx has answered already. */
TEST_SINGLE(before, "the start is counted as well")
{
    struct place place;

    open_place(&place);
    append(&place, "502\n502\n");
    answers_init(&place.answers, place.socket);
    count(&place);
    CU_ASSERT_EQUAL(metrics_get(place.metrics, METRIC_NGINX_502), 2);
    CU_ASSERT_EQUAL(all_of(&place), 2);
    close_place(&place);
}

TEST_SINGLE(flood, "a turn counts 1 MiB, and the next one the rest")
{
    struct place place;
    FILE *file;

    open_place(&place);
    file = fopen(place.file, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (int i = 0; i < TURN_BYTES / 4 + 1; i++)
        (void)fputs("429\n", file);
    CU_ASSERT_EQUAL(fclose(file), 0);
    count(&place);
    CU_ASSERT_EQUAL(all_of(&place), TURN_BYTES / 4);
    CU_ASSERT_EQUAL(size_of(&place), TURN_BYTES + 4);
    count(&place);
    CU_ASSERT_EQUAL(all_of(&place), TURN_BYTES / 4 + 1);
    CU_ASSERT_EQUAL(size_of(&place), 0);
    CU_ASSERT_EQUAL(metrics_get(place.metrics, METRIC_NGINX_OTHER), 0);
    close_place(&place);
}

/* Zeros, more than a turn takes. */
TEST_SINGLE(garbage, "without a line end is passed over")
{
    struct place place;

    open_place(&place);
    CU_ASSERT_TRUE(files_write(place.file, ""));
    CU_ASSERT_EQUAL(truncate(place.file, 2 * TURN_BYTES), 0);
    append(&place, "\n429\n");
    for (int i = 0; i < 3; i++)
        count(&place);
    CU_ASSERT_EQUAL(metrics_get(place.metrics, METRIC_NGINX_OTHER), 1);
    CU_ASSERT_EQUAL(metrics_get(place.metrics, METRIC_NGINX_429), 1);
    CU_ASSERT_EQUAL(all_of(&place), 2);
    CU_ASSERT_EQUAL(size_of(&place), 0);
    close_place(&place);
}

TEST_SINGLE(made, "the file is made for owner and group, and again")
{
    const mode_t before = umask(077);
    struct place place;
    struct stat status;

    open_place(&place);
    count(&place);
    CU_ASSERT_EQUAL(stat(place.file, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode, S_IFREG | 0660);
    CU_ASSERT_EQUAL(unlink(place.file), 0);
    count(&place);
    append(&place, "400\n");
    count(&place);
    CU_ASSERT_EQUAL(metrics_get(place.metrics, METRIC_NGINX_400), 1);
    CU_ASSERT_EQUAL(times_told(&place), 0);
    close_place(&place);
    (void)umask(before);
}

/* What stands where the file should. */
enum thing { THING_FOLDER, THING_LINK, THING_FIFO };

struct thing_case {
    const char *name;
    enum thing thing;
};

static const struct thing_case thing_rows[] = {
    {"a folder", THING_FOLDER},
    {"a link to a file", THING_LINK},
    {"a pipe", THING_FIFO},
};

static void
put_thing(const struct place *place, enum thing thing)
{
    switch (thing) {
    case THING_FOLDER:
        CU_ASSERT_EQUAL(mkdir(place->file, 0700), 0);
        break;
    case THING_LINK:
        CU_ASSERT_EQUAL(symlink("log", place->file), 0);
        break;
    case THING_FIFO:
        CU_ASSERT_EQUAL(mkfifo(place->file, 0600), 0);
        break;
    }
}

TEST_CASES(thing, struct thing_case, thing_rows)
{
    struct place place;

    open_place(&place);
    for (size_t turn = 1; turn <= 2; turn++) {
        put_thing(&place, c->thing);
        count(&place);
        count(&place);
        CU_ASSERT_EQUAL(times_told(&place), turn);
        CU_ASSERT_EQUAL(remove(place.file), 0);
        append(&place, "429\n");
        count(&place);
        CU_ASSERT_EQUAL(metrics_get(place.metrics, METRIC_NGINX_429), turn);
        CU_ASSERT_EQUAL(remove(place.file), 0);
    }
    CU_ASSERT_EQUAL(times_told(&place), 2);
    close_place(&place);
}

/* What has no place in the file system. */
enum input { INPUT_FILE, INPUT_UNBOUND, INPUT_ABSTRACT, INPUT_TCP };

struct input_case {
    const char *name;
    enum input input;
};

static const struct input_case input_rows[] = {
    {"no socket", INPUT_FILE},
    {"a socket without a name", INPUT_UNBOUND},
    {"an abstract one", INPUT_ABSTRACT},
    {"one of TCP", INPUT_TCP},
};

static int
open_input(enum input input)
{
    static const struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    const struct sockaddr_in tcp = {.sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd;

    if (input == INPUT_FILE)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    fd = socket(input == INPUT_TCP ? AF_INET : AF_UNIX,
                SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (input == INPUT_TCP)
        CU_ASSERT_EQUAL(bind(fd, (const struct sockaddr *)&tcp, sizeof(tcp)),
                        0);
    if (input == INPUT_ABSTRACT) /* the system chooses a name */
        CU_ASSERT_EQUAL(bind(fd, (const struct sockaddr *)&abstract,
                             sizeof(abstract.sun_family)),
                        0);
    return fd;
}

TEST_CASES(input, struct input_case, input_rows)
{
    const int fd = open_input(c->input);
    struct place place;

    CU_ASSERT_FATAL(fd >= 0);
    open_place(&place);
    answers_init(&place.answers, fd);
    CU_ASSERT_STRING_EQUAL(place.answers.path, "");
    count(&place);
    CU_ASSERT_EQUAL(size_of(&place), -1);
    CU_ASSERT_EQUAL(times_told(&place), 0);
    (void)close(fd);
    close_place(&place);
}
