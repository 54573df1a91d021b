/*
 * The table of commands. `serve`, the default, checks the listening socket,
 * loads the settings, prepares the process and calls the supervisor. Implements
 * S26 of docs/protocol.md. Exit statuses are those of sysexits(3).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/command.h"
#include "config/config.h"
#include "serve/supervisor.h"
#include "telemetry/log.h"

#define MAIN_LISTEN_FD STDIN_FILENO /* by the FastCGI specification, 2.2 */
#define MAIN_UMASK     027          /* others may not read logs */

/* The most descriptors: enough for any nginx; each costs the kernel memory. */
#define MAIN_FILES_MAX 65536

/*
 * No core dumps, which would contain salts and requests. If core_pattern is a
 * pipe, Linux dumps even with a limit of 0, but not with 1. Source:
 * fs/coredump.c.
 */
#define MAIN_CORE_BYTES 1

static int run_serve(const struct command *command, int argc, char **argv);
static int run_help(const struct command *command, int argc, char **argv);
static int run_version(const struct command *command, int argc, char **argv);

static const struct command serve = {
    .name = "serve",
    .summary = "serve FastCGI on standard input (the default)",
    .details = "Standard input must be a listening unix socket, as spawn-fcgi "
               "-n passes it.\n",
    .run = run_serve,
};
static const struct command help = {
    .name = COMMAND_HELP,
    .summary = "show this text; after a command, explain that command",
    .run = run_help,
};
static const struct command version = {
    .name = COMMAND_VERSION,
    .summary = "show the version",
    .run = run_version,
};

static const struct command *const commands[] = {
    &serve,
    &command_token,
    &command_accounts,
    &command_check_config,
    &command_healthcheck,
    &command_interests,
    &command_model,
    &command_reload,
    &help,
    &version,
    NULL,
};

/* The option of every command that names the file of settings. */
#define CONFIG_OPTION "--config"

static void
print_usage(FILE *out)
{
    (void)fprintf(out, "usage: scoring [COMMAND]\n\n");
    for (size_t i = 0; commands[i] != NULL; i++)
        (void)fprintf(out, "  %-13s  %s\n", commands[i]->name,
                      commands[i]->summary);
    (void)fprintf(out,
                  "  " CONFIG_OPTION " FILE  with any command: use this file "
                  "of settings\n");
}

static int
run_help(const struct command *command, int argc, char **argv)
{
    struct buf settings = {0};

    if (command_read(command, argc, argv, NULL) == NULL)
        return EX_USAGE;
    config_help(&settings);
    print_usage(stdout);
    (void)printf("\nSettings, as environment variables:\n\n");
    if (settings.length > 0)
        (void)fwrite(settings.data, 1, settings.length, stdout);
    buf_free(&settings);
    return command_output_status();
}

static int
run_version(const struct command *command, int argc, char **argv)
{
    if (command_read(command, argc, argv, NULL) == NULL)
        return EX_USAGE;
    (void)printf("scoring %s\n", SCORING_VERSION);
    return command_output_status();
}

/* The value of an integer socket option; -1 if fd has no such option. */
static int
socket_option(int fd, int option)
{
    int value = 0;
    socklen_t length = sizeof(value);

    if (getsockopt(fd, SOL_SOCKET, option, &value, &length) != 0)
        return -1;
    return value;
}

/*
 * Whether users other than the owner and the group may connect. A path that
 * does not exist here, because it is in another root folder, is not checked.
 */
static bool
is_open_to_all(int fd)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof(address) - 1; /* so that a path ends with a NUL */
    struct stat st;

    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return false;
    if (address.sun_path[0] == '\0')
        return true; /* an abstract socket has no mode */
    return stat(address.sun_path, &st) == 0 && (st.st_mode & S_IWOTH) != 0;
}

/* Describes what is wrong with the socket to serve on, or NULL. */
static const char *
socket_fault(int fd)
{
    int flags;

    if (socket_option(fd, SO_ACCEPTCONN) != 1)
        return "standard input is not a listening socket: start it with "
               "spawn-fcgi -n -s PATH -M 0660 -- scoring";
    if (socket_option(fd, SO_DOMAIN) != AF_UNIX)
        return "standard input is not a unix socket: FastCGI trusts its peer "
               "and is never served over TCP";
    if (is_open_to_all(fd))
        return "everybody may connect to the socket: give it mode 0660 "
               "(spawn-fcgi -M 0660)";
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return "the socket cannot be made non-blocking";
    return NULL;
}

/* Sets a soft limit, to at most the hard one. */
static void
limit_to(__rlimit_resource_t resource, rlim_t wanted)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    (void)setrlimit(resource, &limit);
}

