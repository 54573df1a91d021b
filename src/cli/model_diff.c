/*
 * `scoring model diff`: compares two models, by a file of arguments. A score
 * depends only on which inputs are known. So the program only counts the lines
 * for each set of known inputs. Implements S15.3 of docs/protocol.md.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/line_reader.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/model_diff.h"
#include "cli/report.h"
#include "cli/stream.h"
#include "scoring/person.h"

#define LINE_MAX_BYTES (1024 * 1024) /* like the default of a body */

static const char too_long[] = "is longer than 1 MiB";

#define PATTERNS (1U << PERSON__MAX) /* sets of known inputs */

#define PERCENT 100.0

struct diff {
    const struct model *old, *new;
    struct report report;
    struct field_limits limits;
    struct json_tokener *tokener;
    struct field_faults faults;
    int64_t counts[PATTERNS]; /* lines, by the mask of their known inputs */
    int64_t total;            /* the sum of counts */
};

/* A score, or a change, and the number of lines that have it. */
struct share {
    int tenths;
    int64_t count;
};

enum column { COLUMN_OLD = 0, COLUMN_NEW, COLUMN_CHANGE, COLUMN__MAX };

static const struct quantile {
    const char *name;
    int percent;
} quantiles[] = {
    {"least", 0}, {"p5", 5},   {"p25", 25},   {"median", 50},
    {"p75", 75},  {"p95", 95}, {"most", 100},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A rule, in one or both models, and how it changes the scores. */
struct effect {
    const struct model_rule *old, *new; /* NULL: the model does not have it */
    int64_t rises, falls;               /* scores */
    int64_t sum;                        /* of all changes, in tenths */
};

/*
 * Decodes a line. Returns false, with a text in diff->faults, if it is not
 * JSON, or when out of memory. The caller puts the value.
 */
static bool
decode_line(struct diff *diff, struct line line, struct json_object **ret_value)
{
    struct json_fault fault;

    if (!json_find(line.at, line.length, SIZE_MAX, NULL, 0, &fault)) {
        buf_printf(&diff->faults.text, "invalid JSON at byte %zu: %s",
                   fault.offset, json_error_text(fault.error));
        return false;
    }
    if (json_decode(diff->tokener, line.at, line.length, ret_value))
        return true;
    buf_add_text(&diff->faults.text, "out of memory");
    return false;
}

/*
 * The mask of the inputs that a line's person has. Returns false, with a text
 * in diff->faults, if the line is invalid.
 */
static bool
read_known(struct diff *diff, struct line line, unsigned *ret_known)
{
    struct person person = {.given = {{NULL, 0}}};
    struct json_object *value = NULL;
    bool is_good = decode_line(diff, line, &value) &&
                   person_read(value, &diff->limits, &person, &diff->faults);

    if (is_good)
        *ret_known = person_known(&person);
    json_object_put(value);
    return is_good;
}

static void
take_line(struct diff *diff, struct line line, int64_t number)
{
    unsigned known;

    line = line_reader_strip(line, number == 1);
    if (interests_line_is_empty(line))
        return;
    if (line.length > LINE_MAX_BYTES) {
        report_words(&diff->report, number, bytes_of(too_long));
        return;
    }
    buf_clear(&diff->faults.text);
    if (!read_known(diff, line, &known)) {
        report_words(&diff->report, number, buf_bytes(&diff->faults.text));
        return;
    }
    diff->counts[known]++;
    diff->total++;
}

/*
 * Reads every line. Returns EX_OK; or reports the error, and returns another.
 */
static int
read_lines(struct diff *diff, struct line_reader *reader)
{
    enum line_reader_result result = LINE_READER_LINE;
    struct line line;

    while (result != LINE_READER_END && result != LINE_READER_FAILED) {
        errno = EINTR;
        result = interrupt_signal() != 0 ? LINE_READER_FAILED
                                         : line_reader_next(reader, &line);
        if (result == LINE_READER_LINE)
            take_line(diff, line, line_reader_number(reader));
        else if (result == LINE_READER_LONG)
            report_words(&diff->report, line_reader_number(reader),
                         bytes_of(too_long));
        progress_set(&diff->report.progress, line_reader_offset(reader),
                     line_reader_number(reader));
    }
    report_rest(&diff->report);
    if (result == LINE_READER_END)
        return EX_OK;
    report_say(&diff->report, "%s: %s", diff->report.name,
               interrupt_signal() != 0 ? "interrupted" : strerror(errno));
    return report_status(EX_IOERR);
}

static int
read_file(struct diff *diff, const char *path)
{
    struct line_reader *reader;
    int64_t size;
    int fd, status;

    status = input_begin(path, &diff->report, &fd, &size);
    if (status != EX_OK)
        return status;
    reader = line_reader_new(fd, LINE_MAX_BYTES + LINE_READER_AROUND);
    if (reader == NULL) {
        report_say(&diff->report, "out of memory");
        status = EX_OSERR;
    } else {
        progress_start(&diff->report.progress, "scoring", "lines",
                       size > 0 ? size : 0);
        status = read_lines(diff, reader);
    }
    line_reader_free(reader);
    progress_erase(&diff->report.progress);
    (void)close(fd);
    return status;
}

static int
column_tenths(const struct diff *diff, enum column column, unsigned known)
{
    const int old = model_tenths(diff->old, known);
    const int new = model_tenths(diff->new, known);

    switch (column) {
    case COLUMN_OLD:
        return old;
    case COLUMN_NEW:
        return new;
    case COLUMN_CHANGE:
    case COLUMN__MAX:
        break;
    }
    return new - old;
}

static int
compare_shares(const void *a, const void *b)
{
    const struct share *x = a, *y = b;

    return (x->tenths > y->tenths) - (x->tenths < y->tenths);
}

static void
sort_shares(const struct diff *diff, enum column column,
            struct share ret_shares[PATTERNS])
{
    for (unsigned known = 0; known < PATTERNS; known++)
        ret_shares[known] = (struct share){column_tenths(diff, column, known),
                                           diff->counts[known]};
    qsort(ret_shares, PATTERNS, sizeof(*ret_shares), compare_shares);
}

/* A quantile, by the method of the nearest rank. */
static int
quantile_of(const struct share shares[PATTERNS], int64_t total, int percent)
{
    int64_t rank = (total * percent + 99) / 100, passed = 0;
    size_t i = 0;

    if (rank < 1)
        rank = 1;
    while (passed + shares[i].count < rank)
        passed += shares[i++].count;
    return shares[i].tenths;
}

static double
mean_of(const struct share shares[PATTERNS], int64_t total)
{
    double sum = 0.0;

    for (size_t i = 0; i < PATTERNS; i++)
        sum += (double)shares[i].tenths * (double)shares[i].count;
    return sum / MODEL_TENTHS / (double)total;
}

static void
print_model(const char *label, const struct model *model)
{
    struct buf text = {0};

    model_print_name(model, &text);
    buf_add_text(&text, ": 0.0 to ");
    model_add_points(model_tenths(model, MODEL_ALL_KNOWN), &text);
    (void)printf("%s  %.*s\n", label, (int)text.length,
                 text.data != NULL ? text.data : "");
    buf_free(&text);
}

static void
print_share(const char *label, int64_t count, int64_t total)
{
    (void)printf("%-6s  %12lld  %5.1f %%\n", label, (long long)count,
                 (double)count / (double)total * PERCENT);
}

static void
print_counts(const struct diff *diff)
{
    int64_t rise = 0, fall = 0;

    for (unsigned known = 0; known < PATTERNS; known++) {
        const int change = column_tenths(diff, COLUMN_CHANGE, known);

        rise += change > 0 ? diff->counts[known] : 0;
        fall += change < 0 ? diff->counts[known] : 0;
    }
    (void)printf("scores  %12lld\n", (long long)diff->total);
    print_share("rise", rise, diff->total);
    print_share("fall", fall, diff->total);
    print_share("stay", diff->total - rise - fall, diff->total);
}

static void
print_quantiles(const struct diff *diff)
{
    struct share shares[COLUMN__MAX][PATTERNS];

    for (int column = 0; column < COLUMN__MAX; column++)
        sort_shares(diff, (enum column)column, shares[column]);
    (void)printf("\n%-6s  %8s  %8s  %8s\n", "", "old", "new", "change");
    for (size_t i = 0; i < COUNT(quantiles); i++) {
        double points[COLUMN__MAX];

        for (int column = 0; column < COLUMN__MAX; column++)
            points[column] = (double)quantile_of(shares[column], diff->total,
                                                 quantiles[i].percent) /
                             MODEL_TENTHS;
        (void)printf("%-6s  %8.1f  %8.1f  %+8.1f\n", quantiles[i].name,
                     points[COLUMN_OLD], points[COLUMN_NEW],
                     points[COLUMN_CHANGE]);
    }
    (void)printf("%-6s  %8.2f  %8.2f  %+8.2f\n", "mean",
                 mean_of(shares[COLUMN_OLD], diff->total),
                 mean_of(shares[COLUMN_NEW], diff->total),
                 mean_of(shares[COLUMN_CHANGE], diff->total));
}

static const struct model_rule *
find_rule(const struct model *model, const char *reason)
{
    for (size_t i = 0; i < model->rule_count; i++) {
        if (strcmp(model->rules[i].reason, reason) == 0)
            return &model->rules[i];
    }
    return NULL;
}

static int
rule_tenths(const struct model_rule *rule, unsigned known)
{
    return rule != NULL && (rule->given & ~known) == 0 ? rule->tenths : 0;
}

static struct effect
effect_of(const struct diff *diff, const struct model_rule *old,
          const struct model_rule *new)
{
    struct effect effect = {.old = old, .new = new};

    for (unsigned known = 0; known < PATTERNS; known++) {
        const int change = rule_tenths(new, known) - rule_tenths(old, known);
        const int64_t count = diff->counts[known];

        effect.rises += change > 0 ? count : 0;
        effect.falls += change < 0 ? count : 0;
        effect.sum += change * count;
    }
    return effect;
}

/* For qsort(): the largest effect first. */
static int
compare_effects(const void *a, const void *b)
{
    const struct effect *x = a, *y = b;
    const int64_t x_size = llabs(x->sum), y_size = llabs(y->sum);
    const int64_t x_count = x->rises + x->falls, y_count = y->rises + y->falls;

    if (x_size != y_size)
        return x_size < y_size ? 1 : -1;
    return (x_count < y_count) - (x_count > y_count);
}

static void
print_points(const struct model_rule *rule)
{
    if (rule == NULL)
        (void)printf("  %6s", "-");
    else
        (void)printf("  %6.1f", (double)rule->tenths / MODEL_TENTHS);
}

static void
print_effect(const struct effect *effect)
{
    const struct model_rule *rule =
        effect->old != NULL ? effect->old : effect->new;

    print_points(effect->old);
    print_points(effect->new);
    (void)printf("  %12lld  %12lld  %+14.1f  %s\n", (long long)effect->rises,
                 (long long)effect->falls, (double)effect->sum / MODEL_TENTHS,
                 rule->reason);
}

/* Rules with the same reason are the same rule. */
static void
print_effects(const struct diff *diff)
{
    struct effect effects[2 * MODEL_RULES_MAX];
    size_t count = 0, shown = 0;

    for (size_t i = 0; i < diff->old->rule_count; i++) {
        const struct model_rule *rule = &diff->old->rules[i];

        effects[count++] =
            effect_of(diff, rule, find_rule(diff->new, rule->reason));
    }
    for (size_t i = 0; i < diff->new->rule_count; i++) {
        const struct model_rule *rule = &diff->new->rules[i];

        if (find_rule(diff->old, rule->reason) == NULL)
            effects[count++] = effect_of(diff, NULL, rule);
    }
    qsort(effects, count, sizeof(effects[0]), compare_effects);
    (void)printf("\n  %6s  %6s  %12s  %12s  %14s  %s\n", "old", "new", "raises",
                 "lowers", "points in all", "rule");
    for (size_t i = 0; i < count; i++) {
        if (effects[i].rises + effects[i].falls == 0)
            continue;
        print_effect(&effects[i]);
        shown++;
    }
    if (shown == 0)
        (void)printf("  no rule changes any of these scores\n");
}

static int
print_diff(struct diff *diff)
{
    int status;

    print_model("old", diff->old);
    print_model("new", diff->new);
    (void)printf("\n");
    if (diff->total == 0) {
        (void)printf("scores  %12d\n", 0);
    } else {
        print_counts(diff);
        print_quantiles(diff);
        print_effects(diff);
    }
    status = command_output_status();
    if (diff->report.faults > 0)
        report_say(&diff->report,
                   "%s: %lld lines are not the arguments of a score, "
                   "and are left out",
                   diff->report.name, (long long)diff->report.faults);
    return status == EX_OK && diff->report.faults > 0 ? EX_DATAERR : status;
}

int
model_diff(const struct model *old, const struct model *new, const char *path,
           bool shows_progress)
{
    struct diff diff = {.old = old, .new = new};
    int status;

    diff.report.name = stream_of_path(path, STDIN_FILENO) == STDIN_FILENO
                           ? "standard input"
                           : path;
    diff.report.progress.is_shown = shows_progress;
    if (!date_of_time(clock_wall_s(), &diff.limits.today)) {
        report_say(&diff.report, "the clock shows no date");
        return EX_OSERR;
    }
    json_prepare();
    diff.tokener = json_tokener_new_ex(JSON_TOKENER_DEPTH);
    if (diff.tokener == NULL) {
        report_say(&diff.report, "out of memory");
        return EX_OSERR;
    }
    status = read_file(&diff, path);
    if (status == EX_OK)
        status = print_diff(&diff);
    json_tokener_free(diff.tokener);
    buf_free(&diff.faults.text);
    return status;
}
