/*
 * How error replies are logged: the code, and the name of a command that the
 * service sends; nothing else. Source: docs/protocol.md, S20.4, and the texts
 * of Redis 2.8 to 8.
 */
#include "redis/error.h"
#include "support/cases.h"

struct words_case {
    const char *name, *error, *want;
};

static const struct words_case words_rows[] = {
    {"wrong password",
     "WRONGPASS invalid username-password pair or user is disabled.",
     "the password was refused (WRONGPASS)"},
    {"no password", "NOAUTH Authentication required.",
     "a password is needed (NOAUTH)"},
    {"protected mode",
     "DENIED Redis is running in protected mode because protected mode is "
     "enabled",
     "the server is in protected mode: other hosts need a password, and it "
     "has none (DENIED)"},
    {"no right to a command",
     "NOPERM this user has no permissions to run the 'mget' command",
     "the user lacks a permission (NOPERM): MGET"},
    {"no right to a command, with the user's name",
     "NOPERM User secret has no permissions to run the 'get' command",
     "the user lacks a permission (NOPERM): GET"},
    {"no right to read a part of a value",
     "NOPERM this user has no permissions to run the 'getrange' command",
     "the user lacks a permission (NOPERM): GETRANGE"},
    {"no right to delete",
     "NOPERM this user has no permissions to run the 'del' command",
     "the user lacks a permission (NOPERM): DEL"},
    {"no right to a subcommand, Redis 7",
     "NOPERM User secret has no permissions to run the 'cluster|slots' command",
     "the user lacks a permission (NOPERM): CLUSTER"},
    {"nor to one of another command",
     "NOPERM User secret has no permissions to run the 'secret|get' command",
     "the user lacks a permission (NOPERM)"},
    {"no right to a key",
     "NOPERM this user has no permissions to access one of the keys used as "
     "arguments",
     "the user lacks a permission (NOPERM)"},
    {"no right to the key 'secret'", "NOPERM No permissions to access 'secret'",
     "the user lacks a permission (NOPERM)"},
    {"loading", "LOADING Redis is loading the dataset in memory",
     "the server is loading its data (LOADING)"},
    {"busy", "BUSY Redis is busy running a script.",
     "the server is busy with a script (BUSY)"},
    {"busy with something else", "BUSYKEY Target key name already exists.",
     "the server answered BUSYKEY"},
    {"replica without a master",
     "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set "
     "to 'no'.",
     "the server is a replica without its master (MASTERDOWN)"},
    {"code alone", "READONLY",
     "the server is a replica, which takes no writes (READONLY)"},
    {"too few replicas", "NOREPLICAS Not enough good replicas to write.",
     "the server has too few replicas to take writes (NOREPLICAS)"},
    {"out of memory", "OOM command not allowed when used memory > 'maxmemory'.",
     "the server is out of memory (OOM)"},
    {"cannot save",
     "MISCONF Redis is configured to save RDB snapshots, but it's currently "
     "unable to persist to disk.",
     "the server cannot save its data (MISCONF)"},
    {"cluster is down", "CLUSTERDOWN Hash slot not served",
     "the cluster is down (CLUSTERDOWN)"},
    {"another node's slot", "MOVED 3999 127.0.0.1:6381",
     "the server is part of a cluster (MOVED)"},
    {"moving slot", "ASK 3999 127.0.0.1:6381",
     "the server is part of a cluster (ASK)"},
    {"several slots", "CROSSSLOT Keys in request don't hash to the same slot",
     "the server is part of a cluster (CROSSSLOT)"},
    {"several slots, moving",
     "TRYAGAIN Multiple keys request during rehashing of slot",
     "the server is part of a cluster (TRYAGAIN)"},
    {"database of a cluster", "ERR SELECT is not allowed in cluster mode",
     "the server is part of a cluster: it has database 0 only"},
    {"database out of range", "ERR DB index is out of range",
     "the database number was refused"},
    {"database out of range, before Redis 4", "ERR invalid DB index",
     "the database number was refused"},
    {"too many clients", "ERR max number of clients reached",
     "the server has too many clients (ERR max number of clients)"},
    {"too many clients, of a cluster",
     "ERR max number of clients + cluster connections reached",
     "the server has too many clients (ERR max number of clients)"},
    {"wrong password, before Redis 6", "ERR invalid password",
     "the password was refused (ERR invalid password)"},
    {"Redis 6 without a password",
     "ERR AUTH <password> called without any password configured for the "
     "default user. Are you sure your configuration is correct?",
     "a password was given, but the server has none"},
    {"Redis 5 without a password",
     "ERR Client sent AUTH, but no password is set",
     "a password was given, but the server has none"},
    {"Redis 5 and a user", "ERR wrong number of arguments for 'auth' command",
     "a user was given, but the server is too old to have any"},
    {"wrong number of arguments",
     "ERR wrong number of arguments for 'mget' command",
     "the server answered ERR wrong number of arguments MGET"},
    {"command that is not there",
     "ERR unknown command 'MGET', with args beginning with: 'secret' ",
     "the server answered ERR unknown command MGET"},
    {"command that is not there, Redis 5",
     "ERR unknown command `mget`, with args beginning with: `secret`, ",
     "the server answered ERR unknown command MGET"},
    {"what was sent is not repeated", "ERR unknown command 'secret'",
     "the server answered ERR unknown command"},
    {"nor is one of several letters more", "ERR unknown command 'GETsecret'",
     "the server answered ERR unknown command"},
    {"quote that does not end", "ERR unknown command 'GET",
     "the server answered ERR unknown command GET"},
    {"quote at the end", "ERR unknown command '",
     "the server answered ERR unknown command"},
    {"protocol", "ERR Protocol error: unauthenticated bulk length",
     "the server answered ERR Protocol error"},
    {"syntax", "ERR syntax error", "the server answered ERR syntax error"},
    {"another ERR", "ERR secret", "the server answered ERR"},
    {"code that is not known", "NEWCODE secret", "the server answered NEWCODE"},
    {"code of 24 letters", "ABCDEFGHIJKLMNOPQRSTUVWX y",
     "the server answered ABCDEFGHIJKLMNOPQRSTUVWX"},
    {"word of 25 letters", "ABCDEFGHIJKLMNOPQRSTUVWXY y",
     "the server answered with an error"},
    {"one letter", "A secret", "the server answered with an error"},
    {"code and more", "OOM1 secret", "the server answered with an error"},
    {"code in lower case", "readonly", "the server answered with an error"},
    {"code in the middle", "ERR OOM", "the server answered ERR"},
    {"no code", "Secret", "the server answered with an error"},
    {"empty", "", "the server answered with an error"},
};

TEST_CASES(words, struct words_case, words_rows)
{
    char words[REDIS_ERROR_WORDS];

    redis_error_words(c->error, words);
    CU_ASSERT_STRING_EQUAL(words, c->want);
}

struct is_case {
    const char *name, *error;
    bool want;
};

static const struct is_case is_rows[] = {
    {"with more", "NOPERM no", true},       {"alone", "NOPERM", true},
    {"cut short", "NOPER", false},          {"later", " NOPERM", false},
    {"a longer word", "NOPERMIT x", false},
};

TEST_CASES(is, struct is_case, is_rows)
{
    CU_ASSERT_EQUAL(redis_error_is(c->error, "NOPERM"), c->want);
}
