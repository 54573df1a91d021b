#ifndef STACK_H
#define STACK_H

#include <stdbool.h>

#include "files.h"
#include "peer.h"
#include "proc.h"
#include "redis.h"

#define STACK_PASSWORD "s3cret-of-the-tests" /* of the Redis */

/* The store that a stack uses. */
enum stack_store {
    STACK_REDIS_TCP = 0, /* the stack's Redis over TCP */
    STACK_REDIS_UNIX,    /* over its unix socket */
    STACK_REDIS_PEER,    /* through a proxy with faults */
    STACK_REDIS_ABSENT,  /* as STACK_REDIS_TCP, but not started yet */
    STACK_URL_GIVEN      /* environment has REDIS_URL, or leaves it out */
};

struct stack_plan {
    enum stack_store store;
    const char *const *environment; /* "NAME=value", NULL at the end; or NULL */
};

/* nginx, the service and its store, started by deploy/run.sh as for users. */
struct stack {
    int port;                        /* of HTTP */
    int metrics_port;                /* 0: not given */
    char folder[FILES_PATH_MAX];     /* private; has all files below */
    char run_folder[FILES_PATH_MAX]; /* RUN_DIR */
    char output[FILES_PATH_MAX];     /* file with the output of run.sh */
    char log[FILES_PATH_MAX];        /* of the service */
    char settings[FILES_PATH_MAX];   /* SCORING_CONFIG_FILE; empty */
    struct redis redis;
    struct peer *peer; /* of STACK_REDIS_PEER; else NULL */
    struct proc proc;
};

/* Prepares folder, port and Redis; a test may then change them. */
bool stack_init(struct stack *stack);

/*
 * Starts the store and run.sh. stack_start() also waits until run.sh prints
 * that it is ready; if it does not, prints its output, and stops everything.
 */
bool stack_launch(struct stack *stack, const struct stack_plan *plan);
bool stack_is_ready(struct stack *stack, int limit_ms);
bool stack_start(struct stack *stack, const struct stack_plan *plan);

/*
 * Stops everything, and removes the folder. Returns false, with the reason
 * printed, if run.sh failed or a process was left running.
 */
bool stack_stop(struct stack *stack);

/* Prints the output of run.sh, for a test that fails because it did not start.
 */
void stack_print_output(const struct stack *stack);

/* Checks that run.sh fails, prints these words, is never ready, and leaves no
 * process. */
void stack_expect_refused(struct stack *stack, const char *words);

/* Removes what is left of a stack whose run.sh has ended by itself. */
void stack_discard(struct stack *stack);

/*
 * The stack that the tests of a suite share. It is started at the first call,
 * and stopped by a call with another plan, or by stack_shared_end(). Plans are
 * compared by their addresses. Fails the test fatally if it does not start.
 */
struct stack *stack_shared(const struct stack_plan *plan);
bool stack_shared_end(void);

/* The parent process of the service (0: none), and its workers. */
pid_t stack_parent(const struct stack *stack);
struct proc_found stack_workers(const struct stack *stack);

/* Waits until there are so many workers, and none of those. */
bool stack_wait_replaced(const struct stack *stack,
                         const struct proc_found *before, size_t workers);

/* Sends a signal to the parent; returns false if there is none. */
bool stack_signal(const struct stack *stack, int number);

/* All metrics, which the caller frees; NULL: there is no answer. */
char *stack_metrics(const struct stack *stack);

/* The value of a sample, by its exact name and labels; -1: there is none. */
double stack_metric(const struct stack *stack, const char *sample);
double stack_metric_in(const char *metrics, const char *sample);

/* How many lines of the service's log match an extended pattern. */
size_t stack_log_count(const struct stack *stack, const char *pattern);

/* Waits until that many lines match. */
bool stack_log_wait(const struct stack *stack, const char *pattern,
                    size_t count);

#endif
