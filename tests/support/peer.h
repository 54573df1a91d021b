#ifndef PEER_H
#define PEER_H

/*
 * A proxy with faults, on a loopback port in front of a real Redis. The fault
 * can be changed at any time, also for existing connections.
 */
struct peer;

enum peer_fault {
    PEER_NONE = 0, /* forwards everything */
    PEER_SILENT,   /* accepts connections and commands, and never answers */
    PEER_CLOSE,    /* closes every connection at once */
    PEER_GARBAGE,  /* answers each command with bytes that are no reply */
    PEER_HALF,     /* closes the connection in the middle of a reply */
    PEER_STALL,    /* forwards a handshake, then only half of a reply */
    PEER_CUT,      /* closes a connection when it is used a second time */
    PEER_DRIP,     /* forwards replies byte by byte, each PEER_DRIP_MS */
    PEER_LATE,     /* forwards replies after PEER_LATE_MS */
    PEER_SLOW,     /* forwards replies after PEER_SLOW_MS */
    PEER__MAX
};

#define PEER_DRIP_MS 20
#define PEER_LATE_MS                                                           \
    450 /* more than a command's limit, less than a request's */
#define PEER_SLOW_MS 150 /* less than a command's limit */

/* target is the unix socket of the Redis. Returns NULL if it cannot start. */
struct peer *peer_start(const char *target);
void peer_stop(struct peer *peer);

int peer_port(const struct peer *peer);
void peer_set(struct peer *peer, enum peer_fault fault);

#endif
