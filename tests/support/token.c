/*
 * Tokens as a caller makes them, without code of the service.
 * Source: docs/protocol.md, S10.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"

#define TOKEN_TEXT_MAX 1024

void
token_digest(const void *data, size_t length, char ret_token[TOKEN_LENGTH + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(data, length, digest, NULL, EVP_sha512(), NULL) != 1) {
        (void)fprintf(stderr, "token: no SHA-512\n");
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < TOKEN_LENGTH / 2; i++)
        (void)snprintf(ret_token + 2 * i, 3, "%02x", digest[i]);
}

void
token_user(const char *account, const char *login, const char *salt,
           char ret_token[TOKEN_LENGTH + 1])
{
    char text[TOKEN_TEXT_MAX];

    (void)snprintf(text, sizeof(text), "%s%s%s", account, login, salt);
    token_digest(text, strlen(text), ret_token);
}

void
token_admin(time_t when, const char *salt, char ret_token[TOKEN_LENGTH + 1])
{
    char text[TOKEN_TEXT_MAX];
    struct tm local;
    size_t length;

    (void)localtime_r(&when, &local);
    length = strftime(text, sizeof(text), "%Y%m%d%H", &local);
    (void)snprintf(text + length, sizeof(text) - length, "%s", salt);
    token_digest(text, strlen(text), ret_token);
}
