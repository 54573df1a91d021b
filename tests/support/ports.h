#ifndef PORTS_H
#define PORTS_H

/*
 * A port of the loopback that was free a moment ago, and is given to nobody
 * else while this process lives; -1 if there is none.
 */
int ports_free(void);

/* A socket that listens on a free loopback port, which is told. -1: none. */
int ports_listen(int *ret_port);

/* The same at some port; -1 too if that is taken. */
int ports_listen_at(int port, int *ret_port);

/* A connection to a loopback port, with a time limit on both ways; or -1. */
int ports_connect(int port, int limit_ms);

/* The same from an address of the loopback, "127.0.0.2"; NULL: any. */
int ports_connect_from(const char *address, int port, int limit_ms);

#endif
