/*
 * The real program, without nginx and Redis: with which input it refuses to
 * start, and how the parent keeps, replaces, reloads and ends the workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "serve/supervisor.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/fcgi_peer.h"
#include "support/files.h"
#include "support/proc.h"
#include "support/shared_clock.h"

#define PROGRAM "scoring" /* also the name of the process */
/* S25: when a young worker counts as serving, and has lived; the checks of all
 * workers; the longest backoff; how long a worker may take to exit. */
#define STEADY_MS      200
#define LIVED_MS       1000
#define CHECK_MS       250
#define BACKOFF_MAX_MS 900
#define DRAIN_MS       8000

#define EXEC_FAILED   127
#define ARGUMENTS_MAX 4
#define SETTINGS_MAX  6
#define STORE         "REDIS_URL=unix:///nonexistent/redis.sock"

/* The standard input of the program. */
enum input {
    INPUT_SOCKET = 0, /* a listening unix socket of mode 0600 */
    INPUT_NULL,
    INPUT_CLOSED,
    INPUT_TCP,
    INPUT_WORLD,    /* a unix socket of mode 0666 */
    INPUT_WRITERS,  /* one of mode 0602 */
    INPUT_ABSTRACT, /* an abstract socket */
    INPUT_UNHEARD   /* a unix socket that does not listen */
};

/* One run of the program, in its own folder. */
struct service {
    struct proc proc;
    char folder[FILES_PATH_MAX];
    char output[FILES_PATH_MAX]; /* standard output and errors */
    int input;                   /* -1: none */
};

/* The program next to this one, from the same build. */
static const char *
program_path(void)
{
    static char path[FILES_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;

    path[length > 0 ? length : 0] = '\0';
    slash = strrchr(path, '/');
    if (slash == NULL ||
        (size_t)(slash - path) + sizeof(PROGRAM) + 1 > sizeof(path))
        return PROGRAM;
    memcpy(slash + 1, PROGRAM, sizeof(PROGRAM));
    return path;
}

static int
open_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 1) != 0)
        return -1;
    return fd;
}

static int
open_unix(const struct service *service, enum input input)
{
    static const mode_t modes[] = {[INPUT_SOCKET] = 0600,
                                   [INPUT_UNHEARD] = 0600,
                                   [INPUT_WORLD] = 0666,
                                   [INPUT_WRITERS] = 0602};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char *at = address.sun_path + (input == INPUT_ABSTRACT ? 1 : 0);

    (void)snprintf(at, sizeof(address.sun_path) - 1, "%.90s/socket",
                   service->folder);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return -1;
    if (input != INPUT_ABSTRACT)
        (void)chmod(address.sun_path, modes[input]);
    if (input != INPUT_UNHEARD && listen(fd, 16) != 0)
        return -1;
    return fd;
}

static int
open_input(const struct service *service, enum input input)
{
    int fd = -1;

    switch (input) {
    case INPUT_SOCKET:
    case INPUT_WORLD:
    case INPUT_WRITERS:
    case INPUT_ABSTRACT:
    case INPUT_UNHEARD:
        fd = open_unix(service, input);
        CU_ASSERT_FATAL(fd >= 0);
        break;
    case INPUT_TCP:
        fd = open_tcp();
        CU_ASSERT_FATAL(fd >= 0);
        break;
    case INPUT_NULL:
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        break;
    case INPUT_CLOSED:
        break;
    }
    return fd;
}

/* Sets input and output, for the two functions below. */
static void
take_places(const struct service *service)
{
    int out = open(service->output, O_WRONLY | O_CREAT | O_APPEND, 0600);

    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN); /* as a parent may leave it */
    (void)close(STDIN_FILENO);
    if (service->input >= 0)
        (void)dup2(service->input, STDIN_FILENO);
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(out, STDERR_FILENO);
    (void)close(out);
}

static void
spin(int number)
{
    (void)number;
    for (;;)
        continue;
}

static void
wait_for_ever(int number)
{
    (void)number;
    for (;;)
        (void)pause();
}

static rlim_t descriptors_max; /* 0: no limit */

