/*
 * Table-driven tests on CUnit: collects the rows of all tables that are linked
 * into the program, and selects those that a filter matches. cases_run.c runs
 * them.
 */
#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases_plan.h"
#include "files.h"

#define CASES_NAME_MAX  512
#define CASES_KNOWN_MAX 24      /* characters of a name that are looked for */
#define FILE_PREFIX     "test_" /* after the last slash of a path */

/* The arrays that the linker has made of CASES_ENTRY(). */
extern const struct case_table *const __start_case_tables[];
extern const struct case_table *const __stop_case_tables[];
extern const struct case_suite *const __start_case_suites[]
    __attribute__((weak));
extern const struct case_suite *const __stop_case_suites[]
    __attribute__((weak));

/* The command line. */
struct wish {
    bool is_list, is_timed;
    const char *row; /* the whole name of the only row to run, or NULL */
    char **filters;
    int filter_count;
};

static void __attribute__((noreturn)) die(const char *what, const char *name)
{
    (void)fprintf(stderr, "cases: %s: %s\n", what, name);
    exit(EXIT_FAILURE);
}

static void *
allocate(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);

    if (memory == NULL)
        die("no memory", "for the list of tests");
    return memory;
}

static char *
duplicate(const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        die("no memory", text);
    return copy;
}

/* "base/x" of "tests/unit/base/test_x.c"; to be freed. */
static char *
suite_name(const struct cases_program *program, const char *file)
{
    size_t folder = strlen(program->folder);
    const char *base = strstr(file, FILE_PREFIX);
    const char *dot = strrchr(file, '.');
    char *name;

    if (strncmp(file, program->folder, folder) != 0 || base == NULL ||
        base[-1] != '/' || dot == NULL)
        die("tables are of files test_<suite>.c", file);
    if (asprintf(&name, "%.*s%.*s", (int)(base - file - (ssize_t)folder),
                 file + folder, (int)(dot - base) - (int)strlen(FILE_PREFIX),
                 base + strlen(FILE_PREFIX)) < 0)
        die("no memory", file);
    return name;
}

/* Orders tables by file and line. */
static int
compare_tables(const void *a, const void *b)
{
    const struct case_table *const *x = a, *const *y = b;
    int order = strcmp((*x)->file, (*y)->file);

    if (order != 0)
        return order;
    return ((*x)->line > (*y)->line) - ((*x)->line < (*y)->line);
}

static void
add_suite(struct cases_plan *plan, const char *file)
{
    struct cases_suite *suite = &plan->suites[plan->suite_count++];

    suite->name = suite_name(plan->program, file);
    suite->words.file = file;
    suite->first = plan->row_count;
    for (const struct case_suite *const *words = __start_case_suites;
         words < __stop_case_suites; words++) {
        if (strcmp((*words)->file, file) == 0)
            suite->words = **words;
    }
}

static void
add_table(struct cases_plan *plan, const struct case_table *table)
{
    struct cases_suite *suite = &plan->suites[plan->suite_count - 1];

    for (size_t i = 0; i < table->count; i++) {
        struct cases_row *row = &plan->rows[plan->row_count++];
        char name[CASES_NAME_MAX];
        const char *row_name;

        row->table = table;
        row->row = (const char *)table->rows + i * table->row_size;
        memcpy(&row_name, row->row, sizeof(row_name));
        (void)snprintf(name, sizeof(name), "%s/%s/%s", suite->name, table->body,
                       row_name);
        row->name = duplicate(name);
        suite->count++;
    }
}

static int
compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

static void
refuse_repeated_names(const struct cases_plan *plan)
{
    const char **names = allocate(plan->row_count, sizeof(*names));

    for (size_t i = 0; i < plan->row_count; i++)
        names[i] = plan->rows[i].name;
    qsort(names, plan->row_count, sizeof(*names), compare_names);
    for (size_t i = 1; i < plan->row_count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            die("a name stands twice", names[i]);
    }
    free(names);
}

