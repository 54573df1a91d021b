#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Counters, gauges and outage flags in memory that the parent maps before it
 * forks, and that all workers share: they survive any worker. Each worker
 * counts in a block of its own, so that workers do not compete for cache lines;
 * the next worker with the same slot continues the counts. Updates are atomic.
 * metrics_text.h prints all of it.
 */
struct metrics;

/* The codes of answers that nginx gives by itself: each has a counter (S23.4).
 */
#define METRICS_NGINX_CODES(ROW)                                               \
    ROW(308), ROW(400), ROW(403), ROW(404), ROW(405), ROW(408), ROW(411),      \
        ROW(413), ROW(414), ROW(415), ROW(417), ROW(421), ROW(429), ROW(431),  \
        ROW(500), ROW(501), ROW(502), ROW(503), ROW(504), ROW(505)

#define METRICS_NGINX_NUMBER(code) METRIC_NGINX_##code

enum metric {
    METRIC_CACHE_HITS = 0,
    METRIC_CACHE_MISSES,
    METRIC_RECORDS_OK, /* in requests for many scores */
    METRIC_RECORDS_BAD,
    METRIC_READ_OK, /* required reads, on which an answer depends */
    METRIC_READ_DOWN,
    METRIC_READ_TIMEOUT,
    METRIC_READ_REFUSED,
    METRIC_READ_LARGE,
    METRIC_READ_MEMORY,
    METRIC_CACHE_READ_OK,
    METRIC_CACHE_READ_DOWN,
    METRIC_CACHE_READ_TIMEOUT,
    METRIC_CACHE_READ_REFUSED,
    METRIC_CACHE_READ_LARGE,
    METRIC_CACHE_READ_MEMORY,
    METRIC_CACHE_WRITE_OK,
    METRIC_CACHE_WRITE_LOST,
    METRIC_STORE_RETRIES,
    METRIC_REDIRECTIONS,
    METRIC_BREAKER_OPENED,
    METRIC_CONNECTED,
    METRIC_CONNECT_REFUSED,
    METRIC_CONNECT_UNREACHABLE,
    METRIC_CONNECT_TIMEOUT,
    METRIC_CONNECT_NAME,
    METRIC_CONNECT_TLS,
    METRIC_CONNECT_HANDSHAKE,
    METRIC_CONNECT_ROLE,
    METRIC_CONNECT_BROKEN,
    METRIC_ERROR_FCGI,
    METRIC_ERROR_VALUE,
    METRIC_ERROR_MEMORY,
    METRIC_ERROR_SYSTEM, /* the system, or a library, refused something else */
    METRIC_ERROR_ACCEPT,
    METRIC_LOG_LINES_LOST,
    METRIC_RESTART_SIGNAL,
    METRIC_RESTART_EXIT,
    METRIC_RESTART_RELOAD,
    METRIC_RESTART_STALLED,
    METRIC_RELOAD_OK,
    METRIC_RELOAD_FAILED,
    METRICS_NGINX_CODES(METRICS_NGINX_NUMBER), /* one for each */
    METRIC_NGINX_OTHER,
    METRIC__MAX
};

/* An outage is noticed by every worker, and logged once. */
enum outage {
    OUTAGE_STORE = 0, /* the breaker of a worker is open */
    OUTAGE_SERVER,    /* the first of those of single servers: each address has
                         its own, see metrics_outage_of() */
    OUTAGE__MAX = 512
};

/* The outage of all servers that have none of their own. */
#define METRICS_OUTAGE_SHARED (OUTAGE__MAX - 1)

#define METRICS_ADDRESS_SIZE 272 /* of a server: host, port, and a NUL */

/*
 * Operations that the server may refuse while it answers others (S20.3). What
 * one worker observes holds for all workers.
 */
enum refusal {
    REFUSAL_READ = 0, /* a required read of one key */
    REFUSAL_MANY,     /* a required read of several keys */
    REFUSAL_CACHE,    /* a cache read */
    REFUSAL_WRITE,    /* a cache write: refused, or lost */
    REFUSAL__MAX
};

/*
 * A refusal is over after so long without another one. Otherwise a server that
 * refuses only some keys would be logged again and again. Source: S20.3.
 */
#define METRICS_REFUSAL_QUIET_MS 3000

/* The state of the service as a whole. */
enum metrics_phase {
    METRICS_STARTING = 0, /* some workers are not up yet */
    METRICS_SERVING,
    METRICS_DRAINING /* finishes pending requests, and exits */
};

