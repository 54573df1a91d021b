#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "redis/conn.h"

/*
 * One connection to Redis for a command of the command line, which may block.
 * Add commands to session_commands(); session_turn() sends them, and calls
 * their callbacks.
 *
 * If a function returns false, the session has failed: see session_error().
 */
struct session;

/*
 * server    borrowed until session_free(). One with sentinels is asked for the
 *           master.
 * limit_ms  for connecting, and for each answer.
 *
 * Returns NULL when out of memory, or if TLS is wanted and this build has none.
 */
struct session *session_new(const struct redis_url *server, int64_t limit_ms);

/* The same, for a node of a Redis Cluster. */
struct session *session_new_node(const struct redis_url *server,
                                 int64_t limit_ms);

bool session_is_node(const struct session *session);

/* Whether it has failed because the Cluster is moving slots. */
bool session_has_moved(const struct session *session);

/* Connects, and waits for the handshake. Call it once. */
bool session_open(struct session *session);

/*
 * Returns where to add one command, with memory for so many arguments and their
 * bytes. Returns NULL, and the session fails, when out of memory.
 */
struct redis_commands *session_commands(struct session *session,
                                        size_t arguments, size_t bytes);

/* Sends the added commands, as far as possible without waiting. */
bool session_send(struct session *session);

/* Sends the added commands, and waits for an event or a signal. */
bool session_turn(struct session *session);

/*
 * Let the session fail, for a reason in words, or because of an error reply.
 * They may be called in callbacks. Both return false.
 */
bool session_fail(struct session *session, const char *words);
bool session_refuse(struct session *session, const struct redisReply *reply);

/* Closes the connection; pending commands are done without a reply. */
void session_close(struct session *session);

/*
 * Describes why the session has failed, without passwords and values; lent.
 * Empty: it has not failed.
 */
const char *session_error(const struct session *session);

/* Accepts NULL. */
void session_free(struct session *session);

#endif