/* Makes a plan of all tests of the program. */
static void
collect(struct cases_plan *plan)
{
    size_t count = (size_t)(__stop_case_tables - __start_case_tables);
    const struct case_table **tables = allocate(count, sizeof(*tables));
    size_t rows = 0;

    for (size_t i = 0; i < count; i++) {
        tables[i] = __start_case_tables[i];
        rows += tables[i]->count;
    }
    qsort(tables, count, sizeof(*tables), compare_tables);
    plan->rows = allocate(rows, sizeof(*plan->rows));
    plan->suites = allocate(count, sizeof(*plan->suites));
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(tables[i - 1]->file, tables[i]->file) != 0)
            add_suite(plan, tables[i]->file);
        add_table(plan, tables[i]);
    }
    free(tables);
    refuse_repeated_names(plan);
}

static bool
is_of_word(char character)
{
    return isalnum((unsigned char)character) || character == '_';
}

/* Whether a filter matches a name (see cases_main()); the first characters of
 * the name are its suite. */
static bool
fits(const char *name, size_t suite, const char *filter, size_t length)
{
    bool is_path = memchr(filter, '/', length) != NULL;
    size_t end = is_path ? suite : strlen(name);

    for (size_t at = 0; at < end; at++) {
        bool is_begin = at == 0 || (is_path ? name[at - 1] == '/'
                                            : !is_of_word(name[at - 1]));

        if (is_begin && strncmp(name + at, filter, length) == 0)
            return true;
    }
    return false;
}

static bool
fits_any(const char *name, size_t suite, const char *filters)
{
    for (;;) {
        size_t length = strcspn(filters, ",");

        if (fits(name, suite, filters, length))
            return true;
        if (filters[length] == '\0')
            return false;
        filters += length + 1;
    }
}

static bool
is_wanted(const struct wish *wish, const char *name, size_t suite)
{
    if (wish->row != NULL)
        return strcmp(wish->row, name) == 0;
    for (int i = 0; i < wish->filter_count; i++) {
        if (fits_any(name, suite, wish->filters[i]))
            return true;
    }
    return wish->filter_count == 0;
}

/* Removes from the plan what the command line does not select. */
static void
pick(struct cases_plan *plan, const struct wish *wish)
{
    size_t rows = 0, suites = 0;

    for (size_t i = 0; i < plan->suite_count; i++) {
        struct cases_suite suite = plan->suites[i];
        size_t first = suite.first, end = suite.first + suite.count;
        size_t length = strlen(suite.name);

        suite.first = rows;
        for (size_t j = first; j < end; j++) {
            if (is_wanted(wish, plan->rows[j].name, length))
                plan->rows[rows++] = plan->rows[j];
            else
                free(plan->rows[j].name);
        }
        suite.count = rows - suite.first;
        if (suite.count > 0)
            plan->suites[suites++] = suite;
        else
            free(suite.name);
    }
    plan->row_count = rows;
    plan->suite_count = suites;
}

static size_t
parts_of(const struct cases_suite *suite)
{
    size_t parts = suite->words.parts > 0 ? suite->words.parts : 1;

    return parts < suite->count ? parts : suite->count;
}

/* Divides suites into their parts, which run like suites; long ones first. */
static void
divide(struct cases_plan *plan)
{
    struct cases_suite *parts;
    size_t count = 0;

    for (size_t i = 0; i < plan->suite_count; i++)
        count += parts_of(&plan->suites[i]);
    parts = allocate(count, sizeof(*parts));
    count = 0;
    for (size_t i = 0; i < 2 * plan->suite_count; i++) {
        const struct cases_suite *whole = &plan->suites[i % plan->suite_count];
        size_t of = parts_of(whole);

        if ((of > 1) != (i < plan->suite_count))
            continue;
        for (size_t j = 0; j < of; j++, count++) {
            parts[count] = *whole;
            parts[count].first = whole->first + j * whole->count / of;
            parts[count].count =
                whole->first + (j + 1) * whole->count / of - parts[count].first;
            if (j > 0) /* each has its own */
                parts[count].name = duplicate(whole->name);
        }
    }
    free(plan->suites);
    plan->suites = parts;
    plan->suite_count = count;
}

