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
    const char *const *environment; /* whole; NULL: that of this program */
    const char *output; /* file for both outputs, appended to; NULL: none */
    int death_signal;   /* sent to it when the test program dies */
};

/* Starts a program in its own process group. For the main thread only. */
bool proc_start(struct proc *proc, const struct proc_plan *plan);

/* Whether it ends within the time; 0: whether it has ended. */
bool proc_wait(struct proc *proc, int limit_ms);

/* The exit status; -1 if it is running, or was ended by a signal. */
int proc_exit_status(const struct proc *proc);

void proc_signal(const struct proc *proc, int number);

/* Sends a signal to its process group, as a terminal does for Ctrl-C. */
void proc_signal_group(const struct proc *proc, int number);

/* Sends SIGTERM and, if it does not end in time, SIGKILL; then returns false.
 */
bool proc_stop(struct proc *proc);

/* Sends SIGKILL, and waits for its end. */
void proc_kill(struct proc *proc);

/*
 * Makes this program the parent of all orphans below it: so a test sees
 * processes that a stopped program has left running.
 */
void proc_adopt_orphans(void);

/* How many orphans are running. */
size_t proc_count_orphans(void);

/* Kills all orphans, and prints a line for each; returns how many. */
size_t proc_end_orphans(void);

#define PROC_FOUND_MAX 64
struct proc_found {
    size_t count;
    pid_t pid[PROC_FOUND_MAX];
};

/*
 * The processes below an ancestor, at any depth, with this name and a parent of
 * another name; without zombies.
 */
struct proc_found proc_find_masters(pid_t ancestor, const char *name);

/* The children of a process with this name. */
struct proc_found proc_find_children(pid_t parent, const char *name);

/* The children, with this name, of the one master; none if there are several.
 */
struct proc_found proc_find_workers(pid_t ancestor, const char *name);

#endif
