/*
 * The JSON decoder: the check and the decoder agree, and a fault is within the
 * text. The input is the text.
 */
#include <json-c/json.h>

#include "base/json.h"
#include "fuzz.h"

static void
check_fault(const struct json_fault *fault, size_t length)
{
    FUZZ_CHECK(fault->error != JSON_OK && fault->error < JSON__MAX);
    FUZZ_CHECK(fault->error != JSON_MANY); /* there is no limit */
    FUZZ_CHECK(fault->offset <= length);
    FUZZ_CHECK(json_error_text(fault->error)[0] != '\0');
}

static bool
is_string_array(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        if (!json_object_is_type(json_object_array_get_idx(value, i),
                                 json_type_string))
            return false;
    }
    return true;
}

/* Decoding a string in place gives the same as json-c. */
static void
check_string(struct bytes text, struct json_object *value)
{
    const char *start = memchr(text.at, '"', text.length);
    char *copy;
    size_t length;

    if (!json_object_is_type(value, json_type_string))
        return;
    length = text.length - (size_t)(start + 1 - text.at);
    while (start[length] != '"')
        length--;
    copy = fuzz_copy((struct bytes){start + 1, length - 1});
    length = json_unescape(copy, length - 1);
    FUZZ_CHECK(length == (size_t)json_object_get_string_len(value));
    FUZZ_CHECK(memcmp(copy, json_object_get_string(value), length) == 0);
    free(copy);
}

/*
 * json_find() finds the same members as json-c, with the same values; and with
 * a limit of one value less the text has too many.
 */
static void
check_members(struct bytes text, struct json_object *value)
{
    static struct json_tokener *tokener;
    struct json_member members[] = {{.name = bytes_of("a")},
                                    {.name = bytes_of("login")}};
    struct json_fault fault;
    char *copy = fuzz_copy(text);

    if (tokener == NULL)
        tokener = json_tokener_new_ex(JSON_TOKENER_DEPTH);
    FUZZ_CHECK(json_find(copy, text.length, SIZE_MAX, members, 2, &fault));
    for (int i = 0; i < 2; i++) {
        struct json_object *want = NULL, *got = NULL;
        bool is_there =
            json_object_is_type(value, json_type_object) &&
            json_object_object_get_ex(value, members[i].name.at, &want);

        FUZZ_CHECK(is_there == (members[i].length > 0));
        if (!is_there)
            continue;
        FUZZ_CHECK(
            json_decode(tokener, members[i].value, members[i].length, &got));
        FUZZ_CHECK(json_object_equal(got, want));
        json_object_put(got);
    }
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_tokener *tokener;
    const struct bytes text = {(const char *)data, size};
    struct json_fault checked = {0}, decoded = {0};
    struct json_object *value = NULL;
    char *copy = fuzz_copy(text);
    bool is_good;

    if (tokener == NULL)
        tokener = json_tokener_new_ex(JSON_TOKENER_DEPTH);
    is_good = json_check(text, &checked);
    FUZZ_CHECK(json_find(copy, size, SIZE_MAX, NULL, 0, &decoded) == is_good);
    if (is_good) {
        FUZZ_CHECK(json_decode(tokener, copy, size, &value));
        check_string(text, value);
        check_members(text, value);
        FUZZ_CHECK(json_is_string_array(text) == is_string_array(value));
    } else {
        check_fault(&checked, size);
        FUZZ_CHECK(checked.error == decoded.error);
        FUZZ_CHECK(checked.offset == decoded.offset);
        FUZZ_CHECK(!json_is_string_array(text));
    }
    json_object_put(value);
    free(copy);
    return 0;
}