#define METRICS_WORKERS_MAX 1024 /* of SCORING_WORKERS */

/* Each worker has one. At a reload old and new workers overlap. */
#define METRICS_SLOTS (2 * METRICS_WORKERS_MAX)

/*
 * Requests are counted by the indexes of method and status in the tables of
 * scoring/ and base/outcome.c. The last method stands for requests that name no
 * existing method.
 */
#define METRICS_METHODS  9
#define METRICS_STATUSES 16

/*
 * Places for the counts of accounts. There are more than accounts, so that an
 * account that is listed again finds its counts. Source: S11.6.
 */
#define METRICS_ACCOUNTS 4096

/* The longest list of salts. */
#define METRICS_SALTS 16

/* Buckets of the durations; the last one has no upper bound. */
#define METRICS_BUCKETS 16

/* The upper bound of a bucket, inclusive; bucket < METRICS_BUCKETS - 1. */
int64_t metrics_bucket_us(size_t bucket);

/* Returns NULL with errno set on failure. */
struct metrics *metrics_new(void);

/* Unmaps the memory from this process only. Accepts NULL. */
void metrics_free(struct metrics *metrics);

/* From now on this process counts as the worker with this slot. */
void metrics_use_slot(struct metrics *metrics, int slot);

void metrics_add(struct metrics *metrics, enum metric metric, uint64_t by);
uint64_t metrics_get(const struct metrics *metrics, enum metric metric);

/*
 * Counts a request that has been answered.
 *
 * method, status    indexes; one that is too large counts as the last one.
 */
void metrics_add_request(struct metrics *metrics, size_t method, size_t status,
                         int64_t duration_us);
uint64_t metrics_get_requests(const struct metrics *metrics, size_t method,
                              size_t status);

/*
 * Counts a request of the account with this place; does nothing beyond the
 * last.
 */
void metrics_add_account(struct metrics *metrics, size_t place, size_t status);
uint64_t metrics_get_account(const struct metrics *metrics, size_t place,
                             size_t status);

/* Sets the counts to 0, because the place is given to another account. */
void metrics_clear_account(struct metrics *metrics, size_t place);

/* Counts a valid token. salt: the position of its salt in the list, from 1. */
void metrics_add_token(struct metrics *metrics, size_t salt);
uint64_t metrics_get_tokens(const struct metrics *metrics, size_t salt);

struct metrics_durations {
    uint64_t buckets[METRICS_BUCKETS]; /* not cumulative */
    uint64_t sum_us;
};
struct metrics_durations metrics_get_durations(const struct metrics *metrics,
                                               size_t method);

/* Gauges that follow from the settings in force. The parent sets them. */
enum metrics_setting {
    METRICS_WANTED = 0, /* number of workers */
    METRICS_PUBLISHED,  /* number of published salts, of users and the admin */
    METRICS_SETTINGS
};
void metrics_set(struct metrics *metrics, enum metrics_setting what,
                 unsigned value);
unsigned metrics_get_setting(const struct metrics *metrics,
                             enum metrics_setting what);

/* Lists at most max processes: the parent first, then the workers. */
size_t metrics_list_pids(const struct metrics *metrics, pid_t *ret_pids,
                         size_t max);

/*
 * The largest cpu_ms of all calls so far: the time of a worker that ends while
 * the times are added up is missing once, and a counter must not decrease.
 */
uint64_t metrics_at_least(const struct metrics *metrics, uint64_t cpu_ms);

/* How many requests of this worker wait for the store now. */
void metrics_set_parked(struct metrics *metrics, uint64_t parked);
uint64_t metrics_get_parked(const struct metrics *metrics);

/*
 * This worker is to hold an answer of so many bytes until its caller has read
 * it. Returns whether it may: if this takes at most half of what all workers
 * have left of `most`, or if none of them holds another one. Call
 * metrics_release() for each that was held. Source: S4.2.
 */
bool metrics_hold(struct metrics *metrics, uint64_t bytes, uint64_t most);
void metrics_release(struct metrics *metrics, uint64_t bytes);
uint64_t metrics_get_held(const struct metrics *metrics);

/*
 * Shows the parent that this worker is not stalled (S25.2): the number changes
 * with each answered request, by itself, and with each call.
 */
void metrics_beat(struct metrics *metrics);
uint64_t metrics_get_beats(const struct metrics *metrics, int slot);

/*
 * Log lines that would be lost without notice if this process died: `waiting`
 * in its buffer, and `untold`, lost lines that the log has not reported yet.
 */
void metrics_set_log(struct metrics *metrics, uint64_t waiting,
                     uint64_t untold);

