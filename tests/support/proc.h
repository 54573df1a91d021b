#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A program that a test has started. pid 0: none. */
struct proc {
    pid_t pid;
    bool has_ended;
    int status; /* of waitpid(), once it has ended */
};

struct proc_plan {
    const char *const *argv;        /* argv[0] is looked up in PATH */
    const char *const *environment; /* whole; NULL: ours */
    const char *output; /* file for both outputs, appended to; NULL: none */
    int death_signal;   /* that it gets when the test program dies */
};

/* It leads a process group of its own. Call on the main thread only. */
bool proc_start(struct proc *proc, const struct proc_plan *plan);

/* Whether it has ended within the time; 0 asks without waiting. */
bool proc_wait(struct proc *proc, int limit_ms);

/* The exit status, or -1 if it runs or was ended by a signal. */
int proc_exit_status(const struct proc *proc);

void proc_signal(const struct proc *proc, int number);

/* As the terminal does for Ctrl-C: to the whole group. */
void proc_signal_group(const struct proc *proc, int number);

/* SIGTERM, and SIGKILL if that does not help. False if it had to be killed. */
bool proc_stop(struct proc *proc);

/* SIGKILL. */
void proc_kill(struct proc *proc);

/*
 * Makes this program the parent of every orphan below it: that is how a
 * stopped program is seen to have left something running.
 */
void proc_adopt_orphans(void);

/* Orphans that still run. */
size_t proc_count_orphans(void);

/* The same, and they are killed, each with a line that says so. */
size_t proc_end_orphans(void);

#define PROC_FOUND_MAX 64
struct proc_found {
    size_t count;
    pid_t pid[PROC_FOUND_MAX];
};

/*
 * The processes below an ancestor, at any depth, that have the name while
 * their own parent has another; zombies do not count.
 */
struct proc_found proc_find_masters(pid_t ancestor, const char *name);

/* The children of a process that have the name. */
struct proc_found proc_find_children(pid_t parent, const char *name);

#endif
