#ifndef TOKEN_H
#define TOKEN_H

#include <stddef.h>
#include <time.h>

#define TOKEN_LENGTH     128
#define TOKEN_SALT       "Otus" /* the published defaults */
#define TOKEN_ADMIN_SALT "42"

/* Both, as secrets of an API. */
#define TOKEN_SECRETS                                                          \
    {                                                                          \
        .salts = {1, {{TOKEN_SALT, sizeof(TOKEN_SALT) - 1}}}, .admin_salts = { \
            1,                                                                 \
            {{TOKEN_ADMIN_SALT, sizeof(TOKEN_ADMIN_SALT) - 1}}                 \
        }                                                                      \
    }

/*
 * Known answers: the token of horns&hoofs, h&f by the published salt (S10),
 * also without its first and last digit, and in upper case; and the SHA-512 of
 * "abc", an example of FIPS 180-2.
 */
#define TOKEN_KNOWN "5" TOKEN_KNOWN_MIDDLE "5"
#define TOKEN_KNOWN_MIDDLE                                                     \
    "5cc9ce545bcd144300fe9efc28e65d415b923ebb6be1e19d2750a2c03e80dd2"          \
    "09a27954dca045e5bb12418e7d89b6d718a9e35af34e14e1d5bcd5a08f21fc9"
#define TOKEN_KNOWN_UPPER                                                      \
    "55CC9CE545BCD144300FE9EFC28E65D415B923EBB6BE1E19D2750A2C03E80DD2"         \
    "09A27954DCA045E5BB12418E7D89B6D718A9E35AF34E14E1D5BCD5A08F21FC95"
#define TOKEN_ABC                                                              \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"         \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

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
