#ifndef TOKEN_H
#define TOKEN_H

#include <stddef.h>
#include <time.h>

#define TOKEN_LENGTH     128
#define TOKEN_SALT       "Otus" /* the published defaults */
#define TOKEN_ADMIN_SALT "42"

/* The SHA-512 of some bytes, as lower-case hex digits and a NUL. */
void token_digest(const void *data, size_t length,
                  char ret_token[TOKEN_LENGTH + 1]);

/* The token of a partner with a salt. */
void token_user(const char *account, const char *login, const char *salt,
                char ret_token[TOKEN_LENGTH + 1]);

/* The token of the admin for the local hour of a time. */
void token_admin(time_t when, const char *salt,
                 char ret_token[TOKEN_LENGTH + 1]);

#endif
