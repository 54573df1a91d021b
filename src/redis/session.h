#ifndef REDIS_SESSION_H
#define REDIS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "redis/command.h"
#include "redis/url.h"

struct redisReply;

/*
 * One connection to Redis for a command of the command line, which may wait:
 * many commands under way at once, their replies one by one. Every wait is
 * bounded, and ends when a signal comes (interrupt.h).
 *
 * Functions that return false have failed for good: redis_session_error()
 * says why.
 */
struct redis_session;

/*
 * config    borrowed until redis_session_free().
 * limit_ms  of connecting, and of each reply.
 *
 * NULL without memory, or with TLS asked for and not to be had.
 */
struct redis_session *redis_session_new(const struct redis_url *config,
                                        int64_t limit_ms);

/* Connects and shakes hands. Once only. */
bool redis_session_open(struct redis_session *session);

/*
 * Where commands are added, after redis_commands_reserve(). They travel with
 * the next redis_session_send() or redis_session_receive().
 */
struct redis_commands *redis_session_commands(struct redis_session *session);

/* Hands over what the kernel takes without waiting. */
bool redis_session_send(struct redis_session *session);

/*
 * Waits for the reply to the oldest command under way; there must be one.
 *
 * ret_command  that command.
 * ret_reply    to be freed by freeReplyObject().
 */
bool redis_session_receive(struct redis_session *session,
                           struct redis_command *ret_command,
                           struct redisReply **ret_reply);

/*
 * Ends the session for a reason: words, or what an error reply says. Both
 * return false.
 */
bool redis_session_fail(struct redis_session *session, const char *words);
bool redis_session_refuse(struct redis_session *session,
                          const struct redisReply *reply);

/* In words that are fit for everybody; lent. */
const char *redis_session_error(const struct redis_session *session);

/* Accepts NULL. */
void redis_session_free(struct redis_session *session);

#endif
