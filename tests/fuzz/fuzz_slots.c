/*
 * Replies of a server of a Cluster: any reply is refused, or is a map in which
 * each slot has one of its servers or none; any text is a redirection to a host
 * that is safe to log, or none. The first byte chooses, the rest is what the
 * server sends.
 */
#include <hiredis/hiredis.h>

#include "fuzz.h"
#include "store/slots.h"

#define SOURCE "10.0.0.9"

static void
check_server(const struct slots_server *server)
{
    FUZZ_CHECK(server->host[0] != '\0');
    FUZZ_CHECK(memchr(server->host, '\0', sizeof(server->host)) != NULL);
    FUZZ_CHECK(memchr(server->id, '\0', sizeof(server->id)) != NULL);
    FUZZ_CHECK(strpbrk(server->host, "\" \n\r\\") == NULL);
    FUZZ_CHECK(server->port >= 1 && server->port <= 65535);
}

static void
check_map(struct slots *slots)
{
    const size_t count = slots_server_count(slots);

    FUZZ_CHECK(count > 0 && count <= SLOTS_SERVERS_MAX);
    for (size_t i = 0; i < count; i++)
        check_server(slots_server(slots, i));
    for (unsigned slot = 0; slot < SLOTS_COUNT; slot++) {
        const int owner = slots_owner(slots, slot);

        FUZZ_CHECK(owner < (int)count);
        FUZZ_CHECK(owner < 0 || slots_is_master(slots, (size_t)owner));
    }
    FUZZ_CHECK(slots_share_server(slots, slots));
    FUZZ_CHECK(slots_have_same_owners(slots, slots));
}

static void
try_map(const struct fuzz_input *input)
{
    redisReader *reader = redisReaderCreate();
    struct slots *slots = NULL;
    void *reply = NULL;

    FUZZ_CHECK(reader != NULL);
    if (redisReaderFeed(reader, (const char *)input->at, input->left) ==
            REDIS_OK &&
        redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        const enum slots_error error = slots_read(reply, SOURCE, &slots);

        FUZZ_CHECK((error == SLOTS_OK) == (slots != NULL));
        if (slots != NULL)
            check_map(slots);
        freeReplyObject(reply);
    }
    slots_free(slots);
    redisReaderFree(reader);
}

static void
try_redirection(struct fuzz_input *input)
{
    const struct bytes part = fuzz_part(input);
    char *text = strndup(part.at, part.length);
    struct slots_server server;
    unsigned slot = 0;

    FUZZ_CHECK(text != NULL);
    if (slots_redirection(text, SOURCE, &slot, &server) !=
        SLOTS_REDIRECTION_NONE) {
        FUZZ_CHECK(slot < SLOTS_COUNT);
        check_server(&server);
    }
    FUZZ_CHECK(slots_of_key(part) < SLOTS_COUNT);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    if ((fuzz_byte(&input) & 1) != 0)
        try_map(&input);
    else
        try_redirection(&input);
    return 0;
}
