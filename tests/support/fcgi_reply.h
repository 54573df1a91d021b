#ifndef FCGI_REPLY_H
#define FCGI_REPLY_H

#include "base/buf.h"
#include "base/bytes.h"

/* The answer of one FastCGI exchange, as bytes: no descriptor, no time. */
enum fcgi_reply_verdict {
    FCGI_REPLY_MORE = 0, /* good so far; the end is still to come */
    FCGI_REPLY_COMPLETE,
    FCGI_REPLY_BAD /* no answer, or one that the application gave up */
};

/*
 * Looks at all that has been received so far.
 *
 * answer   gets the content of stdout when the verdict is
 *          FCGI_REPLY_COMPLETE; left alone otherwise.
 */
enum fcgi_reply_verdict fcgi_reply_take(struct bytes received,
                                        struct buf *answer);

#endif
