#ifndef STACK_H
#define STACK_H

#include <stdbool.h>

#include "files.h"
#include "peer.h"
#include "proc.h"
#include "redis.h"

#define STACK_PASSWORD "s3cret-of-the-tests" /* of the Redis */

/* Which store a stack is pointed at. */
enum stack_store {
    STACK_REDIS_TCP = 0, /* the stack's Redis over TCP */
    STACK_REDIS_UNIX,
    STACK_REDIS_PEER,   /* the same through a proxy with faults */
    STACK_REDIS_ABSENT, /* like STACK_REDIS_TCP, but not started yet */
    STACK_URL_GIVEN     /* REDIS_URL is in environment, or left out there */
};

struct stack_plan {
    enum stack_store store;
    const char *const *environment; /* "NAME=value", NULL at the end; or NULL */
};

/* nginx, the service and its store, started by deploy/run.sh as they ship. */
struct stack {
    int port;                        /* of HTTP */
    int metrics_port;                /* 0: not given */
    char folder[FILES_PATH_MAX];     /* private; holds all below */
    char run_folder[FILES_PATH_MAX]; /* RUN_DIR */
    char output[FILES_PATH_MAX];     /* what run.sh printed */
    char log[FILES_PATH_MAX];        /* of the service */
    char settings[FILES_PATH_MAX];   /* SCORING_CONFIG_FILE; empty */
    struct redis redis;
    struct peer *peer; /* of STACK_REDIS_PEER; else NULL */
    struct proc proc;
};

/* Prepares folder, port and Redis; what is in it may be altered then. */
bool stack_init(struct stack *stack);

/*
 * Starts the store and run.sh. stack_start() waits until it says that it is
 * ready; without that it prints what was said, and ends all.
 */
bool stack_launch(struct stack *stack, const struct stack_plan *plan);
bool stack_is_ready(struct stack *stack, int limit_ms);
bool stack_start(struct stack *stack, const struct stack_plan *plan);

/*
 * Ends all of it and removes the folder. False, with the reason printed, if
 * run.sh did not end in order or a process was left behind.
 */
bool stack_stop(struct stack *stack);

/* Prints what run.sh has said, for a test that fails since it did not start. */
void stack_print_output(const struct stack *stack);

/* Removes what is left of a stack whose run.sh has ended by itself. */
void stack_discard(struct stack *stack);

/*
 * The one stack that the tests of a suite share: started when first asked
 * for, ended when another plan is asked for, or by stack_shared_end(). A plan
 * is known by its address. Fails the test fatally if it does not start.
 */
struct stack *stack_shared(const struct stack_plan *plan);
bool stack_shared_end(void);

/* The process of the service that supervises the others; 0 if there is none. */
pid_t stack_parent(const struct stack *stack);
struct proc_found stack_workers(const struct stack *stack);

/* A signal to it; false: there is none. */
bool stack_signal(const struct stack *stack, int number);

/* All metrics, to be freed; NULL: there is no answer. */
char *stack_metrics(const struct stack *stack);

/* The value of a sample, given by name and labels as they are; -1: none. */
double stack_metric(const struct stack *stack, const char *sample);
double stack_metric_in(const char *metrics, const char *sample);

/* How many lines of the service's log match an extended pattern. */
size_t stack_log_count(const struct stack *stack, const char *pattern);

/* Waits until that many lines match. */
bool stack_log_wait(const struct stack *stack, const char *pattern,
                    size_t count);

#endif