static void
limit_descriptors(void)
{
    const struct rlimit limit = {descriptors_max, descriptors_max};

    if (descriptors_max > 0)
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* In the child: runs the program, with the clock of the row. */
static void
run_program(const struct service *service, const char *const *settings)
{
    char *const *environment = (char *const *)(void *)settings;
    struct buf errors = {0};
    struct config *config;
    struct log *log;

    take_places(service);
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    (void)prctl(PR_SET_NAME, PROGRAM);
    shared_clock_join();
    (void)signal(SIGVTALRM, spin);
    (void)signal(SIGPROF, wait_for_ever);
    (void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    config = config_load(environment, CONFIG_OF_SERVICE, &errors);
    if (config == NULL)
        _exit(EX_CONFIG);
    log = log_open(&config->log);
    if (log == NULL)
        _exit(EX_OSERR);
    limit_descriptors();
    exit(supervisor_run(STDIN_FILENO, environment, config, log));
}

/* In the child: becomes the program. */
static void
exec_program(const struct service *service, const char *const *arguments,
             const char *const *settings)
{
    const char *argv[ARGUMENTS_MAX + 2] = {PROGRAM};

    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
        argv[i + 1] = arguments[i];
    take_places(service);
    (void)execve(program_path(), (char *const *)(void *)argv,
                 (char *const *)(void *)settings);
    _exit(EXEC_FAILED);
}

static bool is_clock_stopped; /* when the service starts */

/* arguments   NULL: the program runs in a forked process, without exec(). */
static void
service_start(struct service *service, enum input input,
              const char *const *arguments, const char *const *settings)
{
    *service = (struct service){.input = -1};
    CU_ASSERT_TRUE_FATAL(files_folder_make(service->folder));
    files_path(service->output, "%s/output", service->folder);
    service->input = open_input(service, input);
    (void)fflush(NULL);
    shared_clock_start();
    if (is_clock_stopped)
        shared_clock_stop();
    service->proc.pid = fork();
    CU_ASSERT_FATAL(service->proc.pid >= 0);
    if (service->proc.pid == 0 && arguments == NULL)
        run_program(service, settings);
    if (service->proc.pid == 0)
        exec_program(service, arguments, settings);
}

static void
service_end(struct service *service)
{
    proc_kill(&service->proc);
    if (service->input >= 0)
        (void)close(service->input);
    files_folder_remove(service->folder);
}

/* Whether the output of the program contains a text. */
static bool
has_said(const struct service *service, const char *text)
{
    char *output = files_read(service->output);
    bool is_found = output != NULL && strstr(output, text) != NULL;

    free(output);
    return is_found;
}

static unsigned
times_said(const struct service *service, const char *text)
{
    char *output = files_read(service->output);
    unsigned count = 0;

    for (const char *at = output; at != NULL; count++) {
        at = strstr(at, text);
        if (at == NULL)
            break;
        at += strlen(text);
    }
    free(output);
    return count;
}

struct saying {
    const struct service *service;
    const char *text;
    unsigned times;
};

static bool
saying_is_said(void *arg)
{
    const struct saying *saying = arg;

    return times_said(saying->service, saying->text) >= saying->times;
}

static bool
await_said(const struct service *service, const char *text, unsigned times)
{
    struct saying saying = {service, text, times};

    return clock_wait(saying_is_said, &saying, CLOCK_PATIENCE_MS);
}

/* The promises below are multiples of it. */
#define STEP_MS 50

/* As await_said(), while time passes. */
static bool
await_passing(const struct service *service, const char *text, unsigned times)
{
    const int64_t end_ms = clock_ms() + CLOCK_PATIENCE_MS;

    while (times_said(service, text) < times) {
        if (clock_ms() > end_ms ||
            !shared_clock_pass(service->proc.pid, STEP_MS))
            return times_said(service, text) >= times;
    }
    return true;
}

static struct proc_found
workers_of(const struct service *service)
{
    return proc_find_children(service->proc.pid, PROGRAM);
}

static bool
is_among(const struct proc_found *found, pid_t pid)
{
    for (size_t i = 0; i < found->count; i++) {
        if (found->pid[i] == pid)
            return true;
    }
    return false;
}

/* An expected state: so many workers, and none of the old ones. */
struct change {
    const struct service *service;
    struct proc_found gone;
    size_t count;
    unsigned died; /* so far */
};

static bool
change_is_made(void *arg)
{
    const struct change *change = arg;
    struct proc_found now = workers_of(change->service);

    for (size_t i = 0; i < change->gone.count; i++) {
        if (is_among(&now, change->gone.pid[i]))
            return false;
    }
    return now.count == change->count;
}

/* More than any change takes, and less than DRAIN_MS. */
#define CHANGE_MS 2000

/* Waits for the change while that time passes; then on the real clock, for what
 * a busy machine has not done by then. */
static bool
change_passing(struct change *change)
{
    for (int64_t ms = 0; ms < CHANGE_MS && !change_is_made(change);
         ms += STEP_MS)
        (void)shared_clock_pass(change->service->proc.pid, STEP_MS);
    shared_clock_go();
    return clock_wait(change_is_made, change, CLOCK_PATIENCE_MS);
}

/* Passes the time of the parent, and lets the workers handle what is due. */
static void
pass_all(const struct service *service, int64_t ms)
{
    struct proc_found workers = workers_of(service);

    CU_ASSERT_TRUE(shared_clock_pass(service->proc.pid, ms));
    for (size_t i = 0; i < workers.count; i++)
        CU_ASSERT_TRUE(shared_clock_pass(workers.pid[i], 0));
}

struct start_case {
    const char *name;
    enum input input;
    const char *arguments[ARGUMENTS_MAX];
    const char *settings[SETTINGS_MAX];
    int status;
    const char *says[2];
};

static const struct start_case start_rows[] = {
    {"help", INPUT_NULL, LIST("--help"), NONE, EX_OK,
     LIST("serve ", "SCORING_WORKERS")},
    {"version", INPUT_NULL, LIST("--version"), NONE, EX_OK, LIST("scoring ")},
    {"version with an argument", INPUT_NULL, LIST("--version", "x"), NONE,
     EX_USAGE, LIST("unexpected argument: x")},
    {"unknown command", INPUT_SOCKET, LIST("bogus"), LIST(STORE), EX_USAGE,
     LIST("unknown command: bogus", "usage: ")},
    {"a command's beginning", INPUT_SOCKET, LIST("serv"), LIST(STORE), EX_USAGE,
     LIST("unknown command: serv")},
    {"serve with an argument", INPUT_SOCKET, LIST("serve", "x"), LIST(STORE),
     EX_USAGE, LIST("unexpected argument: x")},
    {"no socket", INPUT_NULL, LIST("serve"), LIST(STORE), EX_USAGE,
     LIST("not a listening socket", "spawn-fcgi")},
    {"no standard input", INPUT_CLOSED, NONE, LIST(STORE), EX_USAGE,
     LIST("not a listening socket")},
    {"a socket that does not listen", INPUT_UNHEARD, NONE, LIST(STORE),
     EX_USAGE, LIST("not a listening socket")},
    {"TCP", INPUT_TCP, NONE, LIST(STORE), EX_USAGE,
     LIST("never served over TCP")},
    {"a socket for everybody", INPUT_WORLD, NONE, LIST(STORE), EX_USAGE,
     LIST("everybody may connect")},
    {"a socket to which everybody may write", INPUT_WRITERS, NONE, LIST(STORE),
     EX_USAGE, LIST("everybody may connect")},
    {"an abstract socket", INPUT_ABSTRACT, NONE, LIST(STORE), EX_USAGE,
     LIST("everybody may connect")},
    {"every bad setting is named", INPUT_SOCKET, NONE,
     LIST(STORE, "SCORING_WORKERS=0", "SCORING_LOG_FORMAT=xml"), EX_CONFIG,
     LIST("scoring: SCORING_WORKERS: ", "scoring: SCORING_LOG_FORMAT: ")},
    {"an unknown setting", INPUT_SOCKET, NONE, LIST(STORE, "SCORING_X=1"),
     EX_CONFIG, LIST("scoring: SCORING_X: ")},
    {"a log without a folder", INPUT_SOCKET, NONE,
     LIST(STORE, "SCORING_LOG_FILE=/nonexistent/log"), EX_CONFIG,
     LIST("scoring: SCORING_LOG_FILE: /nonexistent/log: No such file")},
};

TEST_CASES(start, struct start_case, start_rows)
{
    struct service service;

    service_start(&service, c->input, c->arguments, c->settings);
    CU_ASSERT_TRUE(proc_wait(&service.proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), c->status);
    for (size_t i = 0; i < 2 && c->says[i] != NULL; i++)
        CU_ASSERT_TRUE(has_said(&service, c->says[i]));
    service_end(&service);
}

/* Starts the service, and waits until all workers serve. */
static void
service_serve(struct service *service, const char *const *settings)
{
    service_start(service, INPUT_SOCKET, NULL, settings);
    CU_ASSERT_TRUE(await_passing(service, "] I ready: ", 1));
}

/* The same, with a clock that stands still: only the row advances it. */
static void
service_serve_stopped(struct service *service, const char *const *settings)
{
    is_clock_stopped = true;
    service_serve(service, settings);
    is_clock_stopped = false;
}

static const char *const two_workers[] = {STORE, "SCORING_WORKERS=2", NULL};
static const char *const one_worker[] = {STORE, "SCORING_WORKERS=1", NULL};

/* As Kubernetes may give it: the service does not look at it (S24.6). */
#define FOREIGN_PORT "HTTP_PORT=tcp://10.0.0.1:80"

struct stop_case {
    const char *name;
    int number;
    bool is_group; /* to the process group, as by a terminal */
};

static const struct stop_case stop_rows[] = {
    {"SIGTERM", SIGTERM, false},
    {"SIGINT", SIGINT, false},
    {"Ctrl-C reaches all", SIGINT, true},
    {"SIGTERM reaches all", SIGTERM, true},
};

TEST_CASES(stop, struct stop_case, stop_rows)
{
    static const char *const none[ARGUMENTS_MAX] = {NULL};
    static const char *const settings[] = {STORE, FOREIGN_PORT,
                                           "SCORING_WORKERS=2", NULL};
    struct change end = {.count = 0};
    struct service service;

    service_start(&service, INPUT_SOCKET, none, settings);
    CU_ASSERT_TRUE(await_said(&service, "] I ready: ", 1));
    CU_ASSERT_EQUAL(workers_of(&service).count, 2);
    CU_ASSERT(fcntl(service.input, F_GETFL) & O_NONBLOCK);
    if (c->is_group)
        proc_signal_group(&service.proc, c->number);
    else
        proc_signal(&service.proc, c->number);
    CU_ASSERT_TRUE(proc_wait(&service.proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    end.service = &service;
    CU_ASSERT_TRUE(change_is_made(&end));
    CU_ASSERT_TRUE(has_said(&service, "] I stopped\n"));
    CU_ASSERT_FALSE(has_said(&service, "ended badly"));
    service_end(&service);
}

static bool
has_workers(void *arg)
{
    const struct change *wanted = arg;

    return workers_of(wanted->service).count == wanted->count;
}

struct settle_case {
    const char *name;
    size_t stays; /* index of the worker that lives; the other one is killed
                     again and again */
};

static const struct settle_case settle_rows[] = {
    {"the second seat is empty", 0},
    {"the first seat is empty", 1},
};

/* Kills every worker but this one. */
static void
kill_others(const struct service *service, pid_t stays)
{
    struct proc_found workers = workers_of(service);

    for (size_t i = 0; i < workers.count; i++) {
        if (workers.pid[i] != stays)
            (void)kill(workers.pid[i], SIGKILL);
    }
}

/* Until the other worker has died so often that its seat stays free for a
 * while. */
static void
kill_until(const struct service *service, pid_t stays, const char *words)
{
    struct change both = {.service = service, .count = 2};

    for (;;) {
        CU_ASSERT_TRUE_FATAL(clock_wait(has_workers, &both, CLOCK_PATIENCE_MS));
        kill_others(service, stays);
        CU_ASSERT_TRUE_FATAL(await_said(service, "; next in ", ++both.died));
        if (has_said(service, words))
            return;
        CU_ASSERT_TRUE_FATAL(
            shared_clock_pass(service->proc.pid, BACKOFF_MAX_MS));
    }
}

/*
 * The service is ready, once, when every seat has a worker that has lived for
 * 200 ms; from then on the parent only wakes up to check its workers.
 */
TEST_CASES(settle, struct settle_case, settle_rows)
{
    struct service service;
    struct change both = {.service = &service, .count = 2};
    unsigned waits;
    pid_t parent;

    is_clock_stopped = true;
    service_start(&service, INPUT_SOCKET, NULL, two_workers);
    is_clock_stopped = false;
    parent = service.proc.pid;
    CU_ASSERT_TRUE_FATAL(clock_wait(has_workers, &both, CLOCK_PATIENCE_MS));
    kill_until(&service, workers_of(&service).pid[c->stays],
               "; next in 400 ms\n");
    CU_ASSERT_TRUE(shared_clock_pass(parent, 399));
    CU_ASSERT_EQUAL(workers_of(&service).count, 1);
    CU_ASSERT_FALSE(has_said(&service, "] I ready: ")); /* a seat is empty */
    CU_ASSERT_TRUE(shared_clock_pass(parent, 1));
    CU_ASSERT_EQUAL(workers_of(&service).count, 2);
    CU_ASSERT_TRUE(shared_clock_pass(parent, STEADY_MS - STEP_MS));
    CU_ASSERT_FALSE(has_said(&service, "] I ready: ")); /* one is new */
    CU_ASSERT_TRUE(shared_clock_pass(parent, STEP_MS));
    CU_ASSERT_TRUE(has_said(&service, "] I ready: 2 worker(s)\n"));
    waits = shared_clock_waits(parent);
    for (int64_t ms = 0; ms < CHECK_MS; ms += STEP_MS)
        CU_ASSERT_TRUE(shared_clock_pass(parent, STEP_MS));
    CU_ASSERT(shared_clock_waits(parent) <= waits + 1);
    waits = shared_clock_waits(parent);
    proc_signal(&service.proc, SIGUSR1); /* wakes the parent */
    CU_ASSERT_TRUE(shared_clock_pass(parent, 0));
    CU_ASSERT_EQUAL(shared_clock_waits(parent), waits + 1);
    CU_ASSERT_EQUAL(times_said(&service, "] I ready: "), 1);
    service_end(&service);
}

/* If the parent did not sleep, it would never have handled a pass. */
TEST_SINGLE(stop_short, "a seat that is empty at the end stays so")
{
    struct proc_found workers;
    struct service service;

    service_serve_stopped(&service, two_workers);
    workers = workers_of(&service);
    CU_ASSERT_EQUAL_FATAL(workers.count, 2);
    (void)kill(workers.pid[1], SIGSTOP);
    (void)kill(workers.pid[0], SIGKILL);
    CU_ASSERT_TRUE(await_said(&service, "; next in 100 ms\n", 1));
    proc_signal(&service.proc, SIGTERM);
    CU_ASSERT_TRUE(await_said(&service, "] I stopping: 1 worker(s)", 1));
    for (int64_t ms = 0; ms < 2 * CHECK_MS; ms += CHECK_MS) {
        CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, CHECK_MS));
        CU_ASSERT_EQUAL(workers_of(&service).count, 1);
    }
    CU_ASSERT_EQUAL(times_said(&service, "; next in "), 1);
    (void)kill(workers.pid[1], SIGCONT);
    CU_ASSERT_TRUE(proc_wait(&service.proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
}

/* The service with one worker, which it returns. */
static pid_t
serve_one(struct service *service)
{
    struct proc_found workers;

    service_serve_stopped(service, one_worker);
    workers = workers_of(service);
    CU_ASSERT_EQUAL_FATAL(workers.count, 1);
    return workers.pid[0];
}

/* The worker is stopped; too little time passes at once for the parent to find
 * that it has stalled. */
static void
serve_stopped(struct service *service)
{
    pid_t worker = serve_one(service);

    (void)kill(worker, SIGSTOP);
}

TEST_SINGLE(overdue, "a worker that does not end in time is killed")
{
    static const char words[] = " has not ended within 8000 ms: killed\n";
    struct service service;

    serve_stopped(&service);
    proc_signal(&service.proc, SIGTERM);
    CU_ASSERT_TRUE(await_said(&service, "] I stopping: 1 worker(s)", 1));
    CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, DRAIN_MS - 1));
    proc_signal(&service.proc, SIGINT); /* it is stopping already */
    proc_signal(&service.proc, SIGHUP); /* it no longer reads settings */
    CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, 0));
    CU_ASSERT_FALSE(has_said(&service, words));
    (void)shared_clock_pass(service.proc.pid, 1);
    CU_ASSERT_TRUE(proc_wait(&service.proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    CU_ASSERT_EQUAL(times_said(&service, words), 1);
    CU_ASSERT_EQUAL(times_said(&service, "] I stopping: "), 1);
    CU_ASSERT_FALSE(has_said(&service, "settings"));
    CU_ASSERT_TRUE(has_said(&service, " ended badly: signal 9 (SIGKILL)\n"));
    service_end(&service);
}

TEST_SINGLE(overdue_since, "to be asked again gives a worker no more time")
{
    static const char words[] = " within 8000 ms: killed\n";
    struct service service;
    struct change both = {.service = &service, .count = 2};

    serve_stopped(&service);
    proc_signal(&service.proc, SIGHUP);
    CU_ASSERT_TRUE(await_said(&service, "settings read again: ", 1));
    CU_ASSERT_TRUE(clock_wait(has_workers, &both, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, STEADY_MS));
    CU_ASSERT_TRUE(await_said(&service, "] I ready: ", 2));
    CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, DRAIN_MS - 100));
    proc_signal(&service.proc, SIGTERM);
    CU_ASSERT_TRUE(await_said(&service, "] I stopping: 2 worker(s)", 1));
    CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, 99));
    CU_ASSERT_FALSE(has_said(&service, words));
    (void)shared_clock_pass(service.proc.pid, 1);
    CU_ASSERT_TRUE(proc_wait(&service.proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(times_said(&service, words), 1);
    service_end(&service);
}

/* Makes the next such call fail in the program or its workers. */
static void
service_start_badly(struct service *service, enum call call, int after,
                    int error)
{
    calls_fail_later(call, after, error);
    service_start(service, INPUT_SOCKET, NULL, one_worker);
    (void)calls_has_failed(call); /* in the child, not here */
}

TEST_SINGLE(memory, "without memory to share there is no service")
{
    struct service service;

    service_start_badly(&service, CALL_MMAP, 0, ENOMEM);
    CU_ASSERT_TRUE(proc_wait(&service.proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OSERR);
    CU_ASSERT_TRUE(
        has_said(&service, "] E no shared memory: Cannot allocate memory\n"));
    service_end(&service);
}

TEST_SINGLE(fork, "a worker that cannot be made is made a little later")
{
    struct service service;

    service_start_badly(&service, CALL_FORK, 1,
                        EAGAIN); /* the second fork(): of the worker */
    CU_ASSERT_TRUE(await_passing(&service, "] I ready: 1 worker(s)", 1));
    CU_ASSERT_EQUAL(times_said(&service,
                               "] E no new worker: Resource temporarily "
                               "unavailable; next try in 100 ms\n"),
                    1);
    CU_ASSERT_EQUAL(times_said(&service, " no new worker: "), 1);
    CU_ASSERT_EQUAL(workers_of(&service).count, 1);
    service_end(&service);
}

#define WORKER_ENDS " ms: status 71; next in "

TEST_SINGLE(cannot_start, "a worker that cannot start says why, and ends")
{
    struct service service;

    service_start_badly(&service, CALL_CRYPTO, 0, ENOMEM);
    CU_ASSERT_TRUE(await_said(&service, WORKER_ENDS, 1));
    CU_ASSERT_TRUE(has_said(&service, "] E worker 0: cannot start: the "
                                      "digests: Cannot allocate memory\n"));
    service_end(&service);
}

struct descriptors_case {
    const char *name;
    rlim_t count; /* standard streams and the log take four */
    const char *says;
};

static const struct descriptors_case descriptors_rows[] = {
    {"none", 4, "] E worker 0: cannot start: FastCGI: Too many open files\n"},
    {"one, and signals need another", 5,
     "] E worker 0: (libev) error creating signal/async pipe: "
     "Too many open files\n"},
};

/* With so few descriptors a worker reports the reason, and exits. */
TEST_CASES(descriptors, struct descriptors_case, descriptors_rows)
{
    struct service service;

    descriptors_max = c->count;
    service_start(&service, INPUT_SOCKET, NULL, one_worker);
    descriptors_max = 0;
    CU_ASSERT_TRUE(await_said(&service, WORKER_ENDS, 1));
    CU_ASSERT_TRUE(has_said(&service, c->says));
    service_end(&service);
}

/* The clock stands still: the new worker does not count as serving yet. */
TEST_SINGLE(old_dies, "a worker of the old settings dies, and has no successor")
{
    struct change both = {.count = 2};
    struct service service;
    pid_t old;

    both.service = &service;
    old = serve_one(&service);
    proc_signal(&service.proc, SIGHUP);
    CU_ASSERT_TRUE(await_said(&service, "] I settings read again: ", 1));
    CU_ASSERT_TRUE(clock_wait(change_is_made, &both, CLOCK_PATIENCE_MS));
    (void)kill(old, SIGKILL);
    CU_ASSERT_TRUE(await_said(
        &service, " of the old settings died: signal 9 (SIGKILL)\n", 1));
    CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, STEADY_MS));
    CU_ASSERT_TRUE(await_said(&service, "] I ready: 1 worker(s)", 2));
    CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, BACKOFF_MAX_MS));
    CU_ASSERT_EQUAL(workers_of(&service).count, 1);
    CU_ASSERT_FALSE(has_said(&service, "; next in "));
    service_end(&service);
}

