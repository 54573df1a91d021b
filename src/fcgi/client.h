#ifndef FCGI_CLIENT_H
#define FCGI_CLIENT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"

/*
 * The web server's side of one FastCGI exchange, as bytes: no descriptor, no
 * time. Just as much as `scoring healthcheck` needs.
 */

/* Of names, values and bodies: what a length of one byte can say. */
#define FCGI_CLIENT_TEXT_MAX 127

struct fcgi_client_param {
    const char *name, *value;
};

/*
 * Adds a whole request of a responder, whose connection is to be closed
 * afterwards. No text may be longer than FCGI_CLIENT_TEXT_MAX.
 */
void fcgi_client_put(struct buf *out, const struct fcgi_client_param *params,
                     size_t count, struct bytes body);

enum fcgi_client_verdict {
    FCGI_CLIENT_MORE = 0, /* good so far; the end is still to come */
    FCGI_CLIENT_COMPLETE,
    FCGI_CLIENT_BAD /* no answer, or one that the application gave up */
};

/*
 * Looks at all that has been received so far.
 *
 * answer   gets the content of stdout when the verdict is
 *          FCGI_CLIENT_COMPLETE; left alone otherwise.
 */
enum fcgi_client_verdict fcgi_client_take(struct bytes received,
                                          struct buf *answer);

#endif