/* The service also works if one of these calls fails. */
static void
prepare_process(void)
{
    (void)umask(MAIN_UMASK);
    (void)signal(SIGPIPE, SIG_IGN); /* write() fails with EPIPE instead */
    (void)signal(SIGXFSZ, SIG_IGN); /* write() fails with EFBIG instead */
    limit_to(RLIMIT_CORE, MAIN_CORE_BYTES);
    limit_to(RLIMIT_NOFILE, MAIN_FILES_MAX);
}

/*
 * Copies the array `environ`: a reload must read the settings from what the
 * service was started with, and the setenv() of config_use_time_zone() changes
 * the array, or frees it. NULL when out of memory.
 */
static char **
copy_environment(void)
{
    size_t count = 1; /* the NULL at the end */
    char **copy;

    for (size_t i = 0; environ[i] != NULL; i++)
        count++;
    copy = calloc(count, sizeof(*copy));
    if (copy != NULL)
        memcpy(copy, environ, count * sizeof(*copy));
    return copy;
}

/* environment: the settings are read from it again on SIGHUP. */
static int
start_service(char *const environment[])
{
    int status;
    struct config *config = command_load_config(CONFIG_OF_SERVICE, &status);
    struct log *log;

    if (config == NULL)
        return status;
    prepare_process();
    log = log_open(&config->log);
    if (log == NULL) {
        (void)fprintf(stderr, "scoring: SCORING_LOG_FILE: %s: %s\n",
                      config->log.file != NULL ? config->log.file
                                               : "standard output",
                      strerror(errno));
        config_free(config);
        return EX_CONFIG;
    }
    return supervisor_run(MAIN_LISTEN_FD, environment, config, log);
}

static int
run_serve(const struct command *command, int argc, char **argv)
{
    const char *fault;
    char **environment;
    int status;

    if (command_read(command, argc, argv, NULL) == NULL)
        return EX_USAGE;
    fault = socket_fault(MAIN_LISTEN_FD);
    if (fault != NULL) {
        (void)fprintf(stderr, "scoring: %s\n", fault);
        return EX_USAGE;
    }
    environment = copy_environment();
    if (environment == NULL) {
        (void)fprintf(stderr, "scoring: out of memory\n");
        return EX_OSERR;
    }
    status = start_service(environment);
    free(environment);
    return status;
}

/*
 * The next file that is opened would become a standard stream that is closed.
 * So it is opened here, in the wrong direction: using it is an error.
 */
static bool
open_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        const int flags = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags) != fd)
            return false;
    }
    return true;
}

/*
 * The value of the option --config: "" if it is missing, NULL if argv[0] is not
 * that option. *ret_count is the number of arguments that it uses.
 */
static const char *
config_file_of(char *const argv[], int *ret_count)
{
    const size_t length = strlen(CONFIG_OPTION);

    *ret_count = 1;
    if (strncmp(argv[0], CONFIG_OPTION, length) != 0)
        return NULL;
    if (argv[0][length] == '=')
        return argv[0] + length + 1;
    if (argv[0][length] != '\0')
        return NULL;
    *ret_count = argv[1] != NULL ? 2 : 1;
    return argv[1] != NULL ? argv[1] : "";
}

/*
 * Removes the option --config from the arguments before "--", and puts its
 * value into the environment, from which config_load() reads it. Returns the
 * number of arguments that are left, or -1 after printing the reason.
 */
static int
take_config_file(int argc, char **argv)
{
    bool is_last = false;
    int left = 1, count = 1;

    for (int i = 1; i < argc; i += count) {
        const char *file = is_last ? NULL : config_file_of(argv + i, &count);

        if (file == NULL) {
            is_last = is_last || strcmp(argv[i], "--") == 0;
            argv[left++] = argv[i];
            continue;
        }
        if (*file == '\0') {
            (void)fprintf(stderr,
                          "scoring: " CONFIG_OPTION ": a value is missing\n");
            return -1;
        }
        if (setenv(CONFIG_FILE_NAME, file, 1) != 0) {
            (void)fprintf(stderr, "scoring: out of memory\n");
            return -1;
        }
    }
    argv[left] = NULL;
    return left;
}

int
main(int argc, char **argv)
{
    const struct command *command = &serve;

    if (!open_standard_streams())
        return EX_OSERR;
    if (argc > 0)
        argc = take_config_file(argc, argv);
    if (argc < 0)
        return EX_USAGE;
    if (argc < 2)
        return command_run(command, argc, argv);
    command = command_find(commands, argv[1]);
    if (command != NULL)
        return command_run(command, argc - 1, argv + 1);
    print_usage(stderr);
    return EX_USAGE;
}
