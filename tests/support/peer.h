#ifndef PEER_H
#define PEER_H

/*
 * A proxy with faults on a loopback port in front of a real Redis. The fault
 * can be changed at any time and applies to the connections there are, too.
 */
struct peer;

enum peer_fault {
    PEER_NONE = 0, /* passes all on */
    PEER_SILENT,   /* takes connections and commands, and never answers */
    PEER_CLOSE,    /* closes every connection at once */
    PEER_GARBAGE,  /* answers each command by bytes that mean nothing */
    PEER_HALF,     /* closes in the middle of a reply */
    PEER_STALL,    /* shakes hands, and is silent in the middle of a reply */
    PEER_CUT,      /* closes connections that are used a second time */
    PEER_DRIP, /* passes replies on one byte at a time, PEER_DRIP_MS apart */
    PEER_LATE, /* passes replies on PEER_LATE_MS later */
    PEER_SLOW, /* passes replies on PEER_SLOW_MS later */
    PEER__MAX
};

#define PEER_DRIP_MS 20
#define PEER_LATE_MS 450 /* above a command's limit, below a request's */
#define PEER_SLOW_MS 150 /* below a command's limit */

/* target is the unix socket behind it. NULL when it cannot be started. */
struct peer *peer_start(const char *target);
void peer_stop(struct peer *peer);

int peer_port(const struct peer *peer);
void peer_set(struct peer *peer, enum peer_fault fault);

#endif
