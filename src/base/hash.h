#ifndef HASH_H
#define HASH_H

#include <stdint.h>

#include "base/bytes.h"

/* Random and secret: who knows it can choose texts that collide. */
struct hash_key {
    uint64_t words[2];
};

/*
 * SipHash-2-4 of a text. Source: J.-P. Aumasson and D. J. Bernstein, "SipHash:
 * a fast short-input PRF", 2012.
 */
uint64_t hash_bytes(const struct hash_key *key, struct bytes text);

#endif
