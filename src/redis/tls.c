/*
 * TLS to Redis, through hiredis 1.0 and later. Verifies the certificate and the
 * host name. Used for rediss:// in S24 of docs/protocol.md.
 */
#include <stddef.h>

#include "redis/tls.h"

#ifdef HAVE_HIREDIS_SSL

#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct redis_tls {
    SSL_CTX *trust;
    SSL *session; /* of the connection, which frees it; NULL: none */
};

struct redis_tls *
redis_tls_new(void)
{
    struct redis_tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL)
        return NULL;
    tls->trust = SSL_CTX_new(TLS_client_method());
    if (tls->trust == NULL ||
        SSL_CTX_set_default_verify_paths(tls->trust) != 1) {
        redis_tls_free(tls);
        return NULL;
    }
    SSL_CTX_set_verify(tls->trust, SSL_VERIFY_PEER, NULL);
    return tls;
}

/* hiredis does not check names. For a host name, also sets the SNI. */
static bool
expect_host(SSL *session, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(session);

    return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ||
           (SSL_set1_host(session, host) == 1 &&
            SSL_set_tlsext_host_name(session, host) == 1);
}

void
redis_tls_end(struct redis_tls *tls)
{
    if (tls != NULL)
        tls->session = NULL;
}

bool
redis_tls_is_starting(const struct redis_tls *tls)
{
    return tls != NULL && tls->session != NULL &&
           !SSL_is_init_finished(tls->session);
}

void
redis_tls_forget_error(void)
{
    ERR_clear_error();
}

/* Whether OpenSSL has received something that is not TLS. */
static bool
is_no_tls(unsigned long error)
{
    static const int reasons[] = {
        SSL_R_WRONG_VERSION_NUMBER,
        SSL_R_PACKET_LENGTH_TOO_LONG,
        SSL_R_RECORD_LENGTH_MISMATCH,
        SSL_R_HTTP_REQUEST,
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
            ERR_GET_REASON(error) == reasons[i])
            return true;
    }
    return false;
}

/* A refused certificate explains more than OpenSSL's last error. */
const char *
redis_tls_error(const struct redis_tls *tls, const char *otherwise)
{
    const unsigned long error = tls != NULL ? ERR_peek_last_error() : 0;
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;
    long verdict = X509_V_OK;

    if (tls != NULL && tls->session != NULL)
        verdict = SSL_get_verify_result(tls->session);
    if (verdict != X509_V_OK)
        return X509_verify_cert_error_string(verdict);
    if (is_no_tls(error))
        return "the server does not speak TLS there";
    return reason != NULL ? reason : otherwise;
}

/* The text of an error is taken before the session is freed. */
const char *
redis_tls_start(struct redis_tls *tls, struct redisContext *context,
                const char *host)
{
    const char *failure;

    if (tls == NULL)
        return NULL;
    ERR_clear_error();
    tls->session = SSL_new(tls->trust);
    if (tls->session != NULL && expect_host(tls->session, host) &&
        redisInitiateSSL(context, tls->session) == REDIS_OK)
        return NULL;
    failure = redis_tls_error(tls, context->err != 0 ? context->errstr
                                                     : "out of memory");
    SSL_free(tls->session);
    tls->session = NULL;
    return failure;
}

const char *
redis_tls_write(struct redis_tls *tls, struct redisContext *context,
                struct bytes bytes, bool *ret_waiting)
{
    int empty = 0;

    if (bytes.length > 0 && redisAppendFormattedCommand(
                                context, bytes.at, bytes.length) != REDIS_OK)
        return "out of memory";
    redis_tls_forget_error();
    if (redisBufferWrite(context, &empty) != REDIS_OK)
        return redis_tls_error(tls, "the connection broke");
    /* In the handshake TLS waits for the server, not for the socket. */
    *ret_waiting = !empty && !redis_tls_is_starting(tls);
    return NULL;
}

void
redis_tls_free(struct redis_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->trust);
    free(tls);
}

#else

struct redis_tls *
redis_tls_new(void)
{
    return NULL;
}

const char *
redis_tls_start(struct redis_tls *tls, struct redisContext *context,
                const char *host)
{
    (void)context;
    (void)host;
    return tls == NULL ? NULL : "this build has no TLS";
}

void
redis_tls_end(struct redis_tls *tls)
{
    (void)tls;
}

bool
redis_tls_is_starting(const struct redis_tls *tls)
{
    return tls != NULL;
}

const char *
redis_tls_write(struct redis_tls *tls, struct redisContext *context,
                struct bytes bytes, bool *ret_waiting)
{
    (void)tls;
    (void)context;
    (void)bytes;
    (void)ret_waiting;
    return "this build has no TLS";
}

void
redis_tls_forget_error(void)
{
}

const char *
redis_tls_error(const struct redis_tls *tls, const char *otherwise)
{
    (void)tls;
    return otherwise;
}

void
redis_tls_free(struct redis_tls *tls)
{
    (void)tls;
}

#endif
