#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Counters, gauges and outage flags in memory that the parent maps before it
 * forks and all workers share; they outlive any worker. Each worker counts in
 * a block of its own, so that none waits for another's cache lines, and a
 * block goes on counting for the worker that takes it next. Updates are
 * atomic. metrics_text.h puts all of it into words.
 */
struct metrics;

/* The codes of answers that nginx makes by itself; any other is "other". */
#define METRICS_NGINX_CODES(ROW)                                               \
    ROW(308), ROW(400), ROW(403), ROW(404), ROW(405), ROW(408), ROW(411),      \
        ROW(413), ROW(414), ROW(415), ROW(417), ROW(421), ROW(429), ROW(431),  \
        ROW(500), ROW(501), ROW(502), ROW(503), ROW(504), ROW(505)

#define METRICS_NGINX_NUMBER(code) METRIC_NGINX_##code

enum metric {
    METRIC_CACHE_HITS = 0,
    METRIC_CACHE_MISSES,
    METRIC_RECORDS_OK, /* of batches */
    METRIC_RECORDS_BAD,
    METRIC_READ_OK, /* reads that an answer depends on */
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

/* One outage is noticed by every worker and told once. */
enum outage {
    OUTAGE_STORE = 0, /* no connection: the breaker of a worker is open */
    OUTAGE_SERVER,    /* likewise of one of several servers; from here on each
                         number is that of an address, see
                         metrics_outage_of() */
    OUTAGE__MAX = OUTAGE_SERVER + 23
};

#define METRICS_ADDRESS_SIZE 272 /* of a server: name, port, and a NUL */

/*
 * Work that the server may refuse while it does the rest. That depends on no
 * worker, so that each speaks for all.
 */
enum refusal {
    REFUSAL_READ = 0, /* of one key that an answer depends on */
    REFUSAL_MANY,     /* of several */
    REFUSAL_CACHE,
    REFUSAL_WRITE, /* to the cache; refused, or lost on its way */
    REFUSAL__MAX
};

/*
 * So long must there have been none before it is over: otherwise each other
 * key that is refused would be told.
 */
#define METRICS_REFUSAL_QUIET_MS 3000

/* What the service as a whole is at. */
enum metrics_phase {
    METRICS_STARTING = 0, /* not every worker stands yet */
    METRICS_SERVING,
    METRICS_DRAINING /* what runs is finished, and then all ends */
};

#define METRICS_WORKERS_MAX 1024 /* bound of the setting */

/* A worker has one while it lives; new ones overlap with those they replace. */
#define METRICS_SLOTS (2 * METRICS_WORKERS_MAX)

/*
 * Requests are counted by the numbers of their method and status in the API's
 * tables. The last of the methods is for all that is beyond, or has none.
 */
#define METRICS_METHODS  9
#define METRICS_STATUSES 16

/* Accounts are counted by places that are given to them: more than there may be
 * at a time, so that one that comes back finds its counts. */
#define METRICS_ACCOUNTS 4096

/* Places of salts in their lists. */
#define METRICS_SALTS 16

/* Buckets of the durations; the last one has no bound. */
#define METRICS_BUCKETS 16

/* The upper bound of a bucket, inclusive; bucket < METRICS_BUCKETS - 1. */
int64_t metrics_bucket_us(size_t bucket);

/* NULL with errno set when the memory cannot be had. */
struct metrics *metrics_new(void);

/* Unmaps it from this process only. Accepts NULL. */
void metrics_free(struct metrics *metrics);

/* From here on this process counts as the worker that has the slot. */
void metrics_use_slot(struct metrics *metrics, int slot);

void metrics_add(struct metrics *metrics, enum metric metric, uint64_t by);
uint64_t metrics_get(const struct metrics *metrics, enum metric metric);

/*
 * A request has been answered.
 *
 * method, status    numbers; any that are too large count as the last one.
 */
void metrics_add_request(struct metrics *metrics, size_t method, size_t status,
                         int64_t duration_us);
uint64_t metrics_get_requests(const struct metrics *metrics, size_t method,
                              size_t status);

/* It was an account's; of a place that there is not, nobody's. */
void metrics_add_account(struct metrics *metrics, size_t place, size_t status);
uint64_t metrics_get_account(const struct metrics *metrics, size_t place,
                             size_t status);

/* The place is another account's from now on. */
void metrics_clear_account(struct metrics *metrics, size_t place);

/* Its token was good, by the salt of this place, from 1. */
void metrics_add_token(struct metrics *metrics, size_t salt);
uint64_t metrics_get_tokens(const struct metrics *metrics, size_t salt);

struct metrics_durations {
    uint64_t buckets[METRICS_BUCKETS]; /* not cumulative */
    uint64_t sum_us;
};
struct metrics_durations metrics_get_durations(const struct metrics *metrics,
                                               size_t method);

/* What the settings in force ask for, and say; set by the parent. */
enum metrics_setting {
    METRICS_WANTED = 0, /* worker processes */
    METRICS_PUBLISHED,  /* salts that anybody knows: of users, of the admin */
    METRICS_SETTINGS
};
void metrics_set(struct metrics *metrics, enum metrics_setting what,
                 unsigned value);
unsigned metrics_get_setting(const struct metrics *metrics,
                             enum metrics_setting what);

/* The processes: the parent first, then the workers that live. */
size_t metrics_list_pids(const struct metrics *metrics, pid_t *ret_pids,
                         size_t max);

/*
 * The time, or the longest that was ever asked about: a worker that ends while
 * its time is looked up is missing once, and a counter never goes back.
 */
uint64_t metrics_at_least(const struct metrics *metrics, uint64_t cpu_ms);

/* How many requests of this worker wait for the store at the moment. */
void metrics_set_parked(struct metrics *metrics, uint64_t parked);
uint64_t metrics_get_parked(const struct metrics *metrics);

/*
 * This worker moves: it has answered a request (which counts as a beat by
 * itself), or come around. Another number than at the last look says so.
 */
void metrics_beat(struct metrics *metrics);
uint64_t metrics_get_beats(const struct metrics *metrics, int slot);

/*
 * Log lines of this process that would vanish with it: those that wait for
 * their reader, and those whose loss the log does not tell yet.
 */
void metrics_set_log(struct metrics *metrics, uint64_t waiting,
                     uint64_t untold);

/* How many have vanished with a worker; those that waited count as lost now. */
uint64_t metrics_take_log(struct metrics *metrics, int slot);

void metrics_set_phase(struct metrics *metrics, enum metrics_phase phase);
enum metrics_phase metrics_get_phase(const struct metrics *metrics);

/*
 * A worker goes to a master that sentinels name. Each does; that is news for
 * the whole service when it is another one than before.
 */
enum metrics_master { MASTER_SAME = 0, MASTER_FIRST, MASTER_CHANGED };
enum metrics_master metrics_set_master(struct metrics *metrics,
                                       const char *address, int64_t now_ms);
uint64_t metrics_get_switches(const struct metrics *metrics);

/* For how long it has been the same one; 0 without any. */
int64_t metrics_master_age_ms(const struct metrics *metrics, int64_t now_ms);

/* Sentinels that can be reached, as the last worker that looked has it. */
void metrics_set_sentinels(struct metrics *metrics, uint64_t count);
uint64_t metrics_get_sentinels(const struct metrics *metrics);

/* When metrics_new() was called, in seconds of the time of day. */
int64_t metrics_started_s(const struct metrics *metrics);

/* Slots that are taken. */
unsigned metrics_workers(const struct metrics *metrics);

/* Workers that are in an outage. */
unsigned metrics_outage_count(const struct metrics *metrics, enum outage what);

/*
 * An outage that begins again within this time after its end had not ended: a
 * store that comes and goes is told of once.
 */
#define METRICS_OUTAGE_QUIET_MS 3000

/*
 * Worker `slot` entered (or left) an outage. Returns true if it is news for the
 * whole service that one has begun. To enter, or leave, a second time changes
 * nothing.
 */
bool metrics_outage_enter(struct metrics *metrics, int slot, enum outage what);
void metrics_outage_leave(struct metrics *metrics, int slot, enum outage what,
                          int64_t now_ms);

/* Whether an outage has been over for long enough to say so; true once. */
bool metrics_outage_is_over(struct metrics *metrics, enum outage what,
                            int64_t now_ms);

/* Whether any outage has ended that has not been said to be over. */
bool metrics_outage_is_ending(const struct metrics *metrics);

/*
 * The outage of a server. Each address has a number of its own, for all
 * workers and as long as the service lives; those beyond 22 share the last.
 *
 * address   NULL: OUTAGE_STORE.
 */
enum outage metrics_outage_of(struct metrics *metrics, const char *address);

/* What metrics_outage_of() was given; NULL: nothing, or several. */
const char *metrics_outage_address(const struct metrics *metrics,
                                   enum outage what);

/* What is out of order, in words for the log; static. */
const char *metrics_outage_text(enum outage what);

/*
 * Such work has been refused (or has gone well). Returns true if that is news
 * for the whole service. All reads are one piece of news: it begins with the
 * first kind that is refused, and is over when all go well again.
 */
bool metrics_refusal_begin(struct metrics *metrics, enum refusal what,
                           int64_t now_ms);
bool metrics_refusal_end(struct metrics *metrics, enum refusal what,
                         int64_t now_ms);

/* Whether any work is refused: else there is nothing to end. */
bool metrics_refusal_is_on(const struct metrics *metrics);

/* In words for the log; static. */
const char *metrics_refusal_text(enum refusal what);

/* Takes a slot, -1 if none is free. Only the parent does. */
int metrics_slot_take(struct metrics *metrics);

/*
 * Gives a slot back when its worker is gone, and leaves all its outages; what
 * it counted stays, and nothing of it waits any more.
 */
void metrics_slot_release(struct metrics *metrics, int slot, int64_t now_ms);

#endif
