/*
 * Models: any file is accepted, or each of its faults has a line; an accepted
 * model is printed and read as the same one; and it gives a valid score for
 * each mask of known inputs.
 */
#include "base/buf.h"
#include "base/json.h"
#include "fuzz.h"
#include "scoring/model.h"
#include "scoring/person.h"
#include "scoring/score.h"

/* Faults are lines of printable characters. */
static void
check_faults(const struct buf *faults)
{
    FUZZ_CHECK(faults->length > 0 && faults->data[faults->length - 1] == '\n');
    for (size_t i = 0; i < faults->length; i++) {
        const unsigned char byte = (unsigned char)faults->data[i];

        FUZZ_CHECK(byte == '\n' || (byte >= ' ' && byte != 0x7f));
    }
    FUZZ_CHECK(strncmp(faults->data, "line ", strlen("line ")) == 0);
}

static void
check_again(const struct model *model)
{
    struct buf shown = {0}, again = {0}, faults = {0};
    struct model other;

    model_print(model, &shown);
    buf_add_bytes(&again, buf_bytes(&shown));
    FUZZ_CHECK(model_read(again.data, again.length, &other, &faults));
    buf_clear(&again);
    model_print(&other, &again);
    FUZZ_CHECK(bytes_equal(buf_bytes(&shown), buf_bytes(&again)));
    FUZZ_CHECK(model->digest_length == other.digest_length &&
               memcmp(model->digest, other.digest, other.digest_length) == 0);
    buf_free(&shown);
    buf_free(&again);
}

static void
check_scores(const struct model *model)
{
    const struct score_terms terms = {.model = model, .explain = true};
    struct buf text = {0};

    for (unsigned known = 0; known < 1U << PERSON__MAX; known++) {
        struct json_fault fault;

        buf_clear(&text);
        model_add_points(model_tenths(model, known), &text);
        FUZZ_CHECK(model_is_score(model, buf_bytes(&text)));
        buf_clear(&text);
        score_add(&terms, known, &text);
        FUZZ_CHECK(json_check(buf_bytes(&text), &fault));
    }
    buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    char *copy = fuzz_copy(text);
    struct buf faults = {0};
    struct model model;

    if (model_read(copy, size, &model, &faults)) {
        FUZZ_CHECK(faults.length == 0);
        check_again(&model);
        check_scores(&model);
    } else {
        check_faults(&faults);
    }
    buf_free(&faults);
    free(copy);
    return 0;
}
