/*
 * A model: the rules whose points make a score, each a mask of inputs and its
 * points. Reads and prints models, makes and explains scores, and has the
 * published model. Implements S15 of docs/protocol.md.
 */
#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/param.h>

#include "base/json.h"
#include "scoring/model.h"
#include "scoring/person.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define SHOWN_MAX 32 /* bytes of an unknown member's name in a fault */

#define DIGEST_SHOWN 4 /* bytes in the log: enough to tell models apart */

const struct model model_published = {
    .name = "published",
    .rule_count = 4,
    .rules =
        {
            {"phone", PERSON_BIT(PHONE), 15},
            {"email", PERSON_BIT(EMAIL), 15},
            {"age_and_gender", PERSON_BIT(BIRTHDAY) | PERSON_BIT(GENDER), 15},
            {"full_name", PERSON_BIT(FIRST_NAME) | PERSON_BIT(LAST_NAME), 5},
        },
};

enum model_fault {
    FAULT_UNKNOWN = 0,
    FAULT_REPEATED,
    FAULT_MISSING,
    FAULT_NAME,
    FAULT_RULES,
    FAULT_RULE,
    FAULT_TAKEN,
    FAULT_GIVEN,
    FAULT_INPUT,
    FAULT_TWICE,
    FAULT_POINTS,
    FAULT__MAX
};

static const char *const fault_texts[FAULT__MAX] = {
    [FAULT_UNKNOWN] = "there is no such member",
    [FAULT_REPEATED] = "is repeated",
    [FAULT_MISSING] = "is required",
    [FAULT_NAME] = "must be 1 to 64 characters of A-Z a-z 0-9 . _ -",
    [FAULT_RULES] = "must be an array of 1 to 64 rules",
    [FAULT_RULE] = "must be an object",
    [FAULT_TAKEN] = "another rule has the same",
    [FAULT_GIVEN] = "must be a non-empty array of arguments",
    [FAULT_INPUT] = "may only hold ",
    [FAULT_TWICE] = "holds an argument twice",
    [FAULT_POINTS] = "must be a multiple of 0.1 from 0 to 100",
};

/* The state of model_read(). */
struct reading {
    struct model model;
    struct model_rule *rule; /* the rule being read */
    size_t rule_number;      /* from 1; 0 outside of rules */
    struct buf *faults;
};

/* A member of the model or of a rule. */
struct member {
    const char *name;
    void (*read)(struct reading *reading, const char *name,
                 const struct json_item *item);
};

/* The beginning of a name, cut after a whole character of UTF-8. */
static struct bytes
shown(struct bytes name)
{
    if (name.length <= SHOWN_MAX)
        return name;
    name.length = SHOWN_MAX;
    while (name.length > 0 && (name.at[name.length] & 0xc0) == 0x80)
        name.length--;
    return name;
}

static void
add_fault(struct reading *reading, size_t line, struct bytes member,
          enum model_fault fault)
{
    struct buf *out = reading->faults;

    buf_printf(out, "line %zu: ", line);
    if (reading->rule_number > 0)
        buf_printf(out, "rule %zu: ", reading->rule_number);
    if (fault == FAULT_UNKNOWN)
        json_add_string(out, shown(member));
    else
        buf_add_bytes(out, member);
    buf_add_text(out, fault == FAULT_RULE ? "" : ": ");
    buf_add_text(out, fault_texts[fault]);
    if (fault == FAULT_INPUT)
        person_add_names(~0U, ", ", out);
    buf_add_text(out, "\n");
}

static bool
is_name(struct bytes text)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz"
                                     "0123456789._-";

    if (text.length == 0 || text.length > MODEL_NAME_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '\0' || strchr(characters, text.at[i]) == NULL)
            return false;
    }
    return true;
}

/* ret_name has room for MODEL_NAME_MAX characters and a NUL. */
static bool
read_name(struct reading *reading, const char *name,
          const struct json_item *item, char *ret_name)
{
    struct bytes text;

    if (!json_item_text(item, &text) || !is_name(text)) {
        add_fault(reading, item->line, bytes_of(name), FAULT_NAME);
        return false;
    }
    memcpy(ret_name, text.at, text.length);
    ret_name[text.length] = '\0';
    return true;
}

static void
read_model_name(struct reading *reading, const char *name,
                const struct json_item *item)
{
    (void)read_name(reading, name, item, reading->model.name);
}

static void
read_reason(struct reading *reading, const char *name,
            const struct json_item *item)
{
    const struct model *model = &reading->model;

    if (!read_name(reading, name, item, reading->rule->reason))
        return;
    for (size_t i = 0; i < model->rule_count; i++) {
        if (strcmp(model->rules[i].reason, reading->rule->reason) == 0)
            add_fault(reading, item->line, bytes_of(name), FAULT_TAKEN);
    }
}

/* The bit of the input that an item names; 0 if there is no such input. */
static unsigned
input_bit(const struct json_item *item)
{
    struct bytes name;

    if (!json_item_text(item, &name))
        return 0;
    for (unsigned i = 0; i < PERSON__MAX; i++) {
        if (bytes_equal(name, person_fields.rows[i].name))
            return 1U << i;
    }
    return 0;
}

