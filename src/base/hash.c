/* A keyed hash for tables: SipHash-2-4. */
#include <stddef.h>

#include "base/hash.h"

#define WORD_SIZE sizeof(uint64_t)

/* "somepseudorandomlygeneratedbytes", as in the paper. */
static const uint64_t initial[4] = {0x736f6d6570736575, 0x646f72616e646f6d,
                                    0x6c7967656e657261, 0x7465646279746573};

static uint64_t
rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static void
rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

static void
take_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
}

/* Reads up to WORD_SIZE bytes as a little-endian number. */
static uint64_t
read_word(const unsigned char *at, size_t length)
{
    uint64_t word = 0;

    for (size_t i = 0; i < length; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

uint64_t
hash_bytes(const struct hash_key *key, struct bytes text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    size_t left = text.length;
    uint64_t v[4];

    for (size_t i = 0; i < 4; i++)
        v[i] = initial[i] ^ key->words[i % 2];
    for (; left >= WORD_SIZE; left -= WORD_SIZE, at += WORD_SIZE)
        take_word(v, read_word(at, WORD_SIZE));
    take_word(v, (uint64_t)text.length << 56 | read_word(at, left));
    v[2] ^= 0xff;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
