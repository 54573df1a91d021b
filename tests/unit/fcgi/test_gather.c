/* Exchanges in pieces: which bytes of the body are kept. */
#include "fcgi/gather.h"
#include "support/buffer.h"
#include "support/cases.h"
#include "support/fcgi_peer.h"

#define BODY_MAX 100
#define PIECE    30

struct gather_case {
    const char *name;
    size_t body_length;
    size_t kept; /* bytes of it, at the end */
};

static const struct gather_case gather_rows[] = {
    {"no body", 0, 0},
    {"the largest", BODY_MAX, BODY_MAX},
    {"one byte too many", BODY_MAX + 1, 0},
    {"far too many", 3000, 0},
};

/* A body that is too large is dropped as it arrives, not at its end. */
TEST_CASES(gather, struct gather_case, gather_rows)
{
    static const char body[3000];
    const struct fcgi_peer_exchange exchange = {.body = body,
                                                .body_length = c->body_length};
    enum fcgi_scan_verdict verdict = FCGI_SCAN_MORE;
    struct fcgi_gather gather = {.head = {0}};
    struct buffer bytes = {0};

    fcgi_peer_whole(&bytes, &exchange);
    fcgi_gather_start(&gather);
    for (size_t at = 0; at < bytes.length; at += PIECE) {
        size_t rest = bytes.length - at;

        CU_ASSERT_EQUAL(verdict, FCGI_SCAN_MORE);
        verdict = fcgi_gather_take(&gather, bytes.data + at,
                                   rest < PIECE ? rest : PIECE, BODY_MAX);
        CU_ASSERT(gather.body.length <= BODY_MAX);
    }
    CU_ASSERT_EQUAL(verdict, FCGI_SCAN_COMPLETE);
    CU_ASSERT_EQUAL(gather.scan.body_length, c->body_length);
    CU_ASSERT_EQUAL(gather.body.length, c->kept);
    fcgi_gather_clear(&gather);
    CU_ASSERT_PTR_NULL(gather.head.data);
    CU_ASSERT_PTR_NULL(gather.body.data);
    buffer_free(&bytes);
}