static void
read_given(struct reading *reading, const char *name,
           const struct json_item *item)
{
    struct json_walk walk = json_walk(item->value, item->length, item->line);
    struct model_rule *rule = reading->rule;
    struct json_item input;
    size_t count = 0;

    while (*item->value == '[' && json_walk_next(&walk, &input)) {
        const unsigned bit = input_bit(&input);

        count++;
        if (bit == 0)
            add_fault(reading, input.line, bytes_of(name), FAULT_INPUT);
        else if ((rule->given & bit) != 0)
            add_fault(reading, input.line, bytes_of(name), FAULT_TWICE);
        rule->given |= bit;
    }
    if (count == 0)
        add_fault(reading, item->line, bytes_of(name), FAULT_GIVEN);
}

/*
 * The tenths of points; -1 if they are not a multiple of 0.1 from 0 to 100. By
 * their digits: as a double, 0.10000000000000000001 is 0.1, and 1e-400 is 0.
 * strspn() and strtol() stop: in an object another byte always follows.
 */
static int
points_tenths(const struct json_item *item)
{
    static const int worth[] = {1, 10, 100, 1000}; /* 0.1, 1, 10 and 100 */
    const bool is_negative = *item->value == '-';
    const char *digits = item->value + is_negative;
    const size_t whole = strspn(digits, "0123456789");
    const size_t length = strspn(digits, "0123456789.");
    long place = (long)whole; /* of a digit in worth[] */
    int tenths = 0;

    if (whole == 0)
        return -1;
    if (digits[length] == 'e' || digits[length] == 'E')
        place +=
            MAX(MIN(strtol(digits + length + 1, NULL, 10), INT_MAX), INT_MIN);
    for (size_t i = 0; i < length; i++) {
        if (digits[i] != '.' && digits[i] != '0') {
            if (place < 0 || place >= (long)COUNT(worth))
                return -1;
            tenths += (digits[i] - '0') * worth[place];
        }
        place -= digits[i] != '.';
    }
    return tenths > (is_negative ? 0 : MODEL_TENTHS_MAX) ? -1 : tenths;
}

static void
read_points(struct reading *reading, const char *name,
            const struct json_item *item)
{
    const int tenths = points_tenths(item);

    if (tenths < 0)
        add_fault(reading, item->line, bytes_of(name), FAULT_POINTS);
    else
        reading->rule->tenths = tenths;
}

static const struct member rule_members[] = {
    {"reason", read_reason},
    {"given", read_given},
    {"points", read_points},
};

/* Reads the members of an object: each must be there, once, and no others. */
static void
read_members(struct reading *reading, const struct json_item *object,
             const struct member *members, size_t count)
{
    struct json_walk walk =
        json_walk(object->value, object->length, object->line);
    struct json_item item;
    unsigned seen = 0;
    size_t i;

    while (json_walk_next(&walk, &item)) {
        for (i = 0; i < count; i++) {
            if (bytes_equal(item.name, bytes_of(members[i].name)))
                break;
        }
        if (i == count)
            add_fault(reading, item.line, item.name, FAULT_UNKNOWN);
        else if ((seen >> i & 1U) != 0)
            add_fault(reading, item.line, item.name, FAULT_REPEATED);
        else
            members[i].read(reading, members[i].name, &item);
        seen |= 1U << i;
    }
    for (i = 0; i < count; i++) {
        if ((seen >> i & 1U) == 0)
            add_fault(reading, object->line, bytes_of(members[i].name),
                      FAULT_MISSING);
    }
}

static void
read_rules(struct reading *reading, const char *name,
           const struct json_item *item)
{
    struct json_walk walk = json_walk(item->value, item->length, item->line);
    struct model *model = &reading->model;
    struct json_item rule;
    bool are_many = false;

    while (*item->value == '[' && json_walk_next(&walk, &rule)) {
        are_many = model->rule_count == MODEL_RULES_MAX;
        if (are_many)
            break;
        reading->rule = &model->rules[model->rule_count];
        reading->rule_number = model->rule_count + 1;
        if (*rule.value == '{')
            read_members(reading, &rule, rule_members, COUNT(rule_members));
        else
            add_fault(reading, rule.line, bytes_of(""), FAULT_RULE);
        model->rule_count++;
    }
    reading->rule_number = 0;
    if (model->rule_count == 0 || are_many)
        add_fault(reading, item->line, bytes_of(name), FAULT_RULES);
}

static const struct member model_members[] = {
    {"model", read_model_name},
    {"rules", read_rules},
};

/* A file with the content of the published model has no digest either. */
static bool
set_digest(struct model *model)
{
    struct buf text = {0}, published = {0};
    unsigned length = 0;
    bool is_set;

    model_print(model, &text);
    model_print(&model_published, &published);
    is_set = !text.failed && !published.failed;
    if (is_set && !bytes_equal(buf_bytes(&text), buf_bytes(&published)))
        is_set = EVP_Digest(text.data, text.length, model->digest, &length,
                            EVP_sha256(), NULL) == 1;
    model->digest_length = length;
    buf_free(&text);
    buf_free(&published);
    return is_set;
}

