#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"

#define AUTH_TOKEN_LENGTH 128 /* hex digits of a SHA-512 */
#define AUTH_KEY_LENGTH   64  /* hex digits of an HMAC-SHA-256 */
#define AUTH_SALTS_MAX    16  /* salts in force at once, to change them */

/* The login whose token depends on the hour, and whose score is fixed. */
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
 * Whether a partner's salt and one of the admin's are equal, or one is the end
 * of the other: a partner's token could then be the admin's (S24.4).
 */
bool auth_salt_clashes(struct bytes salt, const struct auth_salts *admin_salts);

/* The place of a salt in a list, from 1; 0 if it is not in the list. */
size_t auth_salts_find(const struct auth_salts *salts, struct bytes salt);

/* The secrets and the digest contexts; for one thread. */
struct auth;

/*
 * secrets   at least one salt of each kind; borrowed until auth_free().
 *
 * Returns NULL if memory runs out, or if libcrypto lacks the digests.
 */
struct auth *auth_new(const struct auth_secrets *secrets);

/* Wipes the keys that were derived from the secrets. Accepts NULL. */
void auth_free(struct auth *auth);

/* Whether this is the admin's login; compares the whole text, with NULs. */
bool auth_is_admin(struct bytes login);

enum auth_result {
    AUTH_OK = 0,
    AUTH_REFUSED,
    AUTH_NO_DIGEST, /* libcrypto failed; not the caller's fault */
    AUTH_NO_HOUR,   /* the year of now does not have 4 digits; likewise */
    AUTH__MAX
};

/* The identity that a caller claims, and its token. */
struct auth_claim {
    struct bytes account; /* ignored for the admin */
    struct bytes login;
    struct bytes token; /* not valid if its length is not AUTH_TOKEN_LENGTH */
};

/*
 * Checks a token: compares it whole, and in constant time, with one digest per
 * salt. The admin's is compared with that of the local hour (TZ) of now, and
 * while fewer than admin_grace_s seconds of this hour have passed, also with
 * that of the previous hour.
 *
 * salts       of the account; NULL: the salts that all partners share.
 * ret_place   the place of the salt that made the token, in its list, from 1;
 *             set with AUTH_OK only.
 *
 * Source: docs/protocol.md, S10.
 */
enum auth_result auth_check(struct auth *auth, const struct auth_claim *claim,
                            const struct auth_salts *salts, time_t now,
                            size_t *ret_place);

/*
 * Makes the token of a partner, or of the admin for the hour of now, with the
 * newest salt.
 *
 * claim       its token is ignored.
 * salts       as for auth_check().
 * ret_token   AUTH_TOKEN_LENGTH digits and a NUL.
 *
 * Returns false for AUTH_NO_DIGEST and AUTH_NO_HOUR.
 */
bool auth_token(struct auth *auth, const struct auth_claim *claim,
                const struct auth_salts *salts, time_t now,
                char ret_token[AUTH_TOKEN_LENGTH + 1]);

/*
 * Makes the HMAC-SHA-256 of a text, keyed with the cache secret, as
 * AUTH_KEY_LENGTH lower-case hex digits and a NUL. With the same secrets it is
 * the same in all workers and after a restart. Returns false if libcrypto
 * fails. Source: docs/protocol.md, S14.1.
 */
bool auth_key(struct auth *auth, struct bytes text,
              char ret_hex[AUTH_KEY_LENGTH + 1]);

#endif
