/*
 * Describes error replies of Redis without passwords and values. Implements
 * S20.4 of docs/protocol.md.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "redis/error.h"

#define CODE_MAX 24 /* characters; the longest known code has 12 */

/* The beginning of a reply, in whole words, and the text that describes it. */
static const struct row {
    const char *begin, *words;
    const char *before_command; /* then the command; NULL: it names none */
} rows[] = {
    {.begin = "WRONGPASS", .words = "the password was refused (WRONGPASS)"},
    {.begin = "NOAUTH", .words = "a password is needed (NOAUTH)"},
    {.begin = "NOPERM",
     .words = "the user lacks a permission (NOPERM)",
     .before_command = ": "},
    {.begin = "DENIED",
     .words = "the server is in protected mode: other hosts need a password, "
              "and it has none (DENIED)"},
    {.begin = "LOADING", .words = "the server is loading its data (LOADING)"},
    {.begin = "BUSY", .words = "the server is busy with a script (BUSY)"},
    {.begin = "MASTERDOWN",
     .words = "the server is a replica without its master (MASTERDOWN)"},
    {.begin = "READONLY",
     .words = "the server is a replica, which takes no writes (READONLY)"},
    {.begin = "UNBLOCKED",
     .words = "the server has become a replica (UNBLOCKED)"},
    {.begin = "ERR WAIT cannot be used with replica",
     .words = "the server is a replica, which takes no writes (ERR WAIT)"},
    {.begin = "NOREPLICAS",
     .words = "the server has too few replicas to take writes (NOREPLICAS)"},
    {.begin = "OOM", .words = "the server is out of memory (OOM)"},
    {.begin = "MISCONF", .words = "the server cannot save its data (MISCONF)"},
    {.begin = "CLUSTERDOWN", .words = "the cluster is down (CLUSTERDOWN)"},
    {.begin = "MOVED", .words = "the server is part of a cluster (MOVED)"},
    {.begin = "ASK", .words = "the server is part of a cluster (ASK)"},
    {.begin = "CROSSSLOT",
     .words = "the server is part of a cluster (CROSSSLOT)"},
    {.begin = "TRYAGAIN",
     .words = "the server is part of a cluster (TRYAGAIN)"},
    {.begin = "ERR invalid password",
     .words = "the password was refused (ERR invalid password)"},
    {.begin = "ERR AUTH",
     .words = "a password was given, but the server has none"},
    {.begin = "ERR Client sent AUTH",
     .words = "a password was given, but the server has none"},
    {.begin = "ERR wrong number of arguments for 'auth'",
     .words = "a user was given, but the server is too old to have any"},
    {.begin = "ERR DB index", .words = "the database number was refused"},
    {.begin = "ERR invalid DB index",
     .words = "the database number was refused"},
    {.begin = "ERR SELECT is not allowed in cluster mode",
     .words = "the server is part of a cluster: it has database 0 only"},
    {.begin = "ERR No such master with that name",
     .words = "it knows no master by that name"},
    {.begin = "ERR max number of clients",
     .words = "the server has too many clients (ERR max number of clients)"},
    {.begin = "ERR unknown command",
     .words = "the server answered ERR unknown command",
     .before_command = " "},
    {.begin = "ERR wrong number of arguments",
     .words = "the server answered ERR wrong number of arguments",
     .before_command = " "},
    {.begin = "ERR syntax error",
     .words = "the server answered ERR syntax error"},
    {.begin = "ERR Protocol error",
     .words = "the server answered ERR Protocol error"},
};

/* The commands that are sent. Other texts in quotes may be personal. */
static const char *const commands[] = {
    "ASKING",   "AUTH",     "CLUSTER", "DBSIZE", "DEL",  "EXISTS", "GET",
    "GETRANGE", "HELLO",    "MGET",    "MSET",   "PING", "ROLE",   "SCAN",
    "SELECT",   "SENTINEL", "SET",     "STRLEN", "TYPE", "WAIT",
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* Whether the error begins with these words, and the last one ends there. */
static bool
begins(const char *error, const char *words)
{
    const size_t length = strlen(words);

    return strncmp(error, words, length) == 0 &&
           (error[length] == '\0' || strchr(" ,:-", error[length]) != NULL);
}

bool
redis_error_is(const char *error, const char *words)
{
    const size_t length = strlen(words);

    return strncmp(error, words, length) == 0 &&
           (error[length] == '\0' || error[length] == ' ');
}

/*
 * The command that the first quoted text names, also with a subcommand, as in
 * 'cluster|slots'. NULL if it names none.
 */
static const char *
find_command(const char *error)
{
    const char *from = strpbrk(error, "'`");
    size_t length;

    if (from == NULL)
        return NULL;
    length = strcspn(from + 1, "'`|");
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (strlen(commands[i]) == length &&
            strncasecmp(from + 1, commands[i], length) == 0)
            return commands[i];
    }
    return NULL;
}

/* Shows only a code, which is a word in capitals: other text may be a value. */
static void
unknown_words(const char *error, char ret_words[REDIS_ERROR_WORDS])
{
    const size_t length = strspn(error, capitals);
    const bool is_code = length > 1 && length <= CODE_MAX &&
                         (error[length] == '\0' || error[length] == ' ');

    if (is_code)
        (void)snprintf(ret_words, REDIS_ERROR_WORDS, "the server answered %.*s",
                       (int)length, error);
    else
        (void)snprintf(ret_words, REDIS_ERROR_WORDS,
                       "the server answered with an error");
}

void
redis_error_words(const char *error, char ret_words[REDIS_ERROR_WORDS])
{
    const struct row *row = rows;
    const char *command;

    while (row < rows + COUNT(rows) && !begins(error, row->begin))
        row++;
    if (row == rows + COUNT(rows)) {
        unknown_words(error, ret_words);
        return;
    }
    command = row->before_command != NULL ? find_command(error) : NULL;
    (void)snprintf(ret_words, REDIS_ERROR_WORDS, "%s%s%s", row->words,
                   command != NULL ? row->before_command : "",
                   command != NULL ? command : "");
}
