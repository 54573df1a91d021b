/*
 * Prints the tables of the code as JSON, for tests/docs.py: what documents show
 * of them is made from this. The words that only documents need, about statuses
 * and exit statuses, are here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/outcome.h"
#include "config/settings.h"
#include "scoring/api.h"
#include "scoring/envelope.h"
#include "scoring/fields.h"
#include "scoring/method.h"
#include "scoring/model.h"
#include "scoring/person.h"
#include "telemetry/metrics.h"
#include "telemetry/metrics_text.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* reason: of those that only nginx gives. */
static const struct status_row {
    int code;
    const char *reason, *when, *advice;
} statuses[] = {
    {200, NULL, "the request succeeded; the answer has a `response`", ""},
    {308, "Permanent Redirect", "GET over plain HTTP where HTTPS is on",
     "use HTTPS"},
    {400, NULL,
     "the body is missing, cut off or not JSON: the text says where and why; "
     "or plain HTTP on the port of HTTPS",
     "fix the request"},
    {403, NULL,
     "the token is wrong, the account is disabled, or it may not use this "
     "method; the text does not say which. Or `use https`: plain HTTP where "
     "HTTPS is on",
     "check account, login and token"},
    {404, NULL, "the path does not exist", "send it to `/method`"},
    {405, NULL, "the verb is wrong; `Allow` names the right ones", "use POST"},
    {413, NULL, "the body is too large, or has too many values",
     "send less at once"},
    {414, "the address is too long: at most 8 KiB", "the address is too long",
     "send a shorter address"},
    {415, "the body is compressed: send it as it is", "the body is compressed",
     "send it as it is"},
    {422, NULL,
     "members or arguments are wrong: the text names each of them with its "
     "fault",
     "fix the request"},
    {429, "Too Many Requests",
     "one address or one account sends too many requests",
     "wait for `Retry-After` seconds"},
    {431, "the headers are too large: at most 8 KiB each",
     "the headers are too large", "send fewer headers"},
    {500, NULL,
     "a stored value is damaged, or memory, or room for a body, is exhausted; "
     "your request is not the cause",
     "report the `X-Request-ID`"},
    {502, "Bad Gateway", "the service does not answer nginx",
     "repeat the request after 1, 2, then 4 seconds"},
    {503, NULL,
     "the store is unavailable, or too many large bodies arrive, or large "
     "answers are read, at once",
     "wait for `Retry-After` seconds"},
    {504, "Gateway Timeout", "the service does not answer nginx in time",
     "repeat the request after 1, 2, then 4 seconds"},
};

static const struct exit_row {
    int status;
    const char *meaning;
} exits[] = {
    {EX_OK, "All is well."},
    {EX_USAGE,
     "The arguments are wrong, or standard input is not a socket to serve on."},
    {EX_DATAERR,
     "The file or lines of it are invalid, or stored values are damaged."},
    {EX_NOINPUT, "The file to import, check or score cannot be opened."},
    {EX_UNAVAILABLE, "The service is not healthy, or the store is unreachable "
                     "or refuses the command."},
    {EX_SOFTWARE, "A token cannot be made."},
    {EX_OSERR, "Memory ran out, or the system refused something else."},
    {EX_CANTCREAT, "The file to export to, or the temporary copy of what a "
                   "pipe sends, cannot be created."},
    {EX_IOERR,
     "A file cannot be read or written completely, or a standard stream "
     "is closed."},
    {EX_TEMPFAIL, "A Redis Cluster is moving slots: run the command again."},
    {EX_CONFIG, "The settings are wrong."},
};

static const char *
or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static void
put_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\": ", name);
    json_add_string(out, bytes_of(or_empty(text)));
    buf_add_text(out, ", ");
}

static void
put_flag(struct buf *out, const char *name, bool value)
{
    buf_printf(out, "\"%s\": %s, ", name, value ? "true" : "false");
}

static void
put_settings(struct buf *out)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *setting = &config_settings[i];

        buf_add_text(out, i == 0 ? "{" : ",\n{");
        put_text(out, "name", setting->name);
        put_text(out, "initial", setting->initial);
        put_text(out, "no_value", setting->no_value);
        put_text(out, "meaning", setting->meaning);
        put_text(out, "note", setting->note);
        put_text(out, "example", setting->example);
        put_flag(out, "is_secret", setting->is_secret);
        put_flag(out, "needs_restart", setting->needs_restart);
        buf_printf(out, "\"min\": %lld, \"max\": %lld}",
                   (long long)setting->min, (long long)setting->max);
    }
}

/* The row of a rule; a rule without one cannot be described. */
static const struct field_kind *
kind_of(const struct field *field)
{
    const struct field_kind *kind = field_kinds;

    while (kind->rule != field->rule) {
        kind++;
        if (kind == field_kinds + field_kinds_count) {
            (void)fprintf(stderr,
                          "tables: the rule of %s has no row in "
                          "field_kinds[]\n",
                          field->name.at);
            exit(EX_DATAERR);
        }
    }
    return kind;
}

