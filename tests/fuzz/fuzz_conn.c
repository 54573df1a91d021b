/*
 * A connection: for any bytes, in any pieces, it never blocks; it sends
 * complete answers only: at least one if a complete exchange came first, and
 * never more than there were exchanges; and it is closed when the peer has
 * closed. The first byte chooses the size of the pieces, the second how the
 * peer ends.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "fcgi/scan.h"
#include "fuzz.h"
#include "support/served.h"

#define HEADER_LENGTH 8
#define PIECE_UNIT    16
#define TURNS         3

enum ending { ENDING_CLOSE = 0, ENDING_HALF, ENDING_DRAIN, ENDING__MAX };

enum record_type { RECORD_END = 3, RECORD_STDOUT = 6, RECORD_STDERR = 7 };

static struct served served;

static void
set_up(void)
{
    if (served.shared.loop == NULL)
        FUZZ_CHECK(served_start(&served, bytes_of("[\"a\"]")));
}

/* How many complete exchanges the input begins with. */
static size_t
count_exchanges(const struct fuzz_input *input)
{
    size_t count = 0, at = 0;

    while (at < input->left) {
        struct fcgi_scan scan = {0};

        if (fcgi_scan(&scan, input->at + at, input->left - at) !=
            FCGI_SCAN_COMPLETE)
            break;
        at += scan.length;
        count++;
    }
    return count;
}

/* Checks the records that were sent; returns the number of answers. */
static size_t
count_answers(const struct buf *out)
{
    const unsigned char *bytes = (const unsigned char *)out->data;
    size_t count = 0, at = 0;

    while (at < out->length) {
        const unsigned char *header = bytes + at;
        unsigned type;

        FUZZ_CHECK(out->length - at >= HEADER_LENGTH);
        type = header[1];
        at += HEADER_LENGTH + ((size_t)header[4] << 8 | header[5]) + header[6];
        FUZZ_CHECK(at <= out->length);
        FUZZ_CHECK(type == RECORD_END || type == RECORD_STDOUT ||
                   type == RECORD_STDERR);
        count += type == RECORD_END;
        FUZZ_CHECK(at < out->length || type == RECORD_END);
    }
    return count;
}

static void
turn(int fd, struct buf *out)
{
    char part[4096];
    ssize_t got;

    for (int i = 0; i < TURNS; i++) {
        served_turn(&served);
        while ((got = recv(fd, part, sizeof(part), 0)) > 0)
            buf_add(out, part, (size_t)got);
    }
}

static void
end(int fd, enum ending ending, struct buf *out)
{
    switch (ending) {
    case ENDING_HALF:
        (void)shutdown(fd, SHUT_WR);
        turn(fd, out);
        break;
    case ENDING_DRAIN:
        conn_drain(&served.shared, 1);
        turn(fd, out);
        break;
    case ENDING_CLOSE:
    case ENDING__MAX:
        break;
    }
    (void)close(fd);
    for (int i = 0; i < TURNS; i++)
        served_turn(&served);
    FUZZ_CHECK(conn_count(&served.shared) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    size_t step = ((size_t)fuzz_byte(&input) + 1) * PIECE_UNIT;
    enum ending ending = fuzz_byte(&input) % ENDING__MAX;
    size_t exchanges = count_exchanges(&input), answers;
    struct buf out = {0};
    int fd;

    set_up();
    fd = served_connect(&served);
    FUZZ_CHECK(fd != -1);
    for (size_t at = 0; at < input.left; at += step) {
        size_t left = input.left - at;

        (void)send(fd, input.at + at, left < step ? left : step, MSG_NOSIGNAL);
        turn(fd, &out);
    }
    end(fd, ending, &out);
    answers = count_answers(&out);
    FUZZ_CHECK(answers <= exchanges && (answers > 0 || exchanges == 0));
    buf_free(&out);
    return 0;
}
