#ifndef WORLD_H
#define WORLD_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "lost.h"
#include "store/store_redis.h"

/* The limits of the store: the defaults of docs/protocol.md. */
#define WORLD_ATTEMPTS    3
#define WORLD_CONNECT_MS  200
#define WORLD_COMMAND_MS  300
#define WORLD_DEADLINE_MS 800
#define WORLD_BYTES_MAX   (16 << 20)

/* A store on its own loop, with turns as in a worker. */
struct world {
    struct ev_loop *loop;
    struct store *store;
    ev_prepare prepare;
    ev_timer timer, patience;
    int events[STORE_EVENT__MAX];
    char down[400], refused[400], lost[400]; /* the last details */
};

/* redis is borrowed until world_end(). */
void world_start(struct world *world, const struct redis_url *redis);
void world_end(struct world *world);

/* Runs until *number >= wanted; returns whether that happened in time. */
bool world_run_until(struct world *world, const int *number, int wanted,
                     int64_t limit_ms);
void world_run_for(struct world *world, int64_t limit_ms);

#define WORLD_KEYS_MAX 1100

/* A read: the test sets keys and count, the rest is the result. */
struct answer {
    struct world *world;
    int done; /* how often it was answered */
    enum store_status status;
    int64_t asked_ms, took_ms; /* took_ms without the time of lost.h */
    struct lost lost;
    struct bytes keys[WORLD_KEYS_MAX];
    size_t count;
    enum store_value_kind kinds[WORLD_KEYS_MAX];
    char first[64]; /* the first key's value */
    size_t first_length;
};

/* Begins a read that ends in limit_ms at the latest; does not wait. */
void world_ask(struct world *world, struct answer *answer, enum store_need need,
               int64_t limit_ms);

/* Waits for the answer; asserts that it comes, once. */
void world_await(struct world *world, struct answer *answer);

/* Reads one key, and waits for the answer. */
enum store_status world_get(struct world *world, struct answer *answer,
                            enum store_need need, const char *key);

/* Whether the value of the first key is this; "": it has no value. */
bool answer_is(const struct answer *answer, struct bytes want);

#endif
