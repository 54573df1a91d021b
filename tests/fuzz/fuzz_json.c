/*
 * The JSON decoder: what is checked is what is decoded, and a fault lies
 * within the text. The whole input is the text.
 */
#include <json-c/json.h>

#include "base/json.h"
#include "fuzz.h"

static void
check_fault(const struct json_fault *fault, size_t length)
{
    FUZZ_CHECK(fault->error != JSON_OK && fault->error < JSON__MAX);
    FUZZ_CHECK(fault->error != JSON_MEMORY); /* that is never the text's */
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
        tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 2);
    is_good = json_check(text, &checked);
    FUZZ_CHECK(json_decode(tokener, copy, size, &value, &decoded) == is_good);
    if (is_good) {
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
