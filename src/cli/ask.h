#ifndef CLI_ASK_H
#define CLI_ASK_H

/* Bytes: several times the longest answer. More is not from the service. */
#define ASK_ANSWER_MAX 1024

/* The socket of the container image and the package. */
#define ASK_SOCKET "/run/scoring/scoring.sock"

/*
 * Sends one GET to the service on its socket, as nginx does, and expects a 200
 * within two seconds. A worker that is being replaced may close a connection
 * unanswered: the request is repeated within that time.
 *
 * path          of the request; at most 64 bytes.
 * ret_body      the body of the answer, with a NUL; set on success only.
 *
 * Returns NULL, or a text that describes the error, lent until the next call.
 */
const char *ask_service(const char *socket_path, const char *path,
                        char ret_body[ASK_ANSWER_MAX]);

#endif
