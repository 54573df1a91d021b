/*
 * The key of a client's interests in the store. Implements S18.1 of
 * docs/protocol.md.
 */
#include "scoring/interests.h"
#include "base/buf.h"

struct bytes
interests_key(int64_t client_id, char room[INTERESTS_KEY_MAX])
{
    /* It never grows: no key is longer than the room. */
    struct buf key = {.data = room, .capacity = INTERESTS_KEY_MAX};

    buf_add_text(&key, INTERESTS_KEY_PREFIX);
    buf_add_int(&key, client_id);
    return buf_bytes(&key);
}
