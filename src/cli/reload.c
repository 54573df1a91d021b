/*
 * `scoring reload`: makes the service read its settings again, and waits for
 * the result. Implements S26.5 of docs/protocol.md.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/ask.h"
#include "cli/command.h"

/* Ample: a reload takes milliseconds. */
#define RELOAD_LIMIT_MS (10 * MS_PER_S)
#define RELOAD_PAUSE_MS 20

/* How many reloads have succeeded and failed since the start. */
struct reloads {
    unsigned long long ok, failed;
};

static const char *
ask_reloads(const char *socket_path, const char *path,
            struct reloads *ret_reloads)
{
    char body[ASK_ANSWER_MAX];
    const char *problem = ask_service(socket_path, path, body);

    if (problem == NULL && sscanf(body, "{\"ok\": %llu, \"failed\": %llu}",
                                  &ret_reloads->ok, &ret_reloads->failed) != 2)
        problem = "answered, but not as the service does";
    return problem;
}

/*
 * Returns NULL, or an error. The answer to "reload" has the counts from before
 * the reload.
 */
static const char *
reload(const char *socket_path, bool *ret_has_failed)
{
    const int64_t end_ms = clock_mono_ms() + RELOAD_LIMIT_MS;
    struct reloads before, now;
    const char *problem = ask_reloads(socket_path, "reload", &before);

    while (problem == NULL) {
        problem = ask_reloads(socket_path, "reloads", &now);
        if (problem != NULL)
            break;
        *ret_has_failed = now.failed != before.failed;
        if (*ret_has_failed || now.ok != before.ok)
            break;
        if (clock_mono_ms() >= end_ms)
            problem = "the settings have not been read in time";
        (void)poll(NULL, 0, RELOAD_PAUSE_MS);
    }
    return problem;
}

static int
run_reload(const struct command *command, int argc, char **argv)
{
    char **words = command_read(command, argc, argv, NULL);
    const char *path, *problem;
    bool has_failed = false;

    if (words == NULL)
        return EX_USAGE;
    path = words[0] != NULL ? words[0] : ASK_SOCKET;
    problem = reload(path, &has_failed);
    if (problem != NULL) {
        (void)fprintf(stderr, "scoring: not reloaded: %s: %s\n", path, problem);
        return EX_UNAVAILABLE;
    }
    if (!has_failed)
        return EX_OK;
    (void)fprintf(stderr, "scoring: not reloaded: the settings are broken, and "
                          "the old ones stay in force: see the service's "
                          "log\n");
    return EX_CONFIG;
}

const struct command command_reload = {
    .name = "reload",
    .arguments = "[SOCKET]",
    .summary = "make the service read its settings and secrets again",
    .details =
        "Without SOCKET, asks the service on " ASK_SOCKET
        ".\nNo request is lost. If the settings are broken, the old ones stay "
        "in force, the\nservice logs every error, and the exit status is 78. "
        "If the service does not\nanswer, it is 69.\n",
    .words_max = 1,
    .run = run_reload,
};
