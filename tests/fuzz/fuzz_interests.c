/*
 * Import and export: lines, values and keys, and how a file is divided into
 * lines. The first byte chooses.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/line_reader.h"
#include "cli/line.h"
#include "fuzz.h"
#include "scoring/interests.h"

#define CLIENT_ID 7
#define PIECE_MIN 64 /* with smaller pieces they do not fit the socket */

static enum interests_line_error
parse(struct line text, struct interests_line *line)
{
    struct json_fault fault = {0}, checked = {0};
    const bool is_json = json_check(line_bytes(text), &checked);
    enum interests_line_error error = interests_line_parse(text, line, &fault);

    FUZZ_CHECK((error == INTERESTS_LINE_JSON) == !is_json);
    FUZZ_CHECK(fault.error == checked.error && fault.offset == checked.offset);
    return error;
}

/* Whether json-c accepts a line; it does not see repeated members. */
static bool
is_good_object(struct json_object *object, int64_t *ret_client_id)
{
    struct json_object *id, *interests;

    if (!json_object_is_type(object, json_type_object) ||
        json_object_object_length(object) != 2 ||
        !json_object_object_get_ex(object, "client_id", &id) ||
        !json_object_object_get_ex(object, "interests", &interests) ||
        !json_object_is_type(id, json_type_int) ||
        !json_object_is_type(interests, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(interests); i++) {
        if (!json_object_is_type(json_object_array_get_idx(interests, i),
                                 json_type_string))
            return false;
    }
    *ret_client_id = json_object_get_int64(id);
    return true;
}

static void
compare_with_json_c(struct bytes text, enum interests_line_error error,
                    const struct interests_line *line)
{
    static struct json_tokener *tokener;
    struct json_object *object = NULL;
    struct json_fault fault;
    int64_t client_id;
    char *copy = fuzz_copy(text);

    if (tokener == NULL)
        tokener = json_tokener_new_ex(JSON_TOKENER_DEPTH);
    if (error != INTERESTS_LINE_REPEATED &&
        json_find(copy, text.length, SIZE_MAX, NULL, 0, &fault)) {
        bool is_good;

        FUZZ_CHECK(json_decode(tokener, copy, text.length, &object));
        is_good = is_good_object(object, &client_id);
        FUZZ_CHECK(is_good == (error == INTERESTS_LINE_OK));
        FUZZ_CHECK(!is_good || client_id == line->client_id);
    }
    json_object_put(object);
    free(copy);
}

/* A printed value is one line, which is read and printed as the same line. */
static void
check_printed(int64_t client_id, struct bytes value)
{
    struct buf out = {0}, again = {0};
    struct interests_line line = {0};
    struct line text;

    FUZZ_CHECK(interests_line_print(client_id, value, &out) ==
               INTERESTS_LINE_OK);
    text = (struct line){out.data, out.length - 1};
    FUZZ_CHECK(memchr(out.data, '\n', out.length) == out.data + text.length);
    FUZZ_CHECK(parse(text, &line) == INTERESTS_LINE_OK);
    FUZZ_CHECK(line.client_id == client_id);
    FUZZ_CHECK(interests_line_print(client_id, line.interests, &again) ==
               INTERESTS_LINE_OK);
    FUZZ_CHECK(bytes_equal(buf_bytes(&again), buf_bytes(&out)));
    buf_free(&out);
    buf_free(&again);
}

static void
try_line(struct fuzz_input *input)
{
    struct bytes text = {(const char *)input->at, input->left};
    struct interests_line line = {0};
    char *copy = fuzz_copy(text);
    enum interests_line_error error =
        parse((struct line){copy, text.length}, &line);

    FUZZ_CHECK(interests_line_error_text(error)[0] != '\0');
    compare_with_json_c(text, error, &line);
    if (error == INTERESTS_LINE_OK)
        check_printed(line.client_id, line.interests);
    free(copy);
}

static void
try_value(struct fuzz_input *input)
{
    const struct bytes value = {(const char *)input->at, input->left};
    struct buf out = {0};

    if (value.length == 0 || json_is_string_array(value)) {
        check_printed(CLIENT_ID, value);
        return;
    }
    FUZZ_CHECK(interests_line_print(CLIENT_ID, value, &out) ==
               INTERESTS_LINE_BAD_INTERESTS);
    FUZZ_CHECK(out.length == 0);
    buf_free(&out);
}

static void
try_key(struct fuzz_input *input)
{
    const struct bytes key = {(const char *)input->at, input->left};
    char written[INTERESTS_KEY_MAX + 1];
    int64_t client_id = 0, again = 0;

    if (interests_key_parse(key, &client_id)) {
        (void)snprintf(written, sizeof(written), "i:%" PRId64, client_id);
        FUZZ_CHECK(bytes_equal(key, bytes_of(written)));
    }
    if (key.length >= sizeof(client_id))
        memcpy(&client_id, key.at, sizeof(client_id));
    (void)snprintf(written, sizeof(written), "i:%" PRId64, client_id);
    FUZZ_CHECK(interests_key_parse(bytes_of(written), &again));
    FUZZ_CHECK(again == client_id);
}

/* A descriptor from which the bytes are read in pieces of this size. */
static int
open_pieces(struct bytes text, size_t size)
{
    int fd[2];

    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == 0);
    for (size_t at = 0; at < text.length; at += size) {
        size_t rest = text.length - at;
        size_t piece = rest < size ? rest : size;

        FUZZ_CHECK(send(fd[0], text.at + at, piece, MSG_DONTWAIT) ==
                   (ssize_t)piece);
    }
    (void)close(fd[0]);
    return fd[1];
}

/* Lines are what is between line feeds. */
static void
try_lines(struct fuzz_input *input)
{
    size_t line_max = fuzz_byte(input) + 1;
    size_t piece = fuzz_byte(input) + PIECE_MIN;
    const char *at = (const char *)input->at, *end = at + input->left;
    int fd = open_pieces((struct bytes){at, input->left}, piece);
    struct line_reader *reader = line_reader_new(fd, line_max);
    struct line line;
    int64_t number = 0;

    FUZZ_CHECK(reader != NULL);
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        const struct bytes want = {at,
                                   (size_t)((feed != NULL ? feed : end) - at)};
        enum line_reader_result result = line_reader_next(reader, &line);

        FUZZ_CHECK(result == (want.length > line_max ? LINE_READER_LONG
                                                     : LINE_READER_LINE));
        FUZZ_CHECK(result == LINE_READER_LONG ||
                   bytes_equal(line_bytes(line), want));
        FUZZ_CHECK(line_reader_number(reader) == ++number);
        at = feed != NULL ? feed + 1 : end;
        FUZZ_CHECK(line_reader_offset(reader) == at - (const char *)input->at);
    }
    FUZZ_CHECK(line_reader_next(reader, &line) == LINE_READER_END);
    line_reader_free(reader);
    (void)close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct fuzz_input *) = {try_line, try_value,
                                                         try_key, try_lines};
    struct fuzz_input input = {data, size};

    tries[fuzz_byte(&input) % (sizeof(tries) / sizeof(tries[0]))](&input);
    return 0;
}
