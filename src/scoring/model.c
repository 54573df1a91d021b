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
#include "scoring/document.h"
#include "scoring/model.h"
#include "scoring/person.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

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

/* The state of model_read(). */
struct reading {
    struct document document;
    struct model model;
    struct model_rule *rule; /* the rule being read */
};

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
read_name(struct reading *reading, const char *member,
          const struct json_item *item, char *ret_name)
{
    struct bytes text;

    if (!json_item_text(item, &text) || !is_name(text))
        return document_fault(&reading->document, item->line, member,
                              "must be 1 to %d characters of "
                              "A-Z a-z 0-9 . _ -",
                              MODEL_NAME_MAX);
    memcpy(ret_name, text.at, text.length);
    ret_name[text.length] = '\0';
    return true;
}

static void
read_model_name(void *arg, const struct json_item *item)
{
    struct reading *reading = arg;

    (void)read_name(reading, "model", item, reading->model.name);
}

static void
read_reason(void *arg, const struct json_item *item)
{
    struct reading *reading = arg;
    const struct model *model = &reading->model;

    if (!read_name(reading, "reason", item, reading->rule->reason))
        return;
    for (size_t i = 0; i < model->rule_count; i++) {
        if (strcmp(model->rules[i].reason, reading->rule->reason) == 0)
            (void)document_fault(&reading->document, item->line, "reason",
                                 "another rule has the same");
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
fault_input(struct document *document, size_t line)
{
    struct buf names = {0};

    person_add_names(~0U, ", ", &names);
    (void)document_fault(document, line, "given", "may only hold %.*s",
                         (int)names.length, names.data);
    buf_free(&names);
}

static void
read_given(void *arg, const struct json_item *item)
{
    struct json_walk walk = json_walk(item->value, item->length, item->line);
    struct reading *reading = arg;
    struct model_rule *rule = reading->rule;
    struct json_item input;
    size_t count = 0;

    while (*item->value == '[' && json_walk_next(&walk, &input)) {
        const unsigned bit = input_bit(&input);

        count++;
        if (bit == 0)
            fault_input(&reading->document, input.line);
        else if ((rule->given & bit) != 0)
            (void)document_fault(&reading->document, input.line, "given",
                                 "holds an argument twice");
        rule->given |= bit;
    }
    if (count == 0)
        (void)document_fault(&reading->document, item->line, "given",
                             "must be a non-empty array of arguments");
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
read_points(void *arg, const struct json_item *item)
{
    struct reading *reading = arg;
    const int tenths = points_tenths(item);

    if (tenths < 0)
        (void)document_fault(&reading->document, item->line, "points",
                             "must be a multiple of 0.1 from 0 to 100");
    else
        reading->rule->tenths = tenths;
}

static const struct document_row rule_members[] = {
    {"reason", true, read_reason},
    {"given", true, read_given},
    {"points", true, read_points},
};

static void
read_rules(void *arg, const struct json_item *item)
{
    struct json_walk walk = json_walk(item->value, item->length, item->line);
    struct reading *reading = arg;
    struct model *model = &reading->model;
    struct buf *where = &reading->document.where;
    struct json_item rule;
    bool are_many = false;

    while (*item->value == '[' && json_walk_next(&walk, &rule)) {
        are_many = model->rule_count == MODEL_RULES_MAX;
        if (are_many)
            break;
        reading->rule = &model->rules[model->rule_count];
        buf_clear(where);
        buf_printf(where, "rule %zu: ", model->rule_count + 1);
        (void)document_read(&reading->document, &rule, rule_members,
                            COUNT(rule_members), reading);
        model->rule_count++;
    }
    buf_clear(where);
    if (model->rule_count == 0 || are_many)
        (void)document_fault(&reading->document, item->line, "rules",
                             "must be an array of 1 to %d rules",
                             MODEL_RULES_MAX);
}

static const struct document_row model_members[] = {
    {"model", true, read_model_name},
    {"rules", true, read_rules},
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
    struct reading reading = {.document = {.faults = faults}};
    const struct json_item whole = {.value = text, .length = length, .line = 1};

    if (document_check(&reading.document, (struct bytes){text, length}))
        (void)document_read(&reading.document, &whole, model_members,
                            COUNT(model_members), &reading);
    if (!document_end(&reading.document))
        return false;
    if (!set_digest(&reading.model)) {
        faults->failed = true;
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
    return tenths <= model_tenths(model, MODEL_ALL_KNOWN);
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
