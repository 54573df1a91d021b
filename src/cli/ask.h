#ifndef CLI_ASK_H
#define CLI_ASK_H

/* Several times any answer; whoever sends more is not the service. */
#define ASK_ANSWER_MAX 1024

/* Where the container image and the package have it. */
#define ASK_SOCKET "/run/scoring/scoring.sock"

/*
 * Asks the service on its socket, as nginx would: one GET, which is answered
 * with 200 within two seconds. A worker that is being replaced may close a
 * connection unanswered, and so may each of a few: the service is asked again
 * within that time.
 *
 * socket_path   of the socket.
 * path          of the request; at most 64 bytes.
 * ret_body      set on success only; ends with a NUL.
 *
 * Returns NULL, or what is wrong; lent until the next call.
 */
const char *ask_service(const char *socket_path, const char *path,
                        char ret_body[ASK_ANSWER_MAX]);

#endif