static void
release(struct cases_plan *plan)
{
    for (size_t i = 0; i < plan->row_count; i++)
        free(plan->rows[i].name);
    for (size_t i = 0; i < plan->suite_count; i++)
        free(plan->suites[i].name);
    free(plan->rows);
    free(plan->suites);
}

/* A positive number from the environment, or the default. */
static int
setting(const char *name, int otherwise)
{
    const char *text = getenv(name);
    char *end;
    long number;

    if (text == NULL || text[0] == '\0')
        return otherwise;
    number = strtol(text, &end, 10);
    if (*end != '\0' || number < 1 || number > INT_MAX)
        die("not a positive number", name);
    return (int)number;
}

static struct wish
read_arguments(int argc, char **argv)
{
    struct wish wish = {0};
    int i = 1;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--list") == 0)
            wish.is_list = true;
        else if (strcmp(argv[i], "--times") == 0)
            wish.is_timed = true;
        else if (strcmp(argv[i], "--row") == 0 && i + 1 < argc)
            wish.row = argv[++i];
        else
            die("unknown option", argv[i]);
    }
    wish.filters = argv + i;
    wish.filter_count = argc - i;
    return wish;
}

int
cases_main(int argc, char **argv, const struct cases_program *program)
{
    const struct wish wish = read_arguments(argc, argv);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct cases_plan plan = {.program = program, .is_timed = wish.is_timed};
    int status = EXIT_SUCCESS;

    plan.jobs = (unsigned)setting("JOBS", (int)program->jobs_per_core *
                                              (int)(cores > 0 ? cores : 1));
    plan.limit_s = setting("ROW_LIMIT_S", program->limit_s);
    plan.again_max = (size_t)setting("AGAIN", 0);
    collect(&plan);
    pick(&plan, &wish);
    divide(&plan);
    for (size_t i = 0; wish.is_list && i < plan.row_count; i++)
        (void)printf("%s\n", plan.rows[i].name);
    if (!wish.is_list)
        status = cases_run(&plan);
    release(&plan);
    return status;
}

/* Looks for the beginning of the row's name: a long one has several lines. */
static const char *
find_name(const char *source, const char *name)
{
    char quoted[2 * CASES_NAME_MAX] = "\"";
    size_t length = 1;
    const char *found;

    for (; *name != '\0' && length < CASES_NAME_MAX; name++) {
        if (*name == '"' || *name == '\\')
            quoted[length++] = '\\';
        quoted[length++] = *name;
    }
    quoted[length] = '"';
    found = strstr(source, quoted);
    if (found == NULL && length > CASES_KNOWN_MAX) {
        quoted[CASES_KNOWN_MAX] = '\0';
        found = strstr(source, quoted);
    }
    return found;
}

/* Finds the line in the source file, if that exists; else that of the table. */
unsigned
cases_row_line(const struct cases_row *row)
{
    const struct case_table *table = row->table;
    char rows[CASES_NAME_MAX];
    const char *name, *at = NULL;
    char *source;
    unsigned line = 1;

    if (table->rows_name == NULL)
        return table->line;
    source = files_read(table->file);
    (void)snprintf(rows, sizeof(rows), " %s[", table->rows_name);
    memcpy(&name, row->row, sizeof(name));
    if (source != NULL)
        at = strstr(source, rows);
    if (at != NULL)
        at = find_name(at, name);
    for (const char *c = source; at != NULL && c < at; c++)
        line += *c == '\n';
    free(source);
    return at != NULL ? line : table->line;
}
