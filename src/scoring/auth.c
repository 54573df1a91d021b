/*
 * Makes and checks tokens, and makes the keyed digest of cache keys, with the
 * secrets in force. Implements S10, and the digest of S14.1, of
 * docs/protocol.md.
 */
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "base/units.h"
#include "scoring/auth.h"

#define SHA512_SIZE 64 /* bytes */
#define MAC_SIZE    32 /* bytes of an HMAC-SHA-256 */

#define HOUR_LABEL_SIZE sizeof("YYYYMMDDHH")

/*
 * The cache secret, if none is set, is the HMAC of this text with the first
 * salt. A different text would make all cached scores misses.
 */
#define CACHE_SECRET_LABEL "scoring cache secret"

_Static_assert(AUTH_TOKEN_LENGTH == 2 * SHA512_SIZE, "a token is a SHA-512");
_Static_assert(AUTH_KEY_LENGTH == 2 * MAC_SIZE, "a key is an HMAC-SHA-256");

/*
 * Algorithms are fetched once: it takes as long as several digests. OpenSSL
 * wipes a context, with the key in it, when it frees the context.
 */
struct auth {
    const struct auth_secrets *secrets;
    EVP_MD *sha512;
    EVP_MD_CTX *digest;
    EVP_MD_CTX *copy; /* of digest, for all salts but the last */
    EVP_MAC *hmac;
    EVP_MAC_CTX *mac; /* keyed with the cache secret */
};

/* The local hour that the admin's token contains. */
struct hour {
    char label[HOUR_LABEL_SIZE]; /* YYYYMMDDHH */
    int64_t age_s;               /* since it began */
};

/* A NULL key would mean the previous key, so an empty key is passed as "". */
static bool
mac_set_key(struct auth *auth, const void *key, size_t length)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_init(auth->mac, length > 0 ? key : "", length, params) == 1;
}