bool
model_read(char *text, size_t length, struct model *ret_model,
           struct buf *faults)
{
    const size_t before = faults->length;
    struct reading reading = {.faults = faults};
    const struct json_item whole = {.value = text, .length = length, .line = 1};
    struct json_fault fault;

    if (!json_check((struct bytes){text, length}, &fault)) {
        buf_printf(faults, "line %zu: %s\n",
                   json_line((struct bytes){text, length}, fault.offset),
                   json_error_text(fault.error));
        return false;
    }
    if (json_walk(text, length, 1).closing != '}') {
        add_fault(&reading, 1, bytes_of(""), FAULT_RULE);
        return false;
    }
    read_members(&reading, &whole, model_members, COUNT(model_members));
    if (faults->failed || faults->length > before)
        return false;
    if (!set_digest(&reading.model)) {
        buf_add_text(faults, "out of memory\n");
        return false;
    }
    *ret_model = reading.model;
    return true;
}

static void
add_inputs(unsigned inputs, struct buf *out)
{
    buf_add_text(out, "[\"");
    person_add_names(inputs, "\", \"", out);
    buf_add_text(out, "\"]");
}

void
model_print(const struct model *model, struct buf *out)
{
    buf_add_text(out, "{\n  \"model\": \"");
    buf_add_text(out, model->name);
    buf_add_text(out, "\",\n  \"rules\": [");
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct model_rule *rule = &model->rules[i];

        buf_add_text(out, i == 0 ? "\n" : ",\n");
        buf_add_text(out, "    {\"reason\": \"");
        buf_add_text(out, rule->reason);
        buf_add_text(out, "\", \"given\": ");
        add_inputs(rule->given, out);
        buf_add_text(out, ", \"points\": ");
        model_add_points(rule->tenths, out);
        buf_add_text(out, "}");
    }
    buf_add_text(out, "\n  ]\n}\n");
}

void
model_print_name(const struct model *model, struct buf *out)
{
    buf_add_text(out, model->name);
    if (model->digest_length == 0)
        return;
    buf_add_text(out, " (");
    for (size_t i = 0; i < DIGEST_SHOWN; i++)
        buf_printf(out, "%02x", model->digest[i]);
    buf_add_text(out, ")");
}

int
model_tenths(const struct model *model, unsigned known)
{
    int tenths = 0;

    for (size_t i = 0; i < model->rule_count; i++) {
        const struct model_rule *rule = &model->rules[i];

        tenths += (rule->given & ~known) == 0 ? rule->tenths : 0;
    }
    return tenths;
}

int
model_tenths_max(const struct model *model)
{
    return model_tenths(model, ~0U);
}

void
model_add_points(int tenths, struct buf *out)
{
    buf_add_int(out, tenths / MODEL_TENTHS);
    buf_add_text(out, ".");
    buf_add_int(out, tenths % MODEL_TENTHS);
}

bool
model_is_score(const struct model *model, struct bytes text)
{
    const size_t point = text.length - 2;
    int tenths = 0;

    if (text.length < sizeof("0.0") - 1 || text.length > sizeof("6400.0") - 1 ||
        text.at[point] != '.' || (text.at[0] == '0' && point > 1))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        const int digit = text.at[i] - '0';

        if (i == point)
            continue;
        if (digit < 0 || digit > 9)
            return false;
        tenths = tenths * 10 + digit;
    }
    return tenths <= model_tenths_max(model);
}

/* Adds the rules that count (do_count), or those that do not, with the inputs
 * that they lack. */
static void
add_rules(const struct model *model, size_t rule_count, unsigned known,
          bool do_count, struct buf *out)
{
    const char *comma = "";

    for (size_t i = 0; i < rule_count; i++) {
        const struct model_rule *rule = &model->rules[i];
        const unsigned lacking = rule->given & ~known;

        if ((lacking == 0) != do_count)
            continue;
        buf_add_text(out, comma);
        buf_add_text(out, "{\"reason\": \"");
        buf_add_text(out, rule->reason);
        buf_add_text(out, "\", \"points\": ");
        model_add_points(rule->tenths, out);
        if (lacking != 0) {
            buf_add_text(out, ", \"needs\": ");
            add_inputs(lacking, out);
        }
        buf_add_text(out, "}");
        comma = ", ";
    }
}

void
model_explain(const struct model *model, size_t rule_count, unsigned known,
              struct buf *out)
{
    assert(rule_count <= model->rule_count);
    buf_add_text(out, ", \"model\": \"");
    buf_add_text(out, model->name);
    buf_add_text(out, "\", \"reasons\": [");
    add_rules(model, rule_count, known, true, out);
    buf_add_text(out, "], \"missing\": [");
    add_rules(model, rule_count, known, false, out);
    buf_add_text(out, "]");
}
