/*
 * `scoring interests`: its commands and their arguments. Used for S19 of
 * docs/protocol.md.
 */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "base/number.h"
#include "base/units.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/export.h"
#include "cli/import.h"

#define TIMEOUT_DEFAULT_S 5 /* enough for a busy Redis */
#define TIMEOUT_MAX_S     3600

#define TIMEOUT_HELP                                                           \
    "  --timeout SECONDS  for connecting, and for each answer (default 5)\n"

typedef int work_fn(const struct interests_plan *plan,
                    const struct redis_url *redis);

/* Like command_read(), for options that the commands share. */
static char **
read_plan(const struct command *command, int argc, char **argv,
          bool *is_dry_run, struct interests_plan *plan)
{
    const char *timeout = NULL;
    const struct command_option options[] = {
        {.name = "timeout", .text = &timeout},
        {.name = is_dry_run != NULL ? "dry-run" : NULL, .flag = is_dry_run},
        {.name = NULL},
    };
    char **words = command_read(command, argc, argv, options);
    int64_t seconds = TIMEOUT_DEFAULT_S;

    if (words != NULL && timeout != NULL &&
        !number_parse(timeout, 1, TIMEOUT_MAX_S, &seconds)) {
        (void)command_misused(
            command, "--timeout must be an integer from 1 to 3600", timeout);
        return NULL;
    }
    plan->limit_ms = seconds * MS_PER_S;
    return words;
}

static int
run_work(work_fn *work, const struct interests_plan *plan)
{
    int status;
    struct config *config = command_load_config(CONFIG_OF_SERVICE, &status);

    if (config == NULL)
        return status;
    (void)signal(SIGPIPE, SIG_IGN); /* write() fails with EPIPE instead */
    (void)signal(SIGXFSZ, SIG_IGN); /* write() fails with EFBIG instead */
    interrupt_catch();
    status = work(plan, &config->redis);
    config_free(config);
    return status;
}

static int
run_import(const struct command *command, int argc, char **argv)
{
    const char *folder = getenv("TMPDIR");
    struct interests_plan plan = {
        .spool_folder = folder != NULL && *folder != '\0' ? folder : "/tmp",
        .shows_progress = progress_is_possible(),
    };
    char **words = read_plan(command, argc, argv, &plan.is_dry_run, &plan);

    if (words == NULL)
        return EX_USAGE;
    plan.path = words[0];
    return run_work(interests_import, &plan);
}

/* If a terminal shows the data, the line of progress would disturb them. */
static int
run_export(const struct command *command, int argc, char **argv)
{
    struct interests_plan plan = {
        .shows_progress = progress_is_possible() && !isatty(STDOUT_FILENO),
    };
    char **words = read_plan(command, argc, argv, NULL, &plan);

    if (words == NULL)
        return EX_USAGE;
    plan.path = words[0] != NULL ? words[0] : "-";
    return run_work(interests_export, &plan);
}

/* Like read_plan(); the first word is the id of a client. */
static char **
read_client(const struct command *command, int argc, char **argv,
            struct interests_plan *plan)
{
    char **words = read_plan(command, argc, argv, NULL, plan);

    if (words == NULL ||
        interests_id_parse(bytes_of(words[0]), &plan->client_id))
        return words;
    (void)command_misused(
        command, "ID must be an integer of 64 bits, without leading zeros",
        words[0]);
    return NULL;
}

static int
run_get(const struct command *command, int argc, char **argv)
{
    struct interests_plan plan = {0};

    if (read_client(command, argc, argv, &plan) == NULL)
        return EX_USAGE;
    return run_work(interests_get, &plan);
}

static int
run_delete(const struct command *command, int argc, char **argv)
{
    struct interests_plan plan = {0};

    if (read_client(command, argc, argv, &plan) == NULL)
        return EX_USAGE;
    return run_work(interests_delete, &plan);
}