static bool
mac_make(struct auth *auth, struct bytes text, unsigned char ret_mac[MAC_SIZE])
{
    size_t length;

    return EVP_MAC_init(auth->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(auth->mac, (const unsigned char *)text.at,
                          text.length) == 1 &&
           EVP_MAC_final(auth->mac, ret_mac, &length, MAC_SIZE) == 1;
}

/*
 * If no cache secret is set, one is derived from the first salt: the same in
 * all workers and after a restart, and it does not reveal the salt.
 */
static bool
cache_secret_set(struct auth *auth)
{
    const struct bytes secret = auth->secrets->cache_secret;
    const struct bytes salt = auth->secrets->salts.item[0];
    unsigned char derived[MAC_SIZE];
    bool is_set;

    if (secret.length > 0)
        return mac_set_key(auth, secret.at, secret.length);
    is_set = mac_set_key(auth, salt.at, salt.length) &&
             mac_make(auth, bytes_of(CACHE_SECRET_LABEL), derived) &&
             mac_set_key(auth, derived, sizeof(derived));
    OPENSSL_cleanse(derived, sizeof(derived));
    return is_set;
}

static bool
contexts_make(struct auth *auth)
{
    auth->sha512 = EVP_MD_fetch(NULL, "SHA512", NULL);
    auth->digest = EVP_MD_CTX_new();
    auth->copy = EVP_MD_CTX_new();
    auth->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (auth->sha512 == NULL || auth->digest == NULL || auth->copy == NULL ||
        auth->hmac == NULL)
        return false;
    auth->mac = EVP_MAC_CTX_new(auth->hmac);
    return auth->mac != NULL;
}

struct auth *
auth_new(const struct auth_secrets *secrets)
{
    struct auth *auth = calloc(1, sizeof(*auth));

    assert(secrets->salts.count > 0 && secrets->admin_salts.count > 0);
    if (auth == NULL)
        return NULL;
    auth->secrets = secrets;
    if (!contexts_make(auth) || !cache_secret_set(auth)) {
        auth_free(auth);
        return NULL;
    }
    return auth;
}

void
auth_free(struct auth *auth)
{
    if (auth == NULL)
        return;
    EVP_MAC_CTX_free(auth->mac);
    EVP_MAC_free(auth->hmac);
    EVP_MD_CTX_free(auth->digest);
    EVP_MD_CTX_free(auth->copy);
    EVP_MD_free(auth->sha512);
    free(auth);
}

static bool
is_end_of(struct bytes end, struct bytes whole)
{
    return end.length <= whole.length &&
           memcmp(whole.at + whole.length - end.length, end.at, end.length) ==
               0;
}

/*
 * A partner's token is the digest of a text that ends with the salt, the
 * admin's that of an hour and the admin's salt: with a common end a partner can
 * choose account and login so that the texts are equal.
 */
bool
auth_salt_clashes(struct bytes salt, const struct auth_salts *admin_salts)
{
    for (size_t i = 0; i < admin_salts->count; i++) {
        const struct bytes admin_salt = admin_salts->item[i];

        if (is_end_of(salt, admin_salt) || is_end_of(admin_salt, salt))
            return true;
    }
    return false;
}

size_t
auth_salts_find(const struct auth_salts *salts, struct bytes salt)
{
    for (size_t i = 0; i < salts->count; i++) {
        if (bytes_equal(salts->item[i], salt))
            return i + 1;
    }
    return 0;
}

bool
auth_is_admin(struct bytes login)
{
    return bytes_equal(login, bytes_of(AUTH_ADMIN_LOGIN));
}

/* Begins a SHA-512 with two texts, with nothing between them. */
static bool
token_begin(struct auth *auth, struct bytes first, struct bytes second)
{
    return EVP_DigestInit_ex2(auth->digest, auth->sha512, NULL) == 1 &&
           EVP_DigestUpdate(auth->digest, first.at, first.length) == 1 &&
           EVP_DigestUpdate(auth->digest, second.at, second.length) == 1;
}

/* Ends a SHA-512 with the salt. */
static bool
token_end(EVP_MD_CTX *digest, struct bytes salt,
          char ret_token[AUTH_TOKEN_LENGTH + 1])
{
    unsigned char sum[SHA512_SIZE];

    if (EVP_DigestUpdate(digest, salt.at, salt.length) != 1 ||
        EVP_DigestFinal_ex(digest, sum, NULL) != 1)
        return false;
    bytes_to_hex(sum, sizeof(sum), ret_token);
    OPENSSL_cleanse(sum, sizeof(sum));
    return true;
}

/*
 * Tries all salts, also after one has matched: the time must reveal neither
 * where two tokens differ nor which salt is in use. The texts before the salt
 * may be long, so they are digested once, and each salt but the last uses a
 * copy.
 */
static enum auth_result
salts_check(struct auth *auth, const struct auth_salts *salts,
            struct bytes first, struct bytes second, struct bytes token,
            size_t *ret_place)
{
    char expected[AUTH_TOKEN_LENGTH + 1];
    enum auth_result result = AUTH_REFUSED;

    if (!token_begin(auth, first, second))
        return AUTH_NO_DIGEST;
    for (size_t i = 0; i < salts->count; i++) {
        const bool is_last = i + 1 == salts->count;

        if ((!is_last && EVP_MD_CTX_copy_ex(auth->copy, auth->digest) != 1) ||
            !token_end(is_last ? auth->digest : auth->copy, salts->item[i],
                       expected)) {
            result = AUTH_NO_DIGEST;
            break;
        }
        if (CRYPTO_memcmp(expected, token.at, AUTH_TOKEN_LENGTH) == 0 &&
            result == AUTH_REFUSED) {
            result = AUTH_OK;
            *ret_place = i + 1;
        }
    }
    OPENSSL_cleanse(expected, sizeof(expected));
    return result;
}

/* Returns false if the year does not have 4 digits. */
static bool
hour_read(time_t time, struct hour *ret_hour)
{
    struct hour hour;
    struct tm tm;

    if (localtime_r(&time, &tm) == NULL ||
        strftime(hour.label, sizeof(hour.label), "%Y%m%d%H", &tm) !=
            sizeof(hour.label) - 1)
        return false;
    hour.age_s = tm.tm_min * 60 + tm.tm_sec;
    *ret_hour = hour;
    return true;
}

/*
 * The previous hour is the local hour of 3600 seconds ago: when summer time
 * ends, it has the same number, and when it begins, a number smaller by two.
 */
static enum auth_result
admin_check(struct auth *auth, struct bytes token, time_t now,
            size_t *ret_place)
{
    const struct auth_salts *salts = &auth->secrets->admin_salts;
    const struct bytes nothing = {0};
    struct hour hour, before;
    enum auth_result result, result_before;
    size_t place = 0, place_before = 0;

    if (!hour_read(now, &hour))
        return AUTH_NO_HOUR;
    result =
        salts_check(auth, salts, bytes_of(hour.label), nothing, token, &place);
    if (hour.age_s < auth->secrets->admin_grace_s) {
        if (!hour_read(now - S_PER_HOUR, &before))
            return AUTH_NO_HOUR;
        result_before = salts_check(auth, salts, bytes_of(before.label),
                                    nothing, token, &place_before);
        result = result == AUTH_REFUSED ? result_before : result;
    }
    if (result == AUTH_OK)
        *ret_place = place != 0 ? place : place_before;
    return result;
}

/* The length of a token is no secret: a wrong length is refused at once. */
enum auth_result
auth_check(struct auth *auth, const struct auth_claim *claim,
           const struct auth_salts *salts, time_t now, size_t *ret_place)
{
    if (claim->token.length != AUTH_TOKEN_LENGTH)
        return AUTH_REFUSED;
    if (auth_is_admin(claim->login))
        return admin_check(auth, claim->token, now, ret_place);
    return salts_check(auth, salts != NULL ? salts : &auth->secrets->salts,
                       claim->account, claim->login, claim->token, ret_place);
}

bool
auth_token(struct auth *auth, const struct auth_claim *claim,
           const struct auth_salts *salts, time_t now,
           char ret_token[AUTH_TOKEN_LENGTH + 1])
{
    const struct auth_secrets *secrets = auth->secrets;
    const struct bytes nothing = {0};
    struct hour hour;

    if (auth_is_admin(claim->login))
        return hour_read(now, &hour) &&
               token_begin(auth, bytes_of(hour.label), nothing) &&
               token_end(auth->digest, secrets->admin_salts.item[0], ret_token);
    if (salts == NULL)
        salts = &secrets->salts;
    return token_begin(auth, claim->account, claim->login) &&
           token_end(auth->digest, salts->item[0], ret_token);
}

bool
auth_key(struct auth *auth, struct bytes text,
         char ret_hex[AUTH_KEY_LENGTH + 1])
{
    unsigned char mac[MAC_SIZE];

    if (!mac_make(auth, text, mac))
        return false;
    bytes_to_hex(mac, sizeof(mac), ret_hex);
    return true;
}
