/*
 * How long the commands ask the service, and how they end if something fails
 * that no environment can make fail. Source: docs/protocol.md, S26.3 to S26.5.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/command.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/files.h"
#include "support/ports.h"

#define SAID_MAX    4096
#define WORDS_MAX   4
#define REQUEST_MAX 1024

/* The answer to `scoring reload` while no reload has ended, of 57 bytes. */
#define COUNTS                                                                 \
    "\1\6\0\1\0\71\0\0Status: 200 OK\r\nContent-Type: x\r\n\r\n"               \
    "{\"ok\": 1, \"failed\": 0}"
#define END "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"

/* A socket that listens, in a folder of its own. */
struct place {
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
    int fd;
};

static void
place_make(struct place *place)
{
    CU_ASSERT_TRUE_FATAL(files_folder_make(place->folder));
    files_path(place->path, "%.90s/socket", place->folder);
    place->fd = ports_listen_unix(place->path);
    CU_ASSERT_FATAL(place->fd >= 0);
}

static void
place_remove(const struct place *place)
{
    (void)close(place->fd);
    files_folder_remove(place->folder);
}

/* Runs a command, with its standard error in said[]. */
static int
run(const struct command *command, const char *const words[WORDS_MAX],
    char said[SAID_MAX])
{
    const int fd = memfd_create("said", MFD_CLOEXEC);
    const int kept = dup(STDERR_FILENO);
    char *argv[WORDS_MAX + 1] = {NULL};
    int argc = 0, status;
    ssize_t length;

    for (; argc < WORDS_MAX && words[argc] != NULL; argc++)
        argv[argc] = (char *)(void *)words[argc];
    (void)fflush(stdout);
    (void)dup2(fd, STDERR_FILENO);
    status = command_run(command, argc, argv);
    (void)dup2(kept, STDERR_FILENO);
    length = pread(fd, said, SAID_MAX - 1, 0);
    said[length > 0 ? length : 0] = '\0';
    (void)close(kept);
    (void)close(fd);
    return status;
}

TEST_SINGLE(token, "that cannot be made is an error of its own")
{
    static const char *const words[WORDS_MAX] = {"token", "--login", "a"};
    char setting[] = "SCORING_CONFIG_FILE=", *environment[] = {setting, NULL};
    char **kept = environ, said[SAID_MAX];
    int status;

    environ = environment;
    calls_fail(CALL_CRYPTO, ENOMEM);
    status = run(&command_token, words, said);
    environ = kept;
    CU_ASSERT_TRUE(calls_has_failed(CALL_CRYPTO));
    CU_ASSERT_EQUAL(status, EX_SOFTWARE);
    CU_ASSERT_STRING_EQUAL(said, "scoring: the token cannot be made\n");
}

/*
 * With each reading of the clock so much time passes. The first reading begins
 * the two seconds; each other one is after a try, 20 ms before the next.
 */
struct ask_case {
    const char *name;
    int64_t step_ms, readings;
};

static const struct ask_case ask_rows[] = {
    {"the next try would be at the end", 1980, 2},
    {"the next try would be before the end", 1979, 3},
};

TEST_CASES(ask, struct ask_case, ask_rows)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char body[ASK_ANSWER_MAX];
    const char *problem;
    struct place place;
    int64_t began_ms;

    place_make(&place);
    CU_ASSERT_EQUAL(listen(place.fd, 0), 0); /* room for one */
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.107s",
                   place.path);
    CU_ASSERT_EQUAL(
        connect(waiting, (struct sockaddr *)&address, sizeof(address)), 0);
    calls_stop_clock();
    calls_step_clock(c->step_ms);
    began_ms = clock_mono_ms();
    problem = ask_service(place.path, "/healthz", body);
    CU_ASSERT_EQUAL((clock_mono_ms() - began_ms) / c->step_ms - 1, c->readings);
    calls_step_clock(0);
    calls_let_clock_go();
    CU_ASSERT_STRING_EQUAL(problem, "its queue is full");
    (void)close(waiting);
    place_remove(&place);
}

/* A service whose settings are never read again, in a process of its own. */
struct peer {
    struct place place;
    unsigned char *asked; /* how often, in shared memory */
    pid_t pid;
};

static void
answer_all(const struct peer *peer)
{
    static const char answer[] = COUNTS END;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        char request[REQUEST_MAX];
        const int fd = accept(peer->place.fd, NULL, NULL);

        if (recv(fd, request, sizeof(request), 0) > 0)
            (*peer->asked)++;
        (void)send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
        (void)close(fd);
    }
}

static void
peer_begin(struct peer *peer)
{
    peer->asked = mmap(NULL, 1, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(peer->asked != MAP_FAILED);
    place_make(&peer->place);
    peer->pid = fork();
    CU_ASSERT_FATAL(peer->pid >= 0);
    if (peer->pid == 0)
        answer_all(peer);
}

/* Returns how often it was asked. */
static unsigned
peer_end(const struct peer *peer)
{
    unsigned asked;

    (void)kill(peer->pid, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(peer->pid, NULL, 0), peer->pid);
    asked = *peer->asked;
    (void)munmap(peer->asked, 1);
    place_remove(&peer->place);
    return asked;
}

/*
 * The first reading of the clock begins the ten seconds. Each question takes
 * two, and after all but the first one more looks whether the time is over: so
 * the looks are the 5th, the 8th, ... and the 20th after the first reading.
 */
struct reload_case {
    const char *name;
    int64_t step_ms;
    unsigned asked;
};

static const struct reload_case reload_rows[] = {
    {"over at the sixth look", 500, 7},
    {"not yet over at the sixth look", 499, 8},
};

TEST_CASES(reload, struct reload_case, reload_rows)
{
    const char *words[WORDS_MAX] = {"reload"};
    char said[SAID_MAX], want[SAID_MAX];
    struct peer peer;
    int status;

    peer_begin(&peer);
    words[1] = peer.place.path;
    calls_stop_clock();
    calls_step_clock(c->step_ms);
    status = run(&command_reload, words, said);
    calls_step_clock(0);
    calls_let_clock_go();
    CU_ASSERT_EQUAL(status, EX_UNAVAILABLE);
    (void)snprintf(want, sizeof(want),
                   "scoring: not reloaded: %s: the settings have not been "
                   "read in time\n",
                   peer.place.path);
    CU_ASSERT_STRING_EQUAL(said, want);
    CU_ASSERT_EQUAL(peer_end(&peer), c->asked);
}
