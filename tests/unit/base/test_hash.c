/*
 * SipHash-2-4. The vectors are those of its authors: the key is the bytes 00 to
 * 0f, the text the bytes from 00 on.
 */
#include "base/hash.h"
#include "support/cases.h"

struct vector_case {
    const char *name;
    size_t length;
    uint64_t want;
};

static const struct vector_case vector_rows[] = {
    {"no byte", 0, 0x726fdb47dd0e0e31},
    {"one byte", 1, 0x74f839c593dc67fd},
    {"a byte less than a word", 7, 0xab0200f58b01d137},
    {"a word", 8, 0x93f5f5799a932462},
    {"fifteen bytes, as in the paper", 15, 0xa129ca6149be45e5},
};

TEST_CASES(vector, struct vector_case, vector_rows)
{
    const struct hash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    char text[16];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)i;
    CU_ASSERT_EQUAL(hash_bytes(&key, (struct bytes){text, c->length}), c->want);
}

TEST_SINGLE(key, "another key makes another hash")
{
    const struct hash_key a = {{0, 0}}, b = {{0, 1}}, c = {{1, 0}};
    const struct bytes text = bytes_of("acme");

    CU_ASSERT_NOT_EQUAL(hash_bytes(&a, text), hash_bytes(&b, text));
    CU_ASSERT_NOT_EQUAL(hash_bytes(&a, text), hash_bytes(&c, text));
}