/*
 * For a dead worker: counts its waiting lines as lost; returns the sum of both.
 */
uint64_t metrics_take_log(struct metrics *metrics, int slot);

void metrics_set_phase(struct metrics *metrics, enum metrics_phase phase);
enum metrics_phase metrics_get_phase(const struct metrics *metrics);

/*
 * Notes the master that the sentinels have named to this worker. Returns
 * whether it is a new one for the whole service: this is logged once.
 */
enum metrics_master { MASTER_SAME = 0, MASTER_FIRST, MASTER_CHANGED };
enum metrics_master metrics_set_master(struct metrics *metrics,
                                       const char *address, int64_t now_ms);
uint64_t metrics_get_switches(const struct metrics *metrics);

/* The time since the last change of the master; 0 without sentinels. */
int64_t metrics_master_age_ms(const struct metrics *metrics, int64_t now_ms);

/* How many sentinels are reachable, as reported by the last worker. */
void metrics_set_sentinels(struct metrics *metrics, uint64_t count);
uint64_t metrics_get_sentinels(const struct metrics *metrics);

/* When metrics_new() was called, in seconds since the epoch. */
int64_t metrics_started_s(const struct metrics *metrics);

/* How many slots are taken. */
unsigned metrics_workers(const struct metrics *metrics);

/* Every outage that ever began is below this number. */
int metrics_outages_end(const struct metrics *metrics);

/* How many workers are in an outage. */
unsigned metrics_outage_count(const struct metrics *metrics, enum outage what);

/* Whether any worker is in any outage: a breaker is open (S8.2). */
bool metrics_is_in_outage(const struct metrics *metrics);

/*
 * An outage that begins again within this time after its end continues: the log
 * reports a store that comes and goes once. Source: S20.2.
 */
#define METRICS_OUTAGE_QUIET_MS 3000

/*
 * Worker `slot` enters, or leaves, an outage; a second time changes nothing.
 * metrics_outage_enter() returns true if the outage begins for the whole
 * service: the caller logs it.
 */
bool metrics_outage_enter(struct metrics *metrics, int slot, enum outage what);
void metrics_outage_leave(struct metrics *metrics, int slot, enum outage what,
                          int64_t now_ms);

/*
 * Returns true once, METRICS_OUTAGE_QUIET_MS after an outage: the caller logs
 * it.
 */
bool metrics_outage_is_over(struct metrics *metrics, enum outage what,
                            int64_t now_ms);

/*
 * Whether metrics_outage_is_over() has not returned true for an ended outage.
 */
bool metrics_outage_is_ending(const struct metrics *metrics);

/*
 * An outage is shown while it lasts, and for so long afterwards: servers that
 * have been replaced do not stay in the metrics. Source: S22.2.
 */
#define METRICS_OUTAGE_SHOWN_MS 3600000
bool metrics_outage_is_shown(const struct metrics *metrics, enum outage what,
                             int64_t now_ms);

/*
 * The outage of a server. Each address has its own, for all workers and as long
 * as the service lives; addresses beyond 510 share the last one. Source: S22.2.
 *
 * address   NULL: OUTAGE_STORE.
 */
enum outage metrics_outage_of(struct metrics *metrics, const char *address);

/* The address of an outage; NULL if it has none, or is that of several. */
const char *metrics_outage_address(const struct metrics *metrics,
                                   enum outage what);

/* A static text for the log. */
const char *metrics_outage_text(enum outage what);

/*
 * An operation has been refused, or has succeeded. Returns true if the refusal
 * begins, or ends, for the whole service: the caller logs it. All reads are one
 * refusal: it begins with the first kind that is refused, and ends when every
 * kind succeeds again.
 */
bool metrics_refusal_begin(struct metrics *metrics, enum refusal what,
                           int64_t now_ms);
bool metrics_refusal_end(struct metrics *metrics, enum refusal what,
                         int64_t now_ms);

/*
 * Whether anything is refused: else metrics_refusal_end() need not be called.
 */
bool metrics_refusal_is_on(const struct metrics *metrics);

/* A static text for the log. */
const char *metrics_refusal_text(enum refusal what);

/* Takes a free slot; -1 if there is none. For the parent only. */
int metrics_slot_take(struct metrics *metrics);

/*
 * Releases the slot of a dead worker, which leaves all its outages. Its counts
 * stay, except the numbers of its parked requests and of the bytes it held.
 */
void metrics_slot_release(struct metrics *metrics, int slot, int64_t now_ms);

#endif
