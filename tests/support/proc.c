/*
 * Programs that the integration tests start: every wait has a limit, and
 * nothing outlives the test program.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "proc.h"

#define PROC_STARTED_MAX 64 /* programs started and not yet ended */
#define PROC_NAME_MAX    64
#define PROC_STAT_MAX    1024 /* a line of 52 numbers and a name of 15 bytes */
#define PROC_NAMED_MAX   256  /* processes with one name */
#define PROC_EXEC_FAILED 127  /* as in a shell */

/* gcov's messages, of a run for coverage, are not the program's output. */
#define PROC_GCOV_ERRORS "GCOV_ERROR_FILE"

/* Programs that were started here: they are no orphans. */
static pid_t started[PROC_STARTED_MAX];

static pid_t *
started_find(pid_t pid)
{
    for (size_t i = 0; i < PROC_STARTED_MAX; i++) {
        if (started[i] == pid)
            return &started[i];
    }
    return NULL;
}

static void
redirect(const char *path, int flags, int to)
{
    int fd = open(path, flags, 0600);

    if (fd < 0 || dup2(fd, to) < 0)
        _exit(PROC_EXEC_FAILED);
    if (fd != to)
        (void)close(fd);
}

/* In the child. */
static void
run(const struct proc_plan *plan, pid_t parent)
{
    const char *output = plan->output != NULL ? plan->output : "/dev/null";
    const char *errors = getenv(PROC_GCOV_ERRORS);

    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, plan->death_signal);
    if (getppid() != parent)
        _exit(PROC_EXEC_FAILED);
    (void)signal(SIGPIPE, SIG_DFL);
    /* A shell ignores these signals for background jobs. */
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGQUIT, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL); /* as nohup does for all */
    redirect("/dev/null", O_RDONLY, STDIN_FILENO);
    redirect(output, O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
    (void)dup2(STDOUT_FILENO, STDERR_FILENO);
    if (plan->environment != NULL)
        environ = (char **)(void *)plan->environment;
    if (errors != NULL)
        (void)setenv(PROC_GCOV_ERRORS, errors, 1);
    (void)execvp(plan->argv[0], (char *const *)(void *)plan->argv);
    _exit(PROC_EXEC_FAILED);
}

bool
proc_start(struct proc *proc, const struct proc_plan *plan)
{
    pid_t parent = getpid();
    pid_t *slot = started_find(0);
    pid_t pid;

    if (slot == NULL)
        return false;
    (void)fflush(NULL);
    pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0)
        run(plan, parent);
    (void)setpgid(pid, pid);
    *slot = pid;
    *proc = (struct proc){.pid = pid};
    return true;
}

static bool
has_ended(void *arg)
{
    struct proc *proc = arg;
    pid_t *slot;

    if (proc->pid == 0 || proc->has_ended)
        return true;
    if (waitpid(proc->pid, &proc->status, WNOHANG) == 0)
        return false;
    proc->has_ended = true;
    slot = started_find(proc->pid);
    if (slot != NULL)
        *slot = 0;
    return true;
}

bool
proc_wait(struct proc *proc, int limit_ms)
{
    return clock_wait(has_ended, proc, limit_ms);
}

int
proc_exit_status(const struct proc *proc)
{
    if (!proc->has_ended || !WIFEXITED(proc->status))
        return -1;
    return WEXITSTATUS(proc->status);
}

void
proc_signal(const struct proc *proc, int number)
{
    if (proc->pid > 0 && !proc->has_ended)
        (void)kill(proc->pid, number);
}

void
proc_signal_group(const struct proc *proc, int number)
{
    if (proc->pid > 0 && !proc->has_ended)
        (void)kill(-proc->pid, number);
}

void
proc_kill(struct proc *proc)
{
    proc_signal(proc, SIGKILL);
    (void)proc_wait(proc, CLOCK_PATIENCE_MS);
}

bool
proc_stop(struct proc *proc)
{
    proc_signal(proc, SIGTERM);
    if (proc_wait(proc, CLOCK_PATIENCE_MS))
        return true;
    proc_kill(proc);
    return false;
}

/* A process, from /proc. */
struct entry {
    pid_t pid, parent;
    char state;
    char name[PROC_NAME_MAX];
};