/* Receives one message of the service; "" if none comes in time. */
static void
check_message(int fd, const char *want)
{
    char text[64] = "";

    (void)recv(fd, text, sizeof(text) - 1, 0);
    CU_ASSERT_STRING_EQUAL(text, want);
}

TEST_SINGLE(notify, "systemd learns when it is ready, and when it ends")
{
    const struct timeval patience = {.tv_sec = CLOCK_PATIENCE_MS / 1000};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[FILES_PATH_MAX], variable[FILES_PATH_MAX], more[8];
    const char *settings[] = {STORE, "SCORING_WORKERS=1", variable, NULL};
    static const char *const serve[ARGUMENTS_MAX] = {NULL};
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct service service;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/notify",
                   folder);
    CU_ASSERT_EQUAL_FATAL(
        bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    files_path(variable, "NOTIFY_SOCKET=%s", address.sun_path);
    service_start(&service, INPUT_SOCKET, serve, settings);
    check_message(fd, "READY=1");
    CU_ASSERT_TRUE(await_said(&service, "] I ready: ", 1));
    proc_signal(&service.proc, SIGHUP);
    check_message(fd, "READY=1"); /* of the new settings */
    CU_ASSERT_EQUAL(recv(fd, more, sizeof(more), MSG_DONTWAIT), -1);
    proc_signal(&service.proc, SIGTERM);
    check_message(fd, "STOPPING=1");
    CU_ASSERT_TRUE(proc_wait(&service.proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    CU_ASSERT_EQUAL(recv(fd, more, sizeof(more), MSG_DONTWAIT), -1);
    (void)close(fd);
    service_end(&service);
    files_folder_remove(folder);
}

/* The health that a kept connection reports. */
static void
check_phase(int fd, int status, const char *phase)
{
    struct fcgi_peer_answer answer = {0};

    CU_ASSERT_EQUAL(fcgi_peer_read(fd, CLOCK_PATIENCE_MS, &answer),
                    FCGI_PEER_ANSWERED);
    CU_ASSERT_EQUAL(answer.status, status);
    CU_ASSERT_PTR_NOT_NULL(strstr(buffer_text(&answer.text), phase));
    fcgi_peer_answer_free(&answer);
}

TEST_SINGLE(phase, "once settled it is up, and then it drains")
{
    static const struct fcgi_peer_exchange exchange = {.verb = "GET",
                                                       .path = "/readyz"};
    struct buffer whole = {0}, begin = {0}, rest = {0};
    char path[FILES_PATH_MAX];
    struct service service;
    int fd;

    service_serve(&service, two_workers);
    files_path(path, "%.100s/socket", service.folder);
    fd = fcgi_peer_connect(path);
    fcgi_peer_whole(&whole, &exchange);
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &whole));
    check_phase(fd, 200, "{\"status\": \"degraded\", ");
    buffer_add(&begin, whole.data,
               20); /* a request that has begun to arrive is answered */
    buffer_add(&rest, whole.data + 20, whole.length - 20);
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &begin));
    pass_all(&service, 0);
    proc_signal(&service.proc, SIGTERM);
    CU_ASSERT_TRUE(await_said(&service, "] I stopping: ", 1));
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &rest));
    check_phase(fd, 503, "{\"status\": \"draining\", ");
    CU_ASSERT_TRUE(proc_wait(&service.proc, CLOCK_PATIENCE_MS));
    (void)close(fd);
    service_end(&service);
    buffer_free(&whole);
    buffer_free(&begin);
    buffer_free(&rest);
}

