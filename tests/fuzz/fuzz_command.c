/*
 * The command line: for any arguments there is either a result, or only a
 * reason on standard error and the status for misuse. The input is the
 * arguments, separated by NULs; the first one is the command.
 */
#include <getopt.h>
#include <sysexits.h>

#include "cli/command.h"
#include "fuzz.h"
#include "scoring/auth.h"

#define ARGUMENTS_MAX 16

/* A stream that replaces a standard one. */
struct captured {
    FILE *stream, *before;
    char *text;
    size_t length;
};

static void
capture(FILE **standard, struct captured *captured)
{
    captured->stream = open_memstream(&captured->text, &captured->length);
    FUZZ_CHECK(captured->stream != NULL);
    captured->before = *standard;
    *standard = captured->stream;
}

static void
release(FILE **standard, struct captured *captured)
{
    *standard = captured->before;
    FUZZ_CHECK(fclose(captured->stream) == 0);
}

static bool
ends_line(const struct captured *captured)
{
    return captured->length > 0 && captured->text[captured->length - 1] == '\n';
}

static void
check_answer(const struct command *command, const struct captured *out)
{
    FUZZ_CHECK(ends_line(out));
    if (command == &command_token)
        FUZZ_CHECK(strspn(out->text, "0123456789abcdef") == AUTH_TOKEN_LENGTH &&
                   out->length == AUTH_TOKEN_LENGTH + 1);
}

static void
run(const struct command *command, int argc, char **argv)
{
    struct captured out = {0}, err = {0};
    int status;

    optind = 0; /* resets getopt_long() */
    capture(&stdout, &out);
    capture(&stderr, &err);
    status = command->run(command, argc, argv);
    release(&stderr, &err);
    release(&stdout, &out);
    FUZZ_CHECK(status == EX_OK || status == EX_USAGE);
    FUZZ_CHECK((status == EX_OK) == (out.length > 0));
    if (status == EX_OK)
        check_answer(command, &out);
    else
        FUZZ_CHECK(ends_line(&err));
    free(out.text);
    free(err.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *argv[ARGUMENTS_MAX + 1] = {NULL};
    int argc = 0;

    do {
        argv[argc++] = fuzz_text(&input);
    } while (input.left > 0 && argc < ARGUMENTS_MAX);
    if (strcmp(argv[0], command_check_config.name) == 0)
        run(&command_check_config, argc, argv);
    else
        run(&command_token, argc, argv);
    while (argc > 0)
        free(argv[--argc]);
    return 0;
}