/* The name is in brackets, and may itself contain brackets. */
static bool
entry_read(pid_t pid, struct entry *ret_entry)
{
    char path[PROC_NAME_MAX], line[PROC_STAT_MAX];
    char *open_bracket, *close_bracket;
    ssize_t length;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    length = read(fd, line, sizeof(line) - 1);
    (void)close(fd);
    line[length > 0 ? length : 0] = '\0';
    open_bracket = strchr(line, '(');
    close_bracket = strrchr(line, ')');
    if (open_bracket == NULL || close_bracket == NULL)
        return false;
    *close_bracket = '\0';
    if (sscanf(close_bracket + 1, " %c %d", &ret_entry->state,
               &ret_entry->parent) != 2)
        return false;
    ret_entry->pid = pid;
    (void)snprintf(ret_entry->name, sizeof(ret_entry->name), "%s",
                   open_bracket + 1);
    return true;
}

typedef void entry_fn(const struct entry *entry, void *arg);

static void
each_entry(entry_fn *visit, void *arg)
{
    DIR *folder = opendir("/proc");
    const struct dirent *item;

    while (folder != NULL && (item = readdir(folder)) != NULL) {
        struct entry entry;
        int pid = atoi(item->d_name);

        if (pid > 0 && entry_read(pid, &entry))
            visit(&entry, arg);
    }
    if (folder != NULL)
        (void)closedir(folder);
}

void
proc_adopt_orphans(void)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Also reaps dead orphans. */
static bool
is_orphan(const struct entry *entry)
{
    if (entry->parent != getpid() || started_find(entry->pid) != NULL)
        return false;
    if (entry->state != 'Z')
        return true;
    (void)waitpid(entry->pid, NULL, 0);
    return false;
}

static void
count_orphan(const struct entry *entry, void *arg)
{
    if (is_orphan(entry))
        (*(size_t *)arg)++;
}

size_t
proc_count_orphans(void)
{
    size_t count = 0;

    each_entry(count_orphan, &count);
    return count;
}

static void
end_orphan(const struct entry *entry, void *arg)
{
    if (!is_orphan(entry))
        return;
    (void)printf("left running: %d %s\n", (int)entry->pid, entry->name);
    (void)kill(entry->pid, SIGKILL);
    (void)waitpid(entry->pid, NULL, 0);
    (*(size_t *)arg)++;
}

size_t
proc_end_orphans(void)
{
    size_t count = 0;

    each_entry(end_orphan, &count);
    return count;
}

static bool
is_below(pid_t pid, pid_t ancestor)
{
    struct entry entry;

    while (pid > 1 && entry_read(pid, &entry)) {
        if (entry.parent == ancestor)
            return true;
        pid = entry.parent;
    }
    return false;
}

/* All processes with a name, without zombies: /proc is read once for all that
 * is asked about them. */
struct named {
    const char *name;
    size_t count;
    struct entry entries[PROC_NAMED_MAX];
};

static void
add_named(const struct entry *entry, void *arg)
{
    struct named *named = arg;

    if (strcmp(entry->name, named->name) == 0 && entry->state != 'Z' &&
        named->count < PROC_NAMED_MAX)
        named->entries[named->count++] = *entry;
}

static void
found_add(struct proc_found *found, pid_t pid)
{
    if (found->count < PROC_FOUND_MAX)
        found->pid[found->count++] = pid;
}

static struct proc_found
children_among(const struct named *named, pid_t parent)
{
    struct proc_found found = {0};

    for (size_t i = 0; i < named->count; i++) {
        if (named->entries[i].parent == parent)
            found_add(&found, named->entries[i].pid);
    }
    return found;
}

static bool
has_pid(const struct named *named, pid_t pid)
{
    for (size_t i = 0; i < named->count; i++) {
        if (named->entries[i].pid == pid)
            return true;
    }
    return false;
}

static struct proc_found
masters_among(const struct named *named, pid_t ancestor)
{
    struct proc_found found = {0};

    for (size_t i = 0; i < named->count; i++) {
        const struct entry *entry = &named->entries[i];

        if (!has_pid(named, entry->parent) &&
            (entry->pid == ancestor || is_below(entry->pid, ancestor)))
            found_add(&found, entry->pid);
    }
    return found;
}

struct proc_found
proc_find_masters(pid_t ancestor, const char *name)
{
    struct named named = {.name = name};

    each_entry(add_named, &named);
    return masters_among(&named, ancestor);
}

struct proc_found
proc_find_children(pid_t parent, const char *name)
{
    struct named named = {.name = name};

    each_entry(add_named, &named);
    return children_among(&named, parent);
}

struct proc_found
proc_find_workers(pid_t ancestor, const char *name)
{
    struct named named = {.name = name};
    struct proc_found masters;

    each_entry(add_named, &named);
    masters = masters_among(&named, ancestor);
    if (masters.count != 1)
        return (struct proc_found){0};
    return children_among(&named, masters.pid[0]);
}