static void
put_fields(struct buf *out, const struct field_table *table)
{
    buf_add_text(out, "\"fields\": [");
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->rows[i];

        buf_add_text(out, i == 0 ? "{" : ", {");
        put_text(out, "name", field->name.at);
        put_text(out, "kind", kind_of(field)->name);
        buf_printf(out, "\"is_required\": %s}",
                   field->flags == FIELD_REQUIRED ? "true" : "false");
    }
    buf_add_text(out, "]");
}

static void
put_methods(struct buf *out)
{
    const struct method *method;

    for (size_t i = 0; (method = api_method(i)) != NULL; i++) {
        buf_add_text(out, i == 0 ? "{" : ",\n{");
        put_text(out, "name", method->name);
        put_text(out, "meaning", method->meaning);
        put_fields(out, &method->fields);
        buf_add_text(out, "}");
    }
}

static void
put_kinds(struct buf *out)
{
    for (size_t i = 0; i < field_kinds_count; i++) {
        buf_add_text(out, i == 0 ? "{" : ",\n{");
        put_text(out, "name", field_kinds[i].name);
        put_text(out, "schema", field_kinds[i].schema);
        put_text(out, "meaning", field_kinds[i].meaning);
        buf_add_text(out, "\"\": 0}");
    }
}

static void
put_members(struct buf *out)
{
    for (size_t i = 0; i < ENVELOPE_MEMBERS; i++) {
        const struct envelope_member *member = &envelope_members[i];

        buf_add_text(out, i == 0 ? "{" : ",\n{");
        put_text(out, "name", member->name);
        put_text(out, "kind", member->opening == '{' ? "object" : "string");
        put_text(out, "meaning", member->meaning);
        buf_printf(out, "\"is_required\": %s}",
                   member->flags == FIELD_REQUIRED ? "true" : "false");
    }
}

static void
put_statuses(struct buf *out)
{
    const struct status_row *row = statuses;
    int code;

    for (size_t i = 0; (code = outcome_status_code(i)) != 0; i++) {
        for (row = statuses; row < statuses + COUNT(statuses); row++) {
            if (row->code == code)
                break;
        }
        if (row == statuses + COUNT(statuses)) {
            (void)fprintf(stderr, "tables: status %d has no row\n", code);
            exit(EX_DATAERR);
        }
    }
    for (row = statuses; row < statuses + COUNT(statuses); row++) {
        struct outcome outcome = {.reason = row->reason};

        if (row->reason == NULL)
            outcome_set_code(&outcome, row->code);
        buf_printf(out, "%s\"code\": %d, ", row == statuses ? "{" : ",\n{",
                   row->code);
        put_text(out, "reason", outcome.reason);
        put_text(out, "header", outcome.header);
        put_text(out, "when", row->when);
        put_text(out, "advice", row->advice);
        put_flag(out, "is_of_service", row->reason == NULL);
        buf_add_text(out, "\"\": 0}");
    }
}

static void
put_rules(struct buf *out)
{
    for (size_t i = 0; i < model_published.rule_count; i++) {
        const struct model_rule *rule = &model_published.rules[i];

        buf_add_text(out, i == 0 ? "{\"given\": \"" : ",\n{\"given\": \"");
        person_add_names(rule->given, " and ", out);
        buf_add_text(out, "\", \"points\": \"");
        model_add_points(rule->tenths, out);
        buf_add_text(out, "\"}");
    }
}

static void
put_exits(struct buf *out)
{
    for (size_t i = 0; i < COUNT(exits); i++) {
        buf_add_text(out, i == 0 ? "{" : ",\n{");
        put_text(out, "meaning", exits[i].meaning);
        buf_printf(out, "\"status\": %d}", exits[i].status);
    }
}

/* One, whatever its name: for the labels. */
static bool
any_account(const void *accounts, size_t number, struct bytes *ret_name,
            size_t *ret_place)
{
    *ret_name = bytes_of(accounts);
    *ret_place = number;
    return number == 0;
}

/* As /metrics says it: it tells of itself. */
static void
put_metrics(struct buf *out)
{
    static const struct metrics_labels labels = {
        .method = api_method_name,
        .code = outcome_status_code,
        .model = model_published.name,
        .account = any_account,
        .accounts = "any",
    };
    struct metrics *metrics = metrics_new();
    struct buf text = {0};

    if (metrics == NULL)
        exit(EX_OSERR);
    metrics_text_put(metrics, &labels, &text);
    json_add_string(out, buf_bytes(&text));
    buf_free(&text);
    metrics_free(metrics);
}

int
main(void)
{
    static const struct {
        const char *name;
        void (*put)(struct buf *out);
    } tables[] = {
        {"settings", put_settings}, {"methods", put_methods},
        {"kinds", put_kinds},       {"members", put_members},
        {"statuses", put_statuses}, {"rules", put_rules},
        {"exits", put_exits},
    };
    struct buf out = {0};
    bool good;

    buf_add_text(&out, "{");
    for (size_t i = 0; i < COUNT(tables); i++) {
        buf_printf(&out, "\"%s\": [", tables[i].name);
        tables[i].put(&out);
        buf_add_text(&out, "],\n");
    }
    buf_add_text(&out, "\"metrics\": ");
    put_metrics(&out);
    buf_add_text(&out, "}\n");
    good = !out.failed && fwrite(out.data, 1, out.length, stdout) == out.length;
    buf_free(&out);
    return good ? EX_OK : EX_IOERR;
}
