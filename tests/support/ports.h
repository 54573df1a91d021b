#ifndef PORTS_H
#define PORTS_H

/*
 * A free loopback port, which no other test program gets while this process
 * lives; -1 if there is none.
 */
int ports_free(void);

/* A socket that listens on a free loopback port; -1 if that fails. */
int ports_listen(int *ret_port);

/* The same on a given port; -1 also if the port is taken. */
int ports_listen_at(int port, int *ret_port);

/* The same on a unix socket of at most 107 bytes, which is new. */
int ports_listen_unix(const char *path);

/* A connection to a loopback port, with a time limit for reads and writes; -1
 * if that fails. */
int ports_connect(int port, int limit_ms);

/* The same from a loopback address such as "127.0.0.2"; NULL: any. */
int ports_connect_from(const char *address, int port, int limit_ms);

#endif
