#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "redis/conn.h"

/*
 * One connection to Redis for a command that waits: commands are added as
 * redis/conn.h says, and their callbacks come in session_turn().
 *
 * Functions that return false have failed for good: session_error() says why.
 */
struct session;

/*
 * server    borrowed until session_free().
 * limit_ms  of connecting, and of each answer.
 *
 * NULL without memory, or with TLS asked for and not to be had.
 */
struct session *session_new(const struct redis_url *server, int64_t limit_ms);

/* The same to a node of a Redis Cluster. */
struct session *session_new_node(const struct redis_url *server,
                                 int64_t limit_ms);

bool session_is_node(const struct session *session);

/* Whether it has failed since slots of the Cluster move. */
bool session_has_moved(const struct session *session);

/* Connects and shakes hands. Once only. */
bool session_open(struct session *session);

/*
 * Where a command may be added that has so many bytes in so many arguments;
 * NULL, and the session has failed, without memory.
 */
struct redis_commands *session_commands(struct session *session,
                                        size_t arguments, size_t bytes);

/* Hands over what was added, as far as it goes without waiting. */
bool session_send(struct session *session);

/* Sends, and waits until something has happened, or a signal has come. */
bool session_turn(struct session *session);

/*
 * Ends the session for a reason: words, or what an error reply says; for use
 * in callbacks, too. Both return false.
 */
bool session_fail(struct session *session, const char *words);
bool session_refuse(struct session *session, const struct redisReply *reply);

/* Ends the connection: what is under way is told so, and nothing comes later.
 */
void session_close(struct session *session);

/* In words that are fit for everybody; lent. Empty: it has not failed. */
const char *session_error(const struct session *session);

/* Accepts NULL. */
void session_free(struct session *session);

#endif