TEST_SINGLE(parent_dies, "no worker outlives a parent that was killed")
{
    struct proc_found workers;
    struct service service;

    proc_adopt_orphans();
    service_serve(&service, two_workers);
    workers = workers_of(&service);
    CU_ASSERT_EQUAL(workers.count, 2);
    proc_kill(&service.proc);
    for (size_t i = 0; i < workers.count; i++) {
        struct proc worker = {.pid = workers.pid[i]};

        CU_ASSERT_TRUE(proc_wait(&worker, CLOCK_PATIENCE_MS));
    }
    service_end(&service);
}

struct replaced_case {
    const char *name;
    int64_t lived_ms;
    size_t workers; /* before any more time passes */
    const char *says;
};

static const struct replaced_case replaced_rows[] = {
    {"one that lived, at once", LIVED_MS, 2,
     " died after 1000 ms: signal 9 (SIGKILL); next in 0 ms\n"},
    {"one that died young, later", LIVED_MS - 1, 1,
     " died after 999 ms: signal 9 (SIGKILL); next in 100 ms\n"},
};

TEST_CASES(replaced, struct replaced_case, replaced_rows)
{
    struct proc_found before, after;
    struct service service;

    service_serve_stopped(&service, two_workers);
    pass_all(&service, c->lived_ms - STEADY_MS);
    before = workers_of(&service);
    CU_ASSERT_EQUAL_FATAL(before.count, 2);
    (void)kill(before.pid[0], SIGKILL);
    CU_ASSERT_TRUE(await_said(&service, c->says, 1));
    CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, 0));
    after = workers_of(&service);
    CU_ASSERT_TRUE(is_among(&after, before.pid[1]));
    CU_ASSERT_EQUAL(after.count, c->workers);
    service_end(&service);
}

static const char *
path_of(const struct service *service)
{
    static char path[FILES_PATH_MAX];

    files_path(path, "%.100s/socket", service->folder);
    return path;
}

/* A kept connection on which one request has been answered; or -1. */
static int
ask_once(const struct service *service)
{
    static const struct fcgi_peer_exchange exchange = {.body = "{}",
                                                       .body_length = 2};
    struct buffer bytes = {0};
    int fd = fcgi_peer_connect(path_of(service));

    fcgi_peer_whole(&bytes, &exchange);
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &bytes));
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    buffer_free(&bytes);
    return fd;
}

/*
 * A stalled worker is replaced. In run_program() two signals make a worker
 * stall in other ways than SIGSTOP does.
 */

struct stalled {
    pid_t pid;
    int number;
};

/* Whether a worker is stopped, or sleeps in the handler of the signal. */
static bool
has_stalled(void *arg)
{
    const struct stalled *stalled = arg;
    uint64_t blocked = 0;
    char path[FILES_PATH_MAX], *text, *at;
    bool is_stopped, is_asleep;

    files_path(path, "/proc/%d/status", (int)stalled->pid);
    text = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    at = strstr(text, "\nSigBlk:");
    if (at != NULL)
        blocked = strtoull(at + sizeof("\nSigBlk:"), NULL, 16);
    is_stopped = strstr(text, "\nState:\tT") != NULL;
    is_asleep = strstr(text, "\nState:\tS") != NULL &&
                (blocked >> (stalled->number - 1) & 1) != 0;
    free(text);
    return stalled->number == SIGSTOP ? is_stopped : is_asleep;
}

/* Time passes check by check, for processes that are not paused; 0: none. */
static void
pass_checks(pid_t worker, pid_t parent, int64_t ms)
{
    for (; ms > 0; ms -= CHECK_MS) {
        CU_ASSERT_TRUE(shared_clock_pass(worker, CHECK_MS));
        CU_ASSERT_TRUE(shared_clock_pass(parent, 0));
    }
}

#define BEAT_MS        500  /* a worker has been heard then */
#define STALLED_MIN_MS 1000 /* one that is silent for less may be busy */

struct stalled_case {
    const char *name;
    int number;
    int limit_ms; /* from then on; 0: it takes processor time */
    const char *says;
};

static const struct stalled_case stalled_rows[] = {
    {"is stopped", SIGSTOP, 1500, " stands still: it is stopped; killed\n"},
    {"waits", SIGPROF, 1500, " stands still: it waits for something; killed\n"},
    {"loops", SIGVTALRM, 0, " stands still: it runs without end; killed\n"},
};

TEST_CASES(stalled, struct stalled_case, stalled_rows)
{
    struct change change = {.count = 1};
    struct stalled stalled = {.number = c->number};
    struct service service;
    char line[128];
    int passed_ms = 0;

    stalled.pid = serve_one(&service);
    change.service = &service;
    change.gone = (struct proc_found){1, {stalled.pid}};
    pass_checks(stalled.pid, service.proc.pid, BEAT_MS);
    (void)kill(stalled.pid, c->number);
    if (c->limit_ms == 0)
        CU_ASSERT_TRUE(await_passing(&service, c->says, 1));
    else
        CU_ASSERT_TRUE(clock_wait(has_stalled, &stalled, CLOCK_PATIENCE_MS));
    for (; !has_said(&service, c->says) && passed_ms < c->limit_ms;
         passed_ms += STEP_MS)
        CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, STEP_MS));
    CU_ASSERT(c->limit_ms == 0 || passed_ms >= STALLED_MIN_MS);
    CU_ASSERT_EQUAL(times_said(&service, c->says), 1);
    (void)snprintf(line, sizeof(line), "] E worker %d%s", (int)stalled.pid,
                   c->says);
    CU_ASSERT_EQUAL(times_said(&service, line), 1);
    CU_ASSERT_TRUE(change_passing(&change));
    (void)close(ask_once(&service));
    CU_ASSERT_FALSE(has_said(&service, " died"));
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
}

/*
 * A stalled worker does not delay the end, and does not outlive its settings.
 */
struct stalled_end_case {
    const char *name;
    int number; /* the signal to the parent */
    size_t rest;
};

static const struct stalled_end_case stalled_end_rows[] = {
    {"at the end", SIGTERM, 0},
    {"of the old settings", SIGHUP, 1},
};

TEST_CASES(stalled_end, struct stalled_end_case, stalled_end_rows)
{
    struct change change = {.count = c->rest};
    struct service service;

    change.service = &service;
    change.gone = (struct proc_found){1, {serve_one(&service)}};
    (void)kill(change.gone.pid[0], SIGSTOP);
    proc_signal(&service.proc, c->number);
    CU_ASSERT_TRUE(change_passing(&change));
    CU_ASSERT_EQUAL(times_said(&service, " stands still: it is stopped"), 1);
    CU_ASSERT_FALSE(has_said(&service, " ended badly"));
    CU_ASSERT_FALSE(has_said(&service, " within 8000 ms"));
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
}

/* A worker that is paused from outside is left alone. */
#define PAUSE_MS 2500 /* longer than it takes to notice a stall */
#define AFTER_MS 1500

struct paused_case {
    const char *name;
    void (*send)(const struct service *service, pid_t worker, int number);
    int pause_ms;
    bool has_worker, has_parent; /* during the pause */
};

static void
to_worker(const struct service *service, pid_t worker, int number)
{
    (void)service;
    (void)kill(worker, number);
}

static void
to_parent(const struct service *service, pid_t worker, int number)
{
    (void)worker;
    proc_signal(&service->proc, number);
}

static void
to_all(const struct service *service, pid_t worker, int number)
{
    (void)worker;
    proc_signal_group(&service->proc, number);
}

/* A debugger may hold a worker as long as it likes. */
static void
by_tracer(const struct service *service, pid_t worker, int number)
{
    (void)service;
    if (number == SIGCONT) {
        CU_ASSERT_EQUAL(ptrace(PTRACE_DETACH, worker, NULL, NULL), 0);
        return;
    }
    CU_ASSERT_EQUAL(ptrace(PTRACE_SEIZE, worker, NULL, NULL), 0);
    CU_ASSERT_EQUAL(ptrace(PTRACE_INTERRUPT, worker, NULL, NULL), 0);
    CU_ASSERT_EQUAL(waitpid(worker, NULL, __WALL), worker);
}

