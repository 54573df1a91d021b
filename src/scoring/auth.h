#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"

#define AUTH_TOKEN_LENGTH 128 /* hex digits of a SHA-512 */
#define AUTH_KEY_LENGTH   64  /* hex digits of an HMAC-SHA-256 */
#define AUTH_SALTS_MAX    16  /* salts in force at once, while rotating */

/* The login whose token depends on the hour and whose score is fixed. */
#define AUTH_ADMIN_LOGIN "admin"

struct auth_salts {
    size_t count;
    struct bytes item[AUTH_SALTS_MAX];
};

struct auth_secrets {
    struct auth_salts salts;       /* the first one is the newest */
    struct auth_salts admin_salts; /* likewise */
    int64_t admin_grace_s;
    struct bytes cache_secret; /* empty: derived from the first salt */
};

/*
 * Whether a partner's salt and one of the admin's are equal, or one the end of
 * the other: then both tokens may be made of the same text.
 */
bool auth_salt_clashes(struct bytes salt, const struct auth_salts *admin_salts);

/* The place of a salt in a list, from 1; 0 if it is not in it. */
size_t auth_salts_find(const struct auth_salts *salts, struct bytes salt);

/* Digest contexts, fetched once; for one thread. */
struct auth;

/*
 * secrets   at least one salt of each kind; borrowed until auth_free().
 *
 * Returns NULL without memory or without the digests.
 */
struct auth *auth_new(const struct auth_secrets *secrets);

/* Wipes what was made of the secrets. Accepts NULL. */
void auth_free(struct auth *auth);

/* Whether this is the admin's login: by the whole string, NULs included. */
bool auth_is_admin(struct bytes login);

enum auth_result {
    AUTH_OK = 0,
    AUTH_REFUSED,
    AUTH_NO_DIGEST, /* libcrypto fails: not the caller's fault */
    AUTH_NO_HOUR,   /* the time's year has not four digits: neither */
    AUTH__MAX
};

/* Who a caller says to be. */
struct auth_claim {
    struct bytes account; /* plays no part for the admin */
    struct bytes login;
    struct bytes token; /* lower-case hex; of another length than
                           AUTH_TOKEN_LENGTH it is refused */
};

/*
 * Whether the token is right: compared whole and in constant time with one
 * digest per salt; the admin's with the local hour (TZ) of now, and with the
 * hour before while fewer than admin_grace_s seconds of this hour have passed.
 *
 * salts       of the account; NULL: those of all partners.
 * ret_place   of the salt that it was made by, in its list, from 1; set with
 *             AUTH_OK only.
 *
 * Source: docs/protocol.md, S10.
 */
enum auth_result auth_check(struct auth *auth, const struct auth_claim *claim,
                            const struct auth_salts *salts, time_t now,
                            size_t *ret_place);

/*
 * Makes the token of a user, or of the admin for the hour of now, by the
 * newest salt. ret_token takes AUTH_TOKEN_LENGTH digits and a NUL. False
 * where auth_check() would tell a fault.
 *
 * claim   its token is not looked at.
 */
bool auth_token(struct auth *auth, const struct auth_claim *claim,
                const struct auth_salts *salts, time_t now,
                char ret_token[AUTH_TOKEN_LENGTH + 1]);

/*
 * The HMAC-SHA-256 of a text, keyed with the cache secret, as AUTH_KEY_LENGTH
 * lower-case hex digits and a NUL. The same for all workers and after a
 * restart, as long as the secrets are. False without memory.
 */
bool auth_key(struct auth *auth, struct bytes text,
              char ret_hex[AUTH_KEY_LENGTH + 1]);

#endif
