/*
 * Error replies of Redis in words. It serves the log lines about the store in
 * docs/protocol.md, which must show neither passwords nor values.
 */
#include <stddef.h>
#include <string.h>

#include "redis/error.h"

/* The first that fits counts. */
static const struct {
    const char *code, *words;
} texts[] = {
    {"WRONGPASS", "the password was refused (WRONGPASS)"},
    {"NOAUTH", "a password is needed (NOAUTH)"},
    {"NOPERM", "the user lacks a permission (NOPERM)"},
    {"LOADING", "the server answered LOADING"},
    {"MASTERDOWN", "the server answered MASTERDOWN"},
    {"BUSY", "the server answered BUSY"},
    {"READONLY", "the server answered READONLY"},
    {"OOM", "the server is out of memory (OOM)"},
    {"MISCONF", "the server cannot save its data (MISCONF)"},
    {"CLUSTERDOWN", "the server answered CLUSTERDOWN"},
    {"MOVED", "the server is part of a cluster (MOVED)"},
    {"ERR invalid password", "the password was refused"},
    {"ERR AUTH ", "a password was given, but the server has none"},
    {"ERR Client sent AUTH", "a password was given, but the server has none"},
    {"ERR DB index", "the database number was refused"},
    {"ERR invalid DB index", "the database number was refused"},
    {"ERR max number of clients", "the server has too many clients"},
};

bool
redis_error_starts(const char *error, const char *code)
{
    return strncmp(error, code, strlen(code)) == 0;
}

const char *
redis_error_text(const char *error)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (redis_error_starts(error, texts[i].code))
            return texts[i].words;
    return "the server answered with an error";
}