static const struct paused_case paused_rows[] = {
    {"stopped for half a second", to_worker, 500, false, true},
    {"its parent was stopped", to_parent, PAUSE_MS, true, false},
    {"all were stopped, as by a terminal", to_all, PAUSE_MS, false, false},
    {"traced", by_tracer, PAUSE_MS, false, true},
};

TEST_CASES(paused, struct paused_case, paused_rows)
{
    struct service service;
    pid_t worker = serve_one(&service);

    c->send(&service, worker, SIGSTOP);
    pass_checks(c->has_worker ? worker : 0,
                c->has_parent ? service.proc.pid : 0, c->pause_ms);
    c->send(&service, worker, SIGCONT);
    pass_checks(worker, service.proc.pid, AFTER_MS);
    CU_ASSERT_FALSE(has_said(&service, " stands still"));
    CU_ASSERT_EQUAL(workers_of(&service).pid[0], worker);
    (void)close(ask_once(&service));
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
}

TEST_SINGLE(outage,
            "an outage goes on in the worker that takes a dead one's place")
{
    static const char down[] = "] E the store is down: ";
    struct service service;
    pid_t worker = serve_one(&service);

    pass_checks(worker, service.proc.pid, AFTER_MS);
    CU_ASSERT_EQUAL(times_said(&service, down), 1);
    (void)kill(worker, SIGKILL);
    CU_ASSERT_TRUE(await_said(&service, "; next in 0 ms\n", 1));
    CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, 0));
    CU_ASSERT_NOT_EQUAL(workers_of(&service).pid[0], worker);
    worker = workers_of(&service).pid[0];
    /* It would be noticed within a second. */
    pass_checks(worker, service.proc.pid, AFTER_MS);
    CU_ASSERT_EQUAL(workers_of(&service).pid[0], worker);
    CU_ASSERT_EQUAL(times_said(&service, down), 1);
    service_end(&service);
}

TEST_SINGLE(back_off, "workers that die young are replaced ever more slowly")
{
    static const int pauses_ms[] = {100, 200, 400, 800, 900, 900};
    char next[sizeof("; next in 900 ms\n")];
    struct service service;
    unsigned died = 0;

    (void)serve_one(&service);
    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
        CU_ASSERT_EQUAL(workers_of(&service).count, 1);
        kill_others(&service, 0);
        CU_ASSERT_TRUE(await_said(&service, "; next in ", ++died));
        (void)snprintf(next, sizeof(next), "; next in %d ms\n", pauses_ms[i]);
        CU_ASSERT_TRUE(has_said(&service, next));
        CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, pauses_ms[i] - 1));
        CU_ASSERT_EQUAL(workers_of(&service).count, 0);
        CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, 1));
    }
    CU_ASSERT_EQUAL(times_said(&service, "; next in 900 ms\n"), 2);
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
}

/* How long each worker has lived, and the pause after its death. */
static const struct {
    int lived_ms, pause_ms;
} lives[] = {{0, 100}, {0, 200}, {LIVED_MS, 0}, {0, 100}};

TEST_SINGLE(back_off_anew,
            "after one that has lived the pauses are short again")
{
    char next[sizeof("; next in 100 ms\n")];
    struct service service;
    unsigned died = 0;

    (void)serve_one(&service);
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        CU_ASSERT_EQUAL(workers_of(&service).count, 1);
        pass_checks(workers_of(&service).pid[0], service.proc.pid,
                    lives[i].lived_ms);
        kill_others(&service, 0);
        CU_ASSERT_TRUE(await_said(&service, "; next in ", ++died));
        (void)snprintf(next, sizeof(next), "; next in %d ms\n",
                       lives[i].pause_ms);
        CU_ASSERT_EQUAL(times_said(&service, next), i < 3 ? 1 : 2);
        CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, lives[i].pause_ms));
    }
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
}

/* Asks for a path of a listener. The caller frees the answer. */
static void
ask(const struct service *service, const char *listener, const char *path,
    struct fcgi_peer_answer *ret_answer)
{
    const struct fcgi_peer_exchange exchange = {
        .verb = "GET", .path = path, .listener = listener};
    struct buffer whole = {0};
    char socket_path[FILES_PATH_MAX];
    int fd;

    files_path(socket_path, "%.100s/socket", service->folder);
    fd = fcgi_peer_connect(socket_path);
    fcgi_peer_whole(&whole, &exchange);
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &whole));
    CU_ASSERT_EQUAL(fcgi_peer_read(fd, CLOCK_PATIENCE_MS, ret_answer),
                    FCGI_PEER_ANSWERED);
    buffer_free(&whole);
    (void)close(fd);
}

/* The health that it reports: S8.1. */
static void
check_ready(const struct service *service, int status, const char *phase)
{
    struct fcgi_peer_answer answer = {0};

    ask(service, NULL, "/readyz", &answer);
    CU_ASSERT_EQUAL(answer.status, status);
    CU_ASSERT_PTR_NOT_NULL(strstr(fcgi_peer_answer_body(&answer), phase));
    fcgi_peer_answer_free(&answer);
}

TEST_SINGLE(phase_start,
            "it starts until its workers have been up for a moment")
{
    struct service service;

    is_clock_stopped = true;
    service_start(&service, INPUT_SOCKET, NULL, one_worker);
    is_clock_stopped = false;
    check_ready(&service, 503, "{\"status\": \"starting\", ");
    CU_ASSERT_TRUE(await_passing(&service, "] I ready: ", 1));
    check_ready(&service, 200, "{\"status\": \"degraded\", ");
    service_end(&service);
}

/* While settings are read again, older workers serve: S8.2. */
TEST_SINGLE(phase_reload, "it does not start again when it reads its settings")
{
    struct service service;

    service_serve_stopped(&service, one_worker);
    proc_signal(&service.proc, SIGHUP);
    CU_ASSERT_TRUE(await_said(&service, "] I settings read again: ", 1));
    check_ready(&service, 200, "{\"status\": \"degraded\", ");
    CU_ASSERT_EQUAL(times_said(&service, "] I ready: "), 1);
    service_end(&service);
}

/* New workers that would serve by now change nothing. */
TEST_SINGLE(phase_end, "one that ends while it reads its settings drains")
{
    static const struct fcgi_peer_exchange exchange = {.verb = "GET",
                                                       .path = "/readyz"};
    struct buffer whole = {0}, begin = {0}, rest = {0};
    struct service service;
    int fd;

    service_serve_stopped(&service, one_worker);
    fd = fcgi_peer_connect(path_of(&service));
    fcgi_peer_whole(&whole, &exchange);
    buffer_add(&begin, whole.data, 20);
    buffer_add(&rest, whole.data + 20, whole.length - 20);
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &begin));
    pass_all(&service, 0);
    proc_signal(&service.proc, SIGHUP);
    CU_ASSERT_TRUE(await_said(&service, "] I settings read again: ", 1));
    proc_signal(&service.proc, SIGTERM);
    CU_ASSERT_TRUE(await_said(&service, "] I stopping: ", 1));
    CU_ASSERT_TRUE(shared_clock_pass(service.proc.pid, STEADY_MS));
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &rest));
    check_phase(fd, 503, "{\"status\": \"draining\", ");
    CU_ASSERT_EQUAL(times_said(&service, "] I ready: "), 1);
    (void)close(fd);
    service_end(&service);
    buffer_free(&whole);
    buffer_free(&begin);
    buffer_free(&rest);
}

/* What the service answers to `scoring reload`. */
static void
check_reloads(const struct service *service, const char *want)
{
    struct fcgi_peer_answer answer = {0};

    ask(service, NULL, "reloads", &answer);
    CU_ASSERT_STRING_EQUAL(fcgi_peer_answer_body(&answer), want);
    fcgi_peer_answer_free(&answer);
}

/* The metrics that follow from the settings in force (S23.2). */
static void
check_gauges(const struct service *service, size_t workers, int published)
{
    struct fcgi_peer_answer answer = {0};
    char want[2][64];

    ask(service, "metrics", "/metrics", &answer);
    (void)snprintf(want[0], sizeof(want[0]), "\nscoring_workers_wanted %zu\n",
                   workers);
    (void)snprintf(want[1], sizeof(want[1]), "\nscoring_published_salts %d\n",
                   published);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(fcgi_peer_answer_body(&answer), want[i]));
    fcgi_peer_answer_free(&answer);
}

/* Why a worker has been replaced: S23.2. */
struct restart_case {
    const char *name;
    int number; /* the signal that the worker gets */
    const char *reason;
};

static const struct restart_case restart_rows[] = {
    {"killed", SIGKILL, "signal"},
    {"ended by itself", SIGTERM, "exit"},
};

TEST_CASES(restart, struct restart_case, restart_rows)
{
    static const char *const reasons[] = {"signal", "exit", "reload",
                                          "stalled"};
    struct service service;
    struct change one = {.service = &service, .count = 1};
    struct fcgi_peer_answer answer = {0};
    char want[96];

    service_serve(&service, one_worker);
    CU_ASSERT_TRUE_FATAL(clock_wait(has_workers, &one, CLOCK_PATIENCE_MS));
    (void)kill(workers_of(&service).pid[0], c->number);
    CU_ASSERT_TRUE(await_said(&service, " died after ", 1));
    ask(&service, "metrics", "/metrics", &answer);
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        (void)snprintf(want, sizeof(want),
                       "\nscoring_worker_restarts_total{reason=\"%s\"} %d\n",
                       reasons[i], strcmp(reasons[i], c->reason) == 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(fcgi_peer_answer_body(&answer), want));
    }
    fcgi_peer_answer_free(&answer);
    service_end(&service);
}