/*
 * Makes a JSON array of the values. Returns NULL, or an error; *at is then the
 * value at fault, or NULL. If memory runs out, out->failed is set.
 */
static const char *
make_list(int64_t client_id, char **values, struct buf *out, const char **at)
{
    enum interests_line_error error;
    struct buf line = {0};

    for (int i = 0; values[i] != NULL; i++) {
        *at = values[i];
        if (json_is_string_array(bytes_of(values[i])))
            return "give each interest as an argument, not as JSON";
        buf_add_text(out, i == 0 ? "[" : ", ");
        json_add_string(out, bytes_of(values[i]));
    }
    buf_add_text(out, "]");
    *at = NULL;
    error = interests_line_print(client_id, buf_bytes(out), &line);
    out->failed = out->failed || line.failed;
    buf_free(&line);
    if (error == INTERESTS_LINE_LONG)
        return "too long for a line of export, which has at most 131072 bytes";
    return error != INTERESTS_LINE_OK ? "an interest must be UTF-8" : NULL;
}

static int
run_set(const struct command *command, int argc, char **argv)
{
    struct interests_plan plan = {0};
    char **words = read_client(command, argc, argv, &plan);
    const char *fault, *at;
    struct buf list = {0};
    int status;

    if (words == NULL)
        return EX_USAGE;
    fault = make_list(plan.client_id, words + 1, &list, &at);
    if (list.failed)
        return command_print_text(&list); /* reports that memory ran out */
    plan.interests = buf_bytes(&list);
    status = fault != NULL ? command_misused(command, fault, at)
                           : run_work(interests_set, &plan);
    buf_free(&list);
    return status;
}

static const struct command get = {
    .name = "interests get",
    .arguments = "[--timeout SECONDS] ID",
    .summary = "print the interests of one client",
    .details = "Prints a line as export writes it. If the store has none, the "
               "list is empty, and\na note says so. If what is stored is "
               "damaged, the exit status is 65.\n\n" TIMEOUT_HELP,
    .words_min = 1,
    .words_max = 1,
    .run = run_get,
};
static const struct command set = {
    .name = "interests set",
    .arguments = "[--timeout SECONDS] ID VALUE...",
    .summary = "replace the interests of one client",
    .details = "Each VALUE is one interest:\n"
               "  scoring interests set 1 books hi-tech\n\n" TIMEOUT_HELP,
    .words_min = 2,
    .words_max = INT_MAX,
    .run = run_set,
};
static const struct command delete = {
    .name = "interests delete",
    .arguments = "[--timeout SECONDS] ID",
    .summary = "delete the interests of one client",
    .details = "A note says if the store had none.\n\n" TIMEOUT_HELP,
    .words_min = 1,
    .words_max = 1,
    .run = run_delete,
};
static const struct command import = {
    .name = "interests import",
    .arguments = "[--dry-run] [--timeout SECONDS] FILE|-",
    .summary = "write the interests of a file to the store",
    .details = "A line of FILE is one client:\n"
               "  {\"client_id\": 1, \"interests\": [\"books\"]}\n\n"
               "  --dry-run          only check the lines\n" TIMEOUT_HELP
               "\nAll lines are checked first. If one is bad, nothing is "
               "written, and the exit\nstatus is 65.\n",
    .words_min = 1,
    .words_max = 1,
    .run = run_import,
};
static const struct command export = {
    .name = "interests export",
    .arguments = "[--timeout SECONDS] [FILE|-]",
    .summary = "write all interests of the store to a file",
    .details = "Without FILE, writes to standard output. The lines are those "
               "that import reads.\nFILE gets its name only once it is "
               "complete.\n\n" TIMEOUT_HELP
               "\nDamaged clients are named and left out; then the exit "
               "status is 65.\n",
    .words_max = 1,
    .run = run_export,
};

const struct command command_interests = {
    .name = "interests",
    .summary = "import, export, show or change the interests of clients",
    .group = (const struct command *const[]){&import, &export, &get, &set,
                                             &delete, NULL},
};
