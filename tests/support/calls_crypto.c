/*
 * Replaces the functions of libcrypto that make digests and wipe memory.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "calls.h"

void
OPENSSL_cleanse(void *bytes, size_t length)
{
    static void (*behind)(void *, size_t);

    calls_count_wipe(length);
    if (behind == NULL)
        calls_find("OPENSSL_cleanse", &behind);
    behind(bytes, length);
}

int
EVP_DigestInit_ex2(EVP_MD_CTX *digest, const EVP_MD *type,
                   const OSSL_PARAM params[])
{
    static int (*behind)(EVP_MD_CTX *, const EVP_MD *, const OSSL_PARAM *);

    if (calls_fails(CALL_CRYPTO))
        return 0;
    if (behind == NULL)
        calls_find("EVP_DigestInit_ex2", &behind);
    return behind(digest, type, params);
}

int
EVP_DigestUpdate(EVP_MD_CTX *digest, const void *bytes, size_t length)
{
    static int (*behind)(EVP_MD_CTX *, const void *, size_t);

    if (calls_fails(CALL_CRYPTO))
        return 0;
    if (behind == NULL)
        calls_find("EVP_DigestUpdate", &behind);
    return behind(digest, bytes, length);
}

int
EVP_DigestFinal_ex(EVP_MD_CTX *digest, unsigned char *ret_sum,
                   unsigned *ret_length)
{
    static int (*behind)(EVP_MD_CTX *, unsigned char *, unsigned *);

    if (calls_fails(CALL_CRYPTO))
        return 0;
    if (behind == NULL)
        calls_find("EVP_DigestFinal_ex", &behind);
    return behind(digest, ret_sum, ret_length);
}

int
EVP_MAC_init(EVP_MAC_CTX *mac, const unsigned char *key, size_t length,
             const OSSL_PARAM params[])
{
    static int (*behind)(EVP_MAC_CTX *, const unsigned char *, size_t,
                         const OSSL_PARAM *);

    if (calls_fails(CALL_CRYPTO))
        return 0;
    if (behind == NULL)
        calls_find("EVP_MAC_init", &behind);
    return behind(mac, key, length, params);
}

int
EVP_MAC_update(EVP_MAC_CTX *mac, const unsigned char *bytes, size_t length)
{
    static int (*behind)(EVP_MAC_CTX *, const unsigned char *, size_t);

    if (calls_fails(CALL_CRYPTO))
        return 0;
    if (behind == NULL)
        calls_find("EVP_MAC_update", &behind);
    return behind(mac, bytes, length);
}

int
EVP_MAC_final(EVP_MAC_CTX *mac, unsigned char *ret_mac, size_t *ret_length,
              size_t size)
{
    static int (*behind)(EVP_MAC_CTX *, unsigned char *, size_t *, size_t);

    if (calls_fails(CALL_CRYPTO))
        return 0;
    if (behind == NULL)
        calls_find("EVP_MAC_final", &behind);
    return behind(mac, ret_mac, ret_length, size);
}