TEST_SINGLE(answers, "of nginx are counted within a second")
{
    char path[FILES_PATH_MAX], *left;
    struct service service;
    struct fcgi_peer_answer answer = {0};

    (void)serve_one(&service);
    files_path(path, "%.100s/socket.answers", service.folder);
    CU_ASSERT_TRUE(files_write(path, "404\n404\n"));
    for (int64_t ms = 0; ms < 1000; ms += CHECK_MS)
        pass_all(&service, CHECK_MS);
    left = files_read(path);
    CU_ASSERT_STRING_EQUAL(left != NULL ? left : "no file", "");
    free(left);
    ask(&service, "metrics", "/metrics", &answer);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(fcgi_peer_answer_body(&answer),
               "\nscoring_nginx_responses_total{code=\"404\"} 2\n"));
    fcgi_peer_answer_free(&answer);
    service_end(&service);
}

struct reload_case {
    const char *name;
    const char *before; /* the file of settings */
    const char
        *settings; /* its content at the reload; NULL: the file is removed */
    bool is_taken;
    size_t workers; /* after the reload */
    const char *says;
};

#define TWO "SCORING_WORKERS=2\n"
#define OWN TWO "SCORING_SALT=a\nSCORING_ADMIN_SALT=b\n"

static const struct reload_case reload_rows[] = {
    {"the same settings", TWO, "SCORING_WORKERS=2\n", true, 2,
     "settings read again: "},
    {"more workers", TWO, "SCORING_WORKERS=3\n", true, 3,
     "settings read again: "},
    {"fewer workers", TWO, "SCORING_WORKERS=1\n", true, 1,
     "settings read again: "},
    {"salts of one's own", TWO, OWN, true, 2, "settings read again: "},
    {"settings of nginx that are wrong", TWO FOREIGN_PORT "\n",
     TWO "HTTP_PORT=0\nHTTPS_PORT=x\nTLS_KEY=a\n", true, 2,
     "settings read again: "},
    {"a bad value", TWO, "SCORING_WORKERS=no\n", false, 2,
     "] E settings: SCORING_WORKERS: "},
    {"two bad values, the second of them", TWO,
     "SCORING_WORKERS=no\nSCORING_LOG_LEVEL=no\n", false, 2,
     "] E settings: SCORING_LOG_LEVEL: "},
    {"an unknown name", TWO, "SCORING_WORKER=1\n", false, 2,
     "] E settings: SCORING_WORKER: "},
    {"a log that cannot be opened", TWO, "SCORING_LOG_FILE=/nonexistent/log\n",
     false, 2, "] E settings: SCORING_LOG_FILE: "},
    {"a file without a setting", TWO, "", false, 2,
     "] E settings: SCORING_CONFIG_FILE: holds no setting any more\n"},
    {"no file", TWO, NULL, false, 2, "\": No such file or directory\n"},
    {"a salt that becomes the published one", OWN, "SCORING_ADMIN_SALT=b\n",
     false, 2, "] E settings: SCORING_SALT: would become a published one"},
    {"an admin's salt that becomes the published one", OWN, "SCORING_SALT=a\n",
     false, 2,
     "] E settings: SCORING_ADMIN_SALT: would become a published one"},
    {"salts by which a partner is the admin", OWN,
     "SCORING_SALT=c\nSCORING_ADMIN_SALT=c\n", false, 2,
     "] E settings: SCORING_SALT, SCORING_ADMIN_SALT: no salt of one may be "
     "equal"},
    {"an unknown time zone", TWO, "TZ=Europe/Nowhere\n", false, 2,
     "] E settings: TZ: \"Europe/Nowhere\": there is no such time zone"},
    {"what needs a restart", TWO,
     "SCORING_WORKERS=1\nSCORING_RATE_LIMIT=5\nHTTP_PORT=1\n", true, 1,
     "] E settings changed that need scoring-nginx, or a restart of make run: "
     "SCORING_RATE_LIMIT, "
     "HTTP_PORT\n"},
};

TEST_CASES(reload, struct reload_case, reload_rows)
{
    char path[FILES_PATH_MAX], setting[FILES_PATH_MAX], folder[FILES_PATH_MAX];
    const char *settings[] = {STORE, setting, NULL}, *in_force;
    struct change change = {.count = c->workers};
    struct proc_found before;
    struct service service;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(path, "%.100s/settings", folder);
    files_path(setting, "SCORING_CONFIG_FILE=%.200s", path);
    CU_ASSERT_TRUE(files_write(
        path, c->before != NULL ? c->before : "SCORING_WORKERS=2\n"));
    service_serve(&service, settings);
    before = workers_of(&service);

    CU_ASSERT_TRUE(c->settings != NULL ? files_write(path, c->settings)
                                       : unlink(path) == 0);
    proc_signal(&service.proc, SIGHUP);
    CU_ASSERT_TRUE(await_said(&service, c->says, 1));
    change.service = &service;
    if (c->is_taken)
        change.gone = before;
    else
        CU_ASSERT_TRUE(await_said(
            &service, "] E settings not read again: the old stay in force\n",
            1));
    CU_ASSERT_TRUE(change_passing(&change));
    change.gone = workers_of(&service);
    CU_ASSERT_EQUAL(is_among(&change.gone, before.pid[0]), !c->is_taken);
    check_reloads(&service, c->is_taken ? "{\"ok\": 1, \"failed\": 0}"
                                        : "{\"ok\": 0, \"failed\": 1}");
    in_force = c->is_taken ? c->settings : c->before;
    check_gauges(&service, c->workers,
                 strstr(in_force, "SCORING_SALT=") != NULL ? 0 : 2);
    CU_ASSERT_FALSE(has_said(&service, " died"));
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
    files_folder_remove(folder);
}

/* The option --config and TZ are both put into the environment. */
TEST_SINGLE(reload_zone, "a reload takes another TZ from the file of --config")
{
    static const char *const settings[] = {STORE, NULL};
    char path[FILES_PATH_MAX], folder[FILES_PATH_MAX];
    const char *arguments[ARGUMENTS_MAX] = {"serve", "--config", path};
    struct service service;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(path, "%.100s/settings", folder);
    CU_ASSERT_TRUE(files_write(path, "SCORING_LOG_FORMAT=json\nTZ=XXX-9\n"));
    service_start(&service, INPUT_SOCKET, arguments, settings);
    CU_ASSERT_TRUE(await_said(&service, "+09:00\"", 1));
    CU_ASSERT_TRUE(await_said(&service, "\"ready: ", 1));
    CU_ASSERT_TRUE(files_write(path, "SCORING_LOG_FORMAT=json\nTZ=XXX7\n"));
    proc_signal(&service.proc, SIGHUP);
    CU_ASSERT_TRUE(await_said(&service, "-07:00\"", 1));
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
    files_folder_remove(folder);
}

static void
write_model(const char *path, const char *points)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "{\"model\": \"m\", \"rules\": [{\"reason\": \"phone\", "
                   "\"given\": [\"phone\"], \"points\": %s}]}",
                   points);
    CU_ASSERT_TRUE(files_write(path, text));
}

/* S15.2. The digests are different, the names are not. */
TEST_SINGLE(reload_model, "each change of the model is logged, and only these")
{
    static const char line[] = "] I the model changes from m (";
    char path[FILES_PATH_MAX], setting[FILES_PATH_MAX], folder[FILES_PATH_MAX];
    const char *const settings[] = {STORE, setting, NULL};
    struct service service;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(path, "%.100s/model.json", folder);
    files_path(setting, "SCORING_MODEL_FILE=%.200s", path);
    write_model(path, "1");
    service_serve(&service, settings);
    for (unsigned i = 0; i < 3; i++) {
        write_model(path, i < 2 ? "2" : "2.5");
        proc_signal(&service.proc, SIGHUP);
        CU_ASSERT_TRUE(await_said(&service, "settings read again: ", i + 1));
        CU_ASSERT_EQUAL(times_said(&service, line), i < 2 ? 1 : 2);
    }
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
    files_folder_remove(folder);
}

/* S11.7. */
TEST_SINGLE(accounts_mode, "a mode beyond 0640 is told at the start and later")
{
    static const char line[] = "] E SCORING_ACCOUNTS_FILE: ";
    char path[FILES_PATH_MAX], setting[FILES_PATH_MAX], folder[FILES_PATH_MAX];
    const char *const settings[] = {STORE, setting, NULL};
    struct service service;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(path, "%.100s/accounts.json", folder);
    files_path(setting, "SCORING_ACCOUNTS_FILE=%.200s", path);
    CU_ASSERT_TRUE(files_write(path, "{\"a\": {\"salts\": [\"own\"]}}"));
    CU_ASSERT_EQUAL(chmod(path, 0604), 0);
    service_serve(&service, settings);
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(chmod(path, i == 0 ? 0660 : 0640), 0);
        proc_signal(&service.proc, SIGHUP);
        CU_ASSERT_TRUE(await_said(&service, "] I accounts: 1\n", i + 2));
    }
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    CU_ASSERT_EQUAL(times_said(&service, ": mode 0604 "), 1);
    CU_ASSERT_EQUAL(times_said(&service, ": mode 0660 "), 1);
    CU_ASSERT_EQUAL(times_said(&service, line), 2);
    service_end(&service);
    files_folder_remove(folder);
}

