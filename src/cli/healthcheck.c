/*
 * `scoring healthcheck`: requests /healthz from the service, on its socket.
 * Implements S26.3 of docs/protocol.md.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/ask.h"
#include "cli/command.h"

static int
run_healthcheck(const struct command *command, int argc, char **argv)
{
    char **words = command_read(command, argc, argv, NULL);
    const char *path, *problem;
    char body[ASK_ANSWER_MAX];

    if (words == NULL)
        return EX_USAGE;
    path = words[0] != NULL ? words[0] : ASK_SOCKET;
    problem = ask_service(path, "/healthz", body);
    if (problem == NULL && strcmp(body, "{\"status\": \"ok\"}") == 0)
        return EX_OK;
    if (problem == NULL)
        problem = "answered, but not as the service does";
    (void)fprintf(stderr, "scoring: not healthy: %s: %s\n", path, problem);
    return EX_UNAVAILABLE;
}

const struct command command_healthcheck = {
    .name = "healthcheck",
    .arguments = "[SOCKET]",
    .words_max = 1,
    .summary = "exit with 0 if the service answers on its socket",
    .details = "Without SOCKET, asks the service on " ASK_SOCKET
               ".\nIf GET /healthz is not answered correctly within 2 seconds, "
               "reports why, and\nexits with 69. The store plays no part.\n",
    .run = run_healthcheck,
};
