#ifndef FCGI_REPLY_H
#define FCGI_REPLY_H

#include "base/buf.h"
#include "base/bytes.h"

/* Parses the answer of one FastCGI exchange. Pure. */
enum fcgi_reply_verdict {
    FCGI_REPLY_MORE = 0, /* valid so far, but incomplete */
    FCGI_REPLY_COMPLETE,
    FCGI_REPLY_BAD /* no answer, or the application reported an error */
};

/*
 * Parses everything that has been received so far.
 *
 * answer   receives the content of stdout, with FCGI_REPLY_COMPLETE only.
 */
enum fcgi_reply_verdict fcgi_reply_take(struct bytes received,
                                        struct buf *answer);

#endif