/* As when a terminal closes, which all processes are told. */
TEST_SINGLE(reload_group, "a SIGHUP to all is one to the parent")
{
    struct change change = {.count = 2};
    struct service service;

    service_serve(&service, two_workers);
    change.service = &service;
    change.gone = workers_of(&service);
    proc_signal_group(&service.proc, SIGHUP);
    CU_ASSERT_TRUE(await_said(&service, "settings read again: ", 1));
    CU_ASSERT_TRUE(change_passing(&change));
    CU_ASSERT_FALSE(has_said(&service, " died"));
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
}

#define STORM 20 /* reloads */

TEST_SINGLE(reload_storm, "many reloads leave the right number of workers")
{
    struct service service;
    struct change change = {.service = &service, .count = 2};
    struct change both = {.service = &service, .count = 4};

    /* The clock stands still: new workers never count as serving. */
    service_serve_stopped(&service, two_workers);
    change.gone = workers_of(&service);
    for (unsigned i = 1; i <= STORM; i++) {
        proc_signal(&service.proc, SIGHUP);
        CU_ASSERT_TRUE(await_said(&service, "settings read again: ", i));
    }
    /* Only the workers of the first and the last settings are left. */
    CU_ASSERT_TRUE(clock_wait(change_is_made, &both, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(change_passing(&change));
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    CU_ASSERT_FALSE(has_said(&service, " died"));
    service_end(&service);
}

/* Whether a process has a file open. */
static bool
holds(pid_t pid, const char *path)
{
    for (int fd = 0; fd < 64; fd++) {
        char link[64], target[FILES_PATH_MAX];
        ssize_t length;

        (void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
        length = readlink(link, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strcmp(target, path) == 0)
            return true;
    }
    return false;
}

/* A file that the parent and all workers should have open. */
struct held {
    const struct service *service;
    const char *path;
};

static bool
held_by_all(void *arg)
{
    const struct held *held = arg;
    struct proc_found workers = workers_of(held->service);

    for (size_t i = 0; i < workers.count; i++) {
        if (!holds(workers.pid[i], held->path))
            return false;
    }
    return workers.count > 0 && holds(held->service->proc.pid, held->path);
}

TEST_SINGLE(no_rotation, "a log that cannot be opened again stays open")
{
    char folder[FILES_PATH_MAX], inner[FILES_PATH_MAX], old[FILES_PATH_MAX];
    char setting[FILES_PATH_MAX];
    const char *settings[] = {STORE, "SCORING_WORKERS=1", setting, NULL};
    struct service service;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(inner, "%.100s/now", folder);
    files_path(old, "%.100s/old", folder);
    files_path(setting, "SCORING_LOG_FILE=%.200s/log", inner);
    CU_ASSERT_EQUAL(mkdir(inner, 0700), 0);
    service_start(&service, INPUT_SOCKET, NULL, settings);
    files_path(service.output, "%.100s/log", inner);
    CU_ASSERT_TRUE(await_passing(&service, "] I ready: ", 1));
    CU_ASSERT_EQUAL(rename(inner, old), 0);
    files_path(service.output, "%.100s/log", old);
    proc_signal(&service.proc, SIGUSR1);
    CU_ASSERT_TRUE(await_said(
        &service, "] E log not opened again: No such file or directory\n", 1));
    service_end(&service);
    files_folder_remove(folder);
}

TEST_SINGLE(rotation, "SIGUSR1 opens the log again in every process")
{
    char folder[FILES_PATH_MAX], log[FILES_PATH_MAX], old[FILES_PATH_MAX];
    char setting[FILES_PATH_MAX];
    const char *settings[] = {STORE, "SCORING_WORKERS=2", setting, NULL};
    static const char *const none[ARGUMENTS_MAX] = {NULL};
    struct service service;
    struct held held = {&service, log};

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(log, "%.100s/log", folder);
    files_path(old, "%.100s/log.1", folder);
    files_path(setting, "SCORING_LOG_FILE=%.200s", log);
    service_start(&service, INPUT_SOCKET, none, settings);
    CU_ASSERT_TRUE(clock_wait(held_by_all, &held, CLOCK_PATIENCE_MS));

    CU_ASSERT_EQUAL(rename(log, old), 0);
    CU_ASSERT_FALSE(held_by_all(&held));
    proc_signal(&service.proc, SIGUSR1);
    CU_ASSERT_TRUE(clock_wait(held_by_all, &held, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    service_end(&service);
    files_folder_remove(folder);
}

/* The clock stands still, so the older worker is not asked to exit yet. */
TEST_SINGLE(rotation_reload, "SIGUSR1 reaches the workers of older settings")
{
    char folder[FILES_PATH_MAX], log[FILES_PATH_MAX], old[FILES_PATH_MAX];
    char setting[FILES_PATH_MAX];
    const char *settings[] = {STORE, "SCORING_WORKERS=1", setting, NULL};
    struct service service;
    struct change both = {.service = &service, .count = 2};
    struct held held = {&service, log};

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(log, "%.100s/log", folder);
    files_path(old, "%.100s/log.1", folder);
    files_path(setting, "SCORING_LOG_FILE=%.200s", log);
    is_clock_stopped = true;
    service_start(&service, INPUT_SOCKET, NULL, settings);
    is_clock_stopped = false;
    files_path(service.output, "%.200s", log);
    CU_ASSERT_TRUE(await_passing(&service, "] I ready: ", 1));
    proc_signal(&service.proc, SIGHUP);
    CU_ASSERT_TRUE(await_said(&service, "] I settings read again: ", 1));
    CU_ASSERT_TRUE(clock_wait(change_is_made, &both, CLOCK_PATIENCE_MS));

    CU_ASSERT_TRUE(clock_wait(held_by_all, &held, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(rename(log, old), 0);
    proc_signal(&service.proc, SIGUSR1);
    CU_ASSERT_TRUE(clock_wait(held_by_all, &held, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(workers_of(&service).count, 2);
    service_end(&service);
    files_folder_remove(folder);
}

/*
 * The log is a pipe whose reader is slow: all lines of a worker that exits
 * reach it within half a second, or are counted, and the number is reported.
 */
#define BEHIND_REQUESTS 2000 /* their lines are more than a pipe holds */
#define BEHIND_OTHERS   10   /* lines that may be lost, too */
#define BEHIND_MAX      (512 * 1024)
#define BEHIND_TICK_MS  5 /* a worker that exits tries so often */

struct behind_case {
    const char *name;
    int number;
    int after_ms; /* when the reader continues, from the worker's end */
    bool is_whole;
};

static const struct behind_case behind_rows[] = {
    {"at a stop it goes on", SIGTERM, 440, true},
    {"at a stop it is too late", SIGTERM, 500, false},
    {"at a reload it goes on", SIGHUP, 440, true},
    {"at a reload it is too late", SIGHUP, 500, false},
};

/* The reader's end of the log, and what it has read. */
struct behind {
    int fd;
    size_t length;
    char text[BEHIND_MAX];
};

static unsigned
count_in(const char *text, const char *part)
{
    unsigned count = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

static void
behind_read(struct behind *behind)
{
    ssize_t got;

    do {
        got = read(behind->fd, behind->text + behind->length,
                   sizeof(behind->text) - 1 - behind->length);
        behind->length += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    behind->text[behind->length] = '\0';
}

struct behind_wait {
    struct behind *behind;
    const char *text;
    unsigned times;
};

static bool
behind_has_read(void *arg)
{
    struct behind_wait *wait = arg;

    behind_read(wait->behind);
    return count_in(wait->behind->text, wait->text) >= wait->times;
}

static bool
behind_await(struct behind *behind, const char *text, unsigned times)
{
    struct behind_wait wait = {behind, text, times};

    return clock_wait(behind_has_read, &wait, CLOCK_PATIENCE_MS);
}

/* The number between two texts, 0 if they do not occur. */
static unsigned
number_after(const char *text, const char *before)
{
    const char *at = text != NULL ? strstr(text, before) : NULL;

    return at != NULL ? (unsigned)strtoul(at + strlen(before), NULL, 10) : 0;
}

static void
ask_many(const struct service *service, unsigned count)
{
    static const struct fcgi_peer_exchange exchange = {.body = "{}",
                                                       .body_length = 2};
    int fd = ask_once(service);
    struct buffer bytes = {0};

    fcgi_peer_whole(&bytes, &exchange);
    for (unsigned i = 1; i < count; i++) {
        CU_ASSERT_TRUE(fcgi_peer_send(fd, &bytes));
        CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    }
    (void)close(fd);
    buffer_free(&bytes);
}

/* How many lost lines the log or standard error reports. */
static unsigned
said_lost(const struct service *service, const struct behind *behind)
{
    char *output = files_read(service->output);
    unsigned lost = number_after(output, "the end of the log has no reader: ");

    free(output);
    return lost + number_after(behind->text, "] E log: the last ");
}

/* The signal makes the worker exit at once, or when a new one serves. */
static void
behind_end(const struct service *service, int number)
{
    struct change both = {.service = service, .count = 2};

    proc_signal(&service->proc, number);
    CU_ASSERT_TRUE(shared_clock_pass(service->proc.pid, 0));
    if (number != SIGHUP)
        return;
    CU_ASSERT_TRUE(clock_wait(has_workers, &both, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(shared_clock_pass(service->proc.pid, STEADY_MS));
}

TEST_CASES(behind, struct behind_case, behind_rows)
{
    static struct behind behind;
    char folder[FILES_PATH_MAX], log[FILES_PATH_MAX], setting[FILES_PATH_MAX];
    const char *settings[] = {STORE, "SCORING_WORKERS=1", setting, NULL};
    struct service service;
    unsigned came;
    pid_t worker;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(log, "%.100s/log", folder);
    files_path(setting, "SCORING_LOG_FILE=%.200s", log);
    CU_ASSERT_EQUAL(mkfifo(log, 0600), 0);
    behind = (struct behind){.fd = open(log, O_RDONLY | O_NONBLOCK)};
    service_start(&service, INPUT_SOCKET, NULL, settings);
    CU_ASSERT_TRUE(behind_await(&behind, "] I ready: ", 1));
    worker = workers_of(&service).pid[0];
    ask_many(&service, BEHIND_REQUESTS);
    shared_clock_stop();
    behind_end(&service, c->number);
    CU_ASSERT_TRUE(shared_clock_pass(worker, 0));
    CU_ASSERT_EQUAL(shared_clock_pass(worker, c->after_ms), c->is_whole);
    do
        behind_read(&behind);
    while (shared_clock_pass(worker, BEHIND_TICK_MS));
    shared_clock_go();
    if (c->is_whole)
        CU_ASSERT_TRUE(behind_await(&behind, "] I request ", BEHIND_REQUESTS));
    behind_read(&behind);
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    behind_read(&behind);
    came = count_in(behind.text, "] I request ");
    CU_ASSERT_EQUAL(came < BEHIND_REQUESTS, !c->is_whole);
    CU_ASSERT(came + said_lost(&service, &behind) >= BEHIND_REQUESTS);
    CU_ASSERT(came + said_lost(&service, &behind) <=
              BEHIND_REQUESTS + BEHIND_OTHERS);
    CU_ASSERT_EQUAL(said_lost(&service, &behind) > 0, !c->is_whole);
    (void)close(behind.fd);
    service_end(&service);
    files_folder_remove(folder);
}

#define UNREAD_REQUESTS 10

/* Makes a pipe that is full. Its writer is the test, which reads from
 * *ret_reader. */
static int
full_pipe(const char *path, int *ret_reader)
{
    int writer;

    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    *ret_reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    CU_ASSERT_FATAL(*ret_reader >= 0 && writer >= 0);
    while (write(writer, "x", 1) == 1)
        continue;
    return writer;
}

/* What is missing at the end of the log itself is told once, by the parent. */
TEST_SINGLE(unread, "lines at the end that nobody reads are told elsewhere")
{
    static const char words[] = "scoring: the end of the log has no reader: ";
    char folder[FILES_PATH_MAX], log[FILES_PATH_MAX], setting[FILES_PATH_MAX];
    const char *settings[] = {STORE, "SCORING_WORKERS=1", setting, NULL};
    struct service service;
    char *output;
    int reader, writer;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(log, "%.100s/log", folder);
    files_path(setting, "SCORING_LOG_FILE=%.200s", log);
    writer = full_pipe(log, &reader);
    service_start(&service, INPUT_SOCKET, NULL, settings);
    ask_many(&service, UNREAD_REQUESTS);
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), EX_OK);
    CU_ASSERT_EQUAL(times_said(&service, words), 1);
    output = files_read(service.output);
    CU_ASSERT(number_after(output, words) > UNREAD_REQUESTS);
    free(output);
    (void)close(reader);
    (void)close(writer);
    service_end(&service);
    files_folder_remove(folder);
}

TEST_SINGLE(late_reload, "lines that wait for their reader outlive a reload")
{
    static struct behind behind;
    char folder[FILES_PATH_MAX], log[FILES_PATH_MAX], setting[FILES_PATH_MAX];
    const char *settings[] = {STORE, "SCORING_WORKERS=1", setting, NULL};
    struct service service;
    struct change change = {.service = &service, .count = 1};
    int writer;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(log, "%.100s/log", folder);
    files_path(setting, "SCORING_LOG_FILE=%.200s", log);
    writer = full_pipe(log, &behind.fd);
    service_start(&service, INPUT_SOCKET, NULL, settings);
    CU_ASSERT_TRUE(clock_wait(has_workers, &change, CLOCK_PATIENCE_MS));
    change.gone = workers_of(&service);
    proc_signal(&service.proc, SIGHUP);
    CU_ASSERT_TRUE(clock_wait(change_is_made, &change, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(behind_await(&behind, "] I settings read again: ", 1));
    CU_ASSERT_EQUAL(count_in(behind.text, "] I started: "), 1);
    (void)close(behind.fd);
    (void)close(writer);
    service_end(&service);
    files_folder_remove(folder);
}

struct secret_case {
    const char *name;
    const char *settings[SETTINGS_MAX];
    bool is_warned; /* about published salts */
    const char *says;
};

static const struct secret_case secret_rows[] = {
    {"the published salts",
     {STORE},
     true,
     "store unix:///nonexistent/redis.sock?db=0\n"},
    {"one of them", {STORE, "SCORING_SALT=Hidden"}, true, "store unix://"},
    {"the other one",
     {STORE, "SCORING_ADMIN_SALT=Hidden"},
     true,
     "store unix://"},
    {"none of them",
     {STORE, "SCORING_SALT=Hidden", "SCORING_ADMIN_SALT=HiddenToo"},
     false,
     "store unix://"},
    {"a password in the URL",
     {"REDIS_URL=redis://Hidden:Hidden@127.0.0.1:1/3"},
     true,
     "store redis://127.0.0.1:1/3\n"},
    {"an IPv6 address",
     {"REDIS_URL=redis://:Hidden@[::1]:1"},
     true,
     "store redis://[::1]:1/0\n"},
};

TEST_CASES(secret, struct secret_case, secret_rows)
{
    struct service service;

    service_serve(&service, c->settings);
    CU_ASSERT_EQUAL(has_said(&service, "] E running with the published"),
                    c->is_warned);
    CU_ASSERT_TRUE(has_said(&service, c->says));
    CU_ASSERT_TRUE(proc_stop(&service.proc));
    CU_ASSERT_FALSE(has_said(&service, "Hidden"));
    service_end(&service);
}

/* Restricts this process, and those that it starts, to one processor, or lifts
 * the restriction. */
static void
use_cores(cpu_set_t *all, bool is_one)
{
    cpu_set_t one;

    if (is_one) {
        CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(*all), all), 0);
        CPU_ZERO(&one);
        for (size_t core = 0; CPU_COUNT(&one) == 0 && core < CPU_SETSIZE;
             core++) {
            if (CPU_ISSET(core, all))
                CPU_SET(core, &one);
        }
    }
    CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(one), is_one ? &one : all), 0);
}

static int
count_descriptors(pid_t pid)
{
    int count = 0;

    for (int fd = 0; fd < 64; fd++) {
        char link[64], target[FILES_PATH_MAX];

        (void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
        count += readlink(link, target, sizeof(target)) > 0;
    }
    return count;
}

#define STANDBY_MS 50 /* the reserve waits so long for the others */

struct reserve_case {
    const char *name;
    bool is_first_frozen;
    int reserve; /* connections that the reserve takes, of 4 */
};

static const struct reserve_case reserve_rows[] = {
    {"takes none while there is a worker on every core", false, 0},
    {"takes what the others leave waiting", true, 4},
};

/* The default is two workers per processor; here there is one processor. */
TEST_CASES(reserve, struct reserve_case, reserve_rows)
{
    static const char *const settings[] = {STORE, NULL};
    struct proc_found workers;
    struct service service;
    cpu_set_t all;
    int fd[4], before[2], taken[2];

    use_cores(&all, true);
    service_serve_stopped(&service, settings);
    use_cores(&all, false);
    workers = workers_of(&service);
    CU_ASSERT_EQUAL_FATAL(workers.count, 2);
    pass_all(&service, 0);
    for (size_t i = 0; i < 2; i++)
        before[i] = count_descriptors(workers.pid[i]);
    if (c->is_first_frozen)
        (void)kill(workers.pid[0], SIGSTOP);
    for (size_t i = 0; i < 4; i++)
        fd[i] = fcgi_peer_connect(path_of(&service));
    for (size_t i = 0; i < 4 && !c->is_first_frozen; i++) /* one per turn */
        CU_ASSERT_TRUE(shared_clock_pass(workers.pid[0], 0));
    CU_ASSERT_TRUE(shared_clock_pass(workers.pid[1], 0));
    CU_ASSERT_TRUE(shared_clock_pass(workers.pid[1], STANDBY_MS - 1));
    CU_ASSERT_EQUAL(count_descriptors(workers.pid[1]), before[1]);
    CU_ASSERT_TRUE(
        shared_clock_pass(workers.pid[c->is_first_frozen ? 1 : 0], 1));
    for (size_t i = 0; i < 2; i++)
        taken[i] = count_descriptors(workers.pid[i]) - before[i];
    CU_ASSERT_EQUAL(taken[0], 4 - c->reserve);
    CU_ASSERT_EQUAL(taken[1], c->reserve);
    for (size_t i = 0; i < 4; i++)
        (void)close(fd[i]);
    (void)kill(workers.pid[0], SIGCONT);
    service_end(&service);
}

TEST_SUITE(.parts = 4);
