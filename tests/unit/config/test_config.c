/*
 * Settings: which source wins, both sides of each bound, the text of each
 * error, secrets and their files, and whether .env.example is right.
 */
#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "config/error.h"
#include "config/settings.h"
#include "config/text.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/files.h"

#define ENV_MAX     5 /* entries of a row, with the NULL at the end */
#define SETTING_MAX 512
#define EXAMPLE     ".env.example"

/* A file named by a setting; it exists only if there is content. */
struct file {
    char path[FILES_PATH_MAX];
    char setting[SETTING_MAX]; /* NAME=path */
};

static void
file_make(struct file *file, const char *name, const char *content)
{
    CU_ASSERT_TRUE_FATAL(files_make(file->path, content, strlen(content)));
    (void)snprintf(file->setting, sizeof(file->setting), "%s=%s", name,
                   file->path);
}

/* Loads the environment of a row, and its file of settings, if any. */
static struct config *
load(char *const env[ENV_MAX], const char *content, struct buf *errors)
{
    char *environment[ENV_MAX + 1] = {NULL};
    struct config *config;
    struct file file;
    size_t count = 0;

    while (env[count] != NULL) {
        environment[count] = env[count];
        count++;
    }
    environment[count] =
        "SCORING_CONFIG_FILE="; /* not the file of this machine */
    if (content != NULL) {
        file_make(&file, "SCORING_CONFIG_FILE", content);
        environment[count] = file.setting;
    }
    config = config_load(environment, CONFIG_OF_SERVICE, errors);
    if (content != NULL)
        (void)unlink(file.path);
    return config;
}

static void
text_check(struct bytes got, const char *want)
{
    if (!bytes_equal(got, bytes_of(want)))
        (void)printf("got:  %.*s\nwant: %s\n", (int)got.length, got.at, want);
    CU_ASSERT_TRUE(bytes_equal(got, bytes_of(want)));
}

/* Whether config_print() has this line. */
static bool
prints(const struct config *config, const char *line)
{
    struct buf out = {0}, want = {0};
    bool is_there;

    buf_add_text(&out, "\n");
    config_print(config, &out);
    buf_printf(&want, "\n%s\n", line);
    is_there = memmem(out.data, out.length, want.data, want.length) != NULL;
    buf_free(&out);
    buf_free(&want);
    return is_there;
}

struct source_case {
    const char *name;
    char *env[ENV_MAX];
    const char *file; /* content; NULL: none */
    const char *want; /* a line of config_print() */
};

static const struct source_case source_rows[] = {
    {"url by default", NONE, NULL, "REDIS_URL=redis://127.0.0.1:6379/0"},
    {"user by default", NONE, NULL, "REDIS_USERNAME="},
    {"password by default", NONE, NULL, "REDIS_PASSWORD="},
    {"grace by default", NONE, NULL, "SCORING_ADMIN_GRACE_S=0"},
    {"cache secret by default", NONE, NULL, "SCORING_CACHE_SECRET="},
    {"attempts by default", NONE, NULL, "SCORING_STORE_ATTEMPTS=3"},
    {"connecting by default", NONE, NULL,
     "SCORING_STORE_CONNECT_TIMEOUT_MS=200"},
    {"command by default", NONE, NULL, "SCORING_STORE_TIMEOUT_MS=300"},
    {"deadline by default", NONE, NULL, "SCORING_STORE_DEADLINE_MS=800"},
    {"ttl by default", NONE, NULL, "SCORING_CACHE_TTL_S=3600"},
    {"body by default", NONE, NULL, "SCORING_MAX_BODY_BYTES=1048576"},
    {"ids by default", NONE, NULL, "SCORING_MAX_CLIENT_IDS=10000"},
    {"clients by default", NONE, NULL, "SCORING_MAX_CLIENTS=1000"},
    {"model by default", NONE, NULL, "SCORING_MODEL_FILE="},
    {"answer by default", NONE, NULL, "SCORING_MAX_ANSWER_BYTES=16777216"},
    {"rate by default", NONE, NULL, "SCORING_RATE_LIMIT=0"},
    {"connections by default", NONE, NULL, "SCORING_MAX_CONNECTIONS=0"},
    {"log file by default", NONE, NULL, "SCORING_LOG_FILE="},
    {"log format by default", NONE, NULL, "SCORING_LOG_FORMAT=text"},
    {"log level by default", NONE, NULL, "SCORING_LOG_LEVEL=info"},
    {"zone by default", NONE, NULL, "TZ="},
    {"port of make run by default", NONE, NULL, "HTTP_PORT=8080"},
    {"its other port by default", NONE, NULL, "METRICS_PORT="},
    {"its folder by default", NONE, NULL, "RUN_DIR="},
    {"address of nginx by default", NONE, NULL, "HTTP_ADDRESS=127.0.0.1"},
    {"port of HTTPS by default", NONE, NULL, "HTTPS_PORT=8443"},
    {"certificate by default", NONE, NULL, "TLS_CERTIFICATE="},
    {"key by default", NONE, NULL, "TLS_KEY="},
    {"age of HTTPS by default", NONE, NULL, "TLS_HSTS_S=0"},
    {"proxies by default", NONE, NULL, "TRUSTED_PROXIES="},
    {"what Kubernetes gives to every container",
     LIST("SCORING_PORT=tcp://10.0.0.1:80", "SCORING_PORT_80_TCP=x",
          "SCORING_SERVICE_HOST=10.0.0.1", "SCORING_WORKERS=5"),
     NULL, "SCORING_WORKERS=5"},
    {"environment", LIST("SCORING_WORKERS=5"), NULL, "SCORING_WORKERS=5"},
    {"file", NONE, "SCORING_WORKERS=6\n", "SCORING_WORKERS=6"},
    {"environment before file", LIST("SCORING_WORKERS=5"),
     "SCORING_WORKERS=6\n", "SCORING_WORKERS=5"},
    {"even if the file's value is bad", LIST("SCORING_WORKERS=5"),
     "SCORING_WORKERS=many\n", "SCORING_WORKERS=5"},
    {"first of two in the environment",
     LIST("SCORING_WORKERS=5", "SCORING_WORKERS=6"), NULL, "SCORING_WORKERS=5"},
    {"last of two in the file", NONE, "SCORING_WORKERS=5\nSCORING_WORKERS=6\n",
     "SCORING_WORKERS=6"},
    {"other names in the file", NONE,
     "HTTP_PORT=x\nREDIS_IMAGE=redis:7\nSCORING_WORKERS=6\n",
     "SCORING_WORKERS=6"},
    {"other names in the environment",
     LIST("HTTP_PORT=x", "SCORING", "REDIS_IMAGE=y", "SCORING_WORKERS=5"), NULL,
     "SCORING_WORKERS=5"},
    {"no file named", LIST("SCORING_CONFIG_FILE=", "SCORING_WORKERS=5"), NULL,
     "SCORING_WORKERS=5"},
    {"empty url", LIST("REDIS_URL="), NULL,
     "REDIS_URL=redis://127.0.0.1:6379/0"},
    {"empty url before the file's", LIST("REDIS_URL="), "REDIS_URL=redis://h\n",
     "REDIS_URL=redis://127.0.0.1:6379/0"},
    {"empty port of make run", NONE, "HTTP_PORT=\n", "HTTP_PORT=8080"},
    {"the service does not look at it", LIST("HTTP_PORT=tcp://10.0.0.1:80"),
     NULL, "HTTP_PORT=tcp://10.0.0.1:80"},
    {"zone", LIST("TZ=Europe/Moscow"), NULL, "TZ=Europe/Moscow"},
    {"zone of the file", NONE, "TZ='CET-1' # c\n", "TZ=CET-1"},
    {"zone of the environment before the file's", LIST("TZ=CET-1"),
     "TZ=Europe/Nowhere\n", "TZ=CET-1"},
    {"empty zone", LIST("TZ="), "TZ=CET-1\n", "TZ=UTC"},
    {"variable in a name for compose alone", NONE,
     "NGINX_IMAGE=$REGISTRY/nginx\nSCORING_WORKERS=6\n", "SCORING_WORKERS=6"},
    {"variable where the environment goes first", LIST("SCORING_WORKERS=5"),
     "SCORING_WORKERS=$N\n", "SCORING_WORKERS=5"},
    {"variable in a line that does not count", NONE,
     "SCORING_WORKERS=$N\nSCORING_WORKERS=6\n", "SCORING_WORKERS=6"},
    {"two salts", LIST("SCORING_SALT=a,b"), NULL, "SCORING_SALT=***,***"},
    {"json", LIST("SCORING_LOG_FORMAT=json"), NULL, "SCORING_LOG_FORMAT=json"},
    {"text", LIST("SCORING_LOG_FORMAT=text"), NULL, "SCORING_LOG_FORMAT=text"},
    {"error", LIST("SCORING_LOG_LEVEL=error"), NULL, "SCORING_LOG_LEVEL=error"},
    {"requests, all by default", NONE, NULL, "SCORING_LOG_REQUESTS=all"},
    {"errors of requests", LIST("SCORING_LOG_REQUESTS=errors"), NULL,
     "SCORING_LOG_REQUESTS=errors"},
    {"info", LIST("SCORING_LOG_LEVEL=info"), NULL, "SCORING_LOG_LEVEL=info"},
    {"log file", LIST("SCORING_LOG_FILE=/l"), NULL, "SCORING_LOG_FILE=/l"},
    {"empty log file", LIST("SCORING_LOG_FILE="), NULL, "SCORING_LOG_FILE="},
    {"empty log file before file", LIST("SCORING_LOG_FILE="),
     "SCORING_LOG_FILE=/l\n", "SCORING_LOG_FILE="},
    {"url without password", LIST("REDIS_URL=redis://me:pw@h:1/2"), NULL,
     "REDIS_URL=redis://h:1/2"},
    {"user of the url", LIST("REDIS_URL=redis://me:pw@h:1/2"), NULL,
     "REDIS_USERNAME=me"},
    {"masked password of the url", LIST("REDIS_URL=redis://me:pw@h:1/2"), NULL,
     "REDIS_PASSWORD=***"},
    {"masked password of the sentinels",
     LIST("REDIS_SENTINEL_USERNAME=me", "REDIS_SENTINEL_PASSWORD=pw"), NULL,
     "REDIS_SENTINEL_PASSWORD=***"},
    {"user of the sentinels",
     LIST("REDIS_SENTINEL_USERNAME=me", "REDIS_SENTINEL_PASSWORD=pw"), NULL,
     "REDIS_SENTINEL_USERNAME=me"},
    {"empty model", LIST("SCORING_MODEL_FILE="), NULL, "SCORING_MODEL_FILE="},
    {"masked salt", NONE, NULL, "SCORING_SALT=***"},
    {"masked admin salt", NONE, NULL, "SCORING_ADMIN_SALT=***"},
    {"masked cache secret", LIST("SCORING_CACHE_SECRET=x"), NULL,
     "SCORING_CACHE_SECRET=***"},
};

TEST_CASES(source, struct source_case, source_rows)
{
    struct buf errors = {0};
    struct config *config = load(c->env, c->file, &errors);

    CU_ASSERT_PTR_NOT_NULL(config);
    text_check(buf_bytes(&errors), "");
    if (config != NULL)
        CU_ASSERT_TRUE(prints(config, c->want));
    config_free(config);
    buf_free(&errors);
}

struct bounds_case {
    const char *name;
    long long min, max;
};

static const struct bounds_case bounds_rows[] = {
    {"SCORING_ADMIN_GRACE_S", 0, 3600},
    {"SCORING_WORKERS", 1, 1024},
    {"SCORING_STORE_ATTEMPTS", 1, 100},
    {"SCORING_STORE_CONNECT_TIMEOUT_MS", 1, 5000},
    {"SCORING_STORE_TIMEOUT_MS", 1, 5000},
    {"SCORING_STORE_DEADLINE_MS", 1, 5000},
    {"SCORING_CACHE_TTL_S", 1, 2147483647},
    {"SCORING_MAX_BODY_BYTES", 1, 67108864},
    {"SCORING_MAX_CLIENT_IDS", 1, 1000000},
    {"SCORING_MAX_CLIENTS", 1, 1000},
    {"SCORING_MAX_ANSWER_BYTES", 1, 1073741824},
    {"SCORING_RATE_LIMIT", 0, 1000000},
    {"SCORING_MAX_CONNECTIONS", 0, 65535},
};

static void
bounds_try(const struct bounds_case *c, const char *value, bool is_good)
{
    char setting[SETTING_MAX], want[SETTING_MAX] = "";
    char *const env[ENV_MAX] = {setting};
    struct buf errors = {0};
    struct config *config;

    (void)snprintf(setting, sizeof(setting), "%s=%s", c->name, value);
    if (!is_good)
        (void)snprintf(want, sizeof(want),
                       "%s: \"%s\": must be an integer from %lld to %lld\n",
                       c->name, value, c->min, c->max);
    config = load(env, NULL, &errors);
    CU_ASSERT_EQUAL(config != NULL, is_good);
    text_check(buf_bytes(&errors), want);
    if (config != NULL)
        CU_ASSERT_TRUE(prints(config, setting));
    config_free(config);
    buf_free(&errors);
}

TEST_CASES(bounds, struct bounds_case, bounds_rows)
{
    char text[SETTING_MAX];

    (void)snprintf(text, sizeof(text), "%lld", c->min);
    bounds_try(c, text, true);
    (void)snprintf(text, sizeof(text), "%lld", c->min - 1);
    bounds_try(c, text, false);
    (void)snprintf(text, sizeof(text), "%lld", c->max);
    bounds_try(c, text, true);
    (void)snprintf(text, sizeof(text), "%lld", c->max + 1);
    bounds_try(c, text, false);
    bounds_try(c, "", false);
    bounds_try(c, "abc", false);
    bounds_try(c, " 1", false);
    bounds_try(c, "1 ", false);
}

struct mistake_case {
    const char *name;
    char *env[ENV_MAX];
    const char *file;
    const char *want; /* all errors */
};

#define NO_SUCH "there is no such setting\n"
#define CLASH                                                                  \
    "SCORING_SALT, SCORING_ADMIN_SALT: no salt of one may be equal to, or "    \
    "the end of, a salt of the other: a partner could make the admin's "       \
    "token\n"
#define X256                                                                   \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct mistake_case mistake_rows[] = {
    {"unknown in the environment", LIST("SCORING_WORKRES=5"), NULL,
     "SCORING_WORKRES: " NO_SUCH},
    {"unknown in the file", NONE, "SCORING_WORKRES=5\n",
     "SCORING_WORKRES: " NO_SUCH},
    {"longer than what Kubernetes gives",
     LIST("SCORING_PORTS=1", "SCORING_SERVICES=1"), NULL,
     "SCORING_PORTS: " NO_SUCH "SCORING_SERVICES: " NO_SUCH},
    {"shorter than what Kubernetes gives",
     LIST("SCORING_PORT_=1", "SCORING_SERVICE_=1", "SCORING_SERVICE=1"), NULL,
     "SCORING_PORT_: " NO_SUCH "SCORING_SERVICE_: " NO_SUCH
     "SCORING_SERVICE: " NO_SUCH},
    {"what Kubernetes gives, in the file", NONE,
     "SCORING_PORT=1\nSCORING_PORT_80_TCP=1\nSCORING_SERVICE_HOST=1\n",
     "SCORING_PORT: " NO_SUCH "SCORING_PORT_80_TCP: " NO_SUCH
     "SCORING_SERVICE_HOST: " NO_SUCH},
    {"small letters", LIST("SCORING_xyz=5"), NULL, "SCORING_xyz: " NO_SUCH},
    {"prefix alone", LIST("SCORING_=5"), NULL, "SCORING_: " NO_SUCH},
    {"longer name", LIST("SCORING_WORKERS2=5"), NULL,
     "SCORING_WORKERS2: " NO_SUCH},
    {"shorter name", LIST("SCORING_WORKER=5"), NULL,
     "SCORING_WORKER: " NO_SUCH},
    {"file of what is no secret", LIST("SCORING_WORKERS_FILE=/x"), NULL,
     "SCORING_WORKERS_FILE: " NO_SUCH},
    {"suffix alone", LIST("SCORING_FILE=/x"), NULL, "SCORING_FILE: " NO_SUCH},
    {"suffix of the same length", LIST("SCORING_SALT_PILE=/x"), NULL,
     "SCORING_SALT_PILE: " NO_SUCH},
    {"control character in a name", LIST("SCORING_\n=5"), NULL,
     "SCORING_\\x0a: " NO_SUCH},
    {"file of settings named in the file", NONE, "SCORING_CONFIG_FILE=/x\n",
     "SCORING_CONFIG_FILE: only works in the environment\n"},
    {"file of settings is missing",
     LIST("SCORING_CONFIG_FILE=/nonexistent/env"), NULL,
     "SCORING_CONFIG_FILE: \"/nonexistent/env\": No such file or directory\n"},
    {"empty format", LIST("SCORING_LOG_FORMAT="), NULL,
     "SCORING_LOG_FORMAT: \"\": must be text or json\n"},
    {"capital format", LIST("SCORING_LOG_FORMAT=JSON"), NULL,
     "SCORING_LOG_FORMAT: \"JSON\": must be text or json\n"},
    {"unknown level", LIST("SCORING_LOG_LEVEL=debug"), NULL,
     "SCORING_LOG_LEVEL: \"debug\": must be info or error\n"},
    {"part of a word for requests", LIST("SCORING_LOG_REQUESTS=error"), NULL,
     "SCORING_LOG_REQUESTS: \"error\": must be all or errors\n"},
    {"no word for requests", LIST("SCORING_LOG_REQUESTS="), NULL,
     "SCORING_LOG_REQUESTS: \"\": must be all or errors\n"},
    {"longer level", LIST("SCORING_LOG_LEVEL=info2"), NULL,
     "SCORING_LOG_LEVEL: \"info2\": must be info or error\n"},
    {"control characters, quotes and backslashes are escaped",
     LIST("SCORING_LOG_LEVEL=a\n\x1f \x7f\"\\"), NULL,
     "SCORING_LOG_LEVEL: \"a\\x0a\\x1f \\x7f\\\"\\\\\": must be info or "
     "error\n"},
    {"long value, still whole", LIST("SCORING_LOG_LEVEL=" X256), NULL,
     "SCORING_LOG_LEVEL: \"" X256 "\": must be info or error\n"},
    {"longer value, cut", LIST("SCORING_LOG_LEVEL=" X256 "x"), NULL,
     "SCORING_LOG_LEVEL: \"" X256 "...\": must be info or error\n"},
    {"empty salt", LIST("SCORING_SALT="), NULL,
     "SCORING_SALT: a salt must not be empty\n"},
    {"empty admin salt", LIST("SCORING_ADMIN_SALT="), NULL,
     "SCORING_ADMIN_SALT: a salt must not be empty\n"},
    {"empty salt at the end", LIST("SCORING_SALT=secret,"), NULL,
     "SCORING_SALT: a salt must not be empty\n"},
    {"empty salt at the start", LIST("SCORING_SALT=,secret"), NULL,
     "SCORING_SALT: a salt must not be empty\n"},
    {"empty salt between", LIST("SCORING_SALT=secret,,other"), NULL,
     "SCORING_SALT: a salt must not be empty\n"},
    {"space after the comma", LIST("SCORING_SALT=secret, other"), NULL,
     "SCORING_SALT: a salt must not begin or end with a blank\n"},
    {"space before the comma", LIST("SCORING_SALT=secret ,other"), NULL,
     "SCORING_SALT: a salt must not begin or end with a blank\n"},
    {"tabs around a salt", LIST("SCORING_SALT=\tsecret,other"), NULL,
     "SCORING_SALT: a salt must not begin or end with a blank\n"},
    {"tab after a salt", LIST("SCORING_ADMIN_SALT=secret\t,other"), NULL,
     "SCORING_ADMIN_SALT: a salt must not begin or end with a blank\n"},
    {"17 salts", LIST("SCORING_SALT=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"),
     NULL, "SCORING_SALT: must be at most 16 salts\n"},
    {"bad url, not shown", LIST("REDIS_URL=redis://:secret@h:port"), NULL,
     "REDIS_URL: the port must be an integer from 1 to 65535\n"},
    {"user without password", LIST("REDIS_USERNAME=me"), NULL,
     "REDIS_USERNAME: a user was given without a password\n"},
    {"user of the url without password", LIST("REDIS_URL=redis://me@h"), NULL,
     "REDIS_USERNAME: a user was given without a password\n"},
    {"user of the sentinels without password",
     LIST("REDIS_SENTINEL_USERNAME=me"), NULL,
     "REDIS_SENTINEL_USERNAME: a user was given without a password\n"},
    {"bad url and a user: its password is not known",
     LIST("REDIS_URL=redis://:secret@h:port", "REDIS_USERNAME=me"), NULL,
     "REDIS_URL: the port must be an integer from 1 to 65535\n"},
    {"secret's file is missing", LIST("SCORING_SALT_FILE=/nonexistent/s"), NULL,
     "SCORING_SALT_FILE: \"/nonexistent/s\": No such file or directory\n"},
    {"secret's file is a folder", LIST("REDIS_PASSWORD_FILE=/tmp"), NULL,
     "REDIS_PASSWORD_FILE: \"/tmp\": Is a directory\n"},
    {"secret's file is empty", LIST("SCORING_CACHE_SECRET_FILE=/dev/null"),
     NULL, "SCORING_CACHE_SECRET_FILE: \"/dev/null\": is empty\n"},
    {"secret's file is endless", LIST("SCORING_ADMIN_SALT_FILE=/dev/zero"),
     NULL, "SCORING_ADMIN_SALT_FILE: \"/dev/zero\": is larger than 64 KiB\n"},
    {"file of settings is a device", LIST("SCORING_CONFIG_FILE=/dev/null"),
     NULL, "SCORING_CONFIG_FILE: \"/dev/null\": is not a regular file\n"},
    {"unknown zone", LIST("TZ=Europe/Nowhere"), NULL,
     "TZ: \"Europe/Nowhere\": there is no such time zone in "
     "/usr/share/zoneinfo\n"},
    {"variable", NONE, "\nREDIS_PASSWORD=pa$word\n",
     "REDIS_PASSWORD: line 2: put a value with '$' into 'single quotes', or "
     "write \\$ in double quotes\n"},
    {"variable in the name of a secret's file", NONE,
     "SCORING_SALT_FILE=$HOME/salt\n",
     "SCORING_SALT_FILE: line 1: put a value with '$' into 'single quotes', or "
     "write \\$ in double quotes\n"},
    {"equal salts", LIST("SCORING_SALT=same", "SCORING_ADMIN_SALT=same"), NULL,
     CLASH},
    {"salt at the end of the admin's",
     LIST("SCORING_SALT=salt", "SCORING_ADMIN_SALT=my-salt"), NULL, CLASH},
    {"admin's salt at the end of a salt", LIST("SCORING_SALT=742"), NULL,
     CLASH},
    {"the last of two lists",
     LIST("SCORING_SALT=a,b", "SCORING_ADMIN_SALT=c,d,xb"), NULL, CLASH},
    {"all are told",
     LIST("SCORING_WORKERS=0", "SCORING_X=1", "SCORING_LOG_LEVEL=x",
          "REDIS_USERNAME=me"),
     "SCORING_Y=1\nSCORING_SALT=,\n",
     "SCORING_X: " NO_SUCH "SCORING_Y: " NO_SUCH
     "SCORING_SALT: a salt must not be empty\n"
     "SCORING_WORKERS: \"0\": must be an integer from 1 to 1024\n"
     "SCORING_LOG_LEVEL: \"x\": must be info or error\n"
     "REDIS_USERNAME: a user was given without a password\n"},
};

TEST_CASES(mistake, struct mistake_case, mistake_rows)
{
    struct buf errors = {0};
    struct config *config = load(c->env, c->file, &errors);

    CU_ASSERT_PTR_NULL(config);
    text_check(buf_bytes(&errors), c->want);
    config_free(config);
    buf_free(&errors);
}

/* Compares a list of salts, joined by "|". */
static void
salts_check(const struct auth_salts *salts, const char *want)
{
    struct buf got = {0};

    for (size_t i = 0; i < salts->count; i++) {
        buf_add_text(&got, i > 0 ? "|" : "");
        buf_add_bytes(&got, salts->item[i]);
    }
    text_check(buf_bytes(&got), want);
    buf_free(&got);
}

struct salt_case {
    const char *name;
    char *env[ENV_MAX];
    const char *file;   /* of settings */
    const char *secret; /* content of SCORING_SALT_FILE; NULL: not given */
    const char *want;   /* the salts; NULL: refused */
    bool published;     /* expected for the salt; the admin's stays published */
};

/* The admin's salt is not published, so that only the salt matters. */
#define OWN_ADMIN "SCORING_ADMIN_SALT=own"

static const struct salt_case salt_rows[] = {
    {"by default", NONE, NULL, NULL, "Otus", true},
    {"admin's own", LIST(OWN_ADMIN), NULL, NULL, "Otus", true},
    {"own, admin's by default", LIST("SCORING_SALT=a"), NULL, NULL, "a", true},
    {"own", LIST(OWN_ADMIN, "SCORING_SALT=a"), NULL, NULL, "a", false},
    {"list", LIST(OWN_ADMIN, "SCORING_SALT=new,old"), NULL, NULL, "new|old",
     false},
    {"published one is still good", LIST(OWN_ADMIN, "SCORING_SALT=new,Otus"),
     NULL, NULL, "new|Otus", true},
    {"published by hand", LIST(OWN_ADMIN, "SCORING_SALT=Otus"), NULL, NULL,
     "Otus", true},
    {"begins like the published one", LIST(OWN_ADMIN, "SCORING_SALT=Otus2"),
     NULL, NULL, "Otus2", false},
    {"admin's default is none for users", LIST(OWN_ADMIN, "SCORING_SALT=42"),
     NULL, NULL, "42", false},
    {"admin's published by hand",
     LIST("SCORING_ADMIN_SALT=x,42", "SCORING_SALT=a"), NULL, NULL, "a", true},
    {"16 salts",
     LIST(OWN_ADMIN, "SCORING_SALT=a,b,c,d,e,f,g,h,i,j,k,l,m,q,o,p"), NULL,
     NULL, "a|b|c|d|e|f|g|h|i|j|k|l|m|q|o|p", false},
    {"begins like the admin's", LIST("SCORING_ADMIN_SALT=ab", "SCORING_SALT=a"),
     NULL, NULL, "a", false},
    {"within the admin's", LIST("SCORING_ADMIN_SALT=abc", "SCORING_SALT=b"),
     NULL, NULL, "b", false},
    {"own file with a byte order mark", LIST(OWN_ADMIN), NULL,
     "\xef\xbb\xbfnew\r\nold", "new|old", false},
    {"space within", LIST(OWN_ADMIN, "SCORING_SALT=a b"), NULL, NULL, "a b",
     false},
    {"own file", LIST(OWN_ADMIN), NULL, "a\n", "a", false},
    {"own file without a newline", LIST(OWN_ADMIN), NULL, "a", "a", false},
    {"own file of lines", LIST(OWN_ADMIN), NULL, "new\nold\n", "new|old",
     false},
    {"own file with CRLF", LIST(OWN_ADMIN), NULL, "new\r\nold\r\n", "new|old",
     false},
    {"own file with empty lines at its end", LIST(OWN_ADMIN), NULL,
     "new\nold\n\n\r\n\n", "new|old", false},
    {"comma in an own file", LIST(OWN_ADMIN), NULL, "a,b\n", "a,b", false},
    {"empty line in an own file", LIST(OWN_ADMIN), NULL, "a\n\nb\n", NULL,
     false},
    {"empty line of an own file with CRLF", LIST(OWN_ADMIN), NULL,
     "a\r\n\r\nb\r\n", NULL, false},
    {"empty line first", LIST(OWN_ADMIN), NULL, "\na\n", NULL, false},
    {"nothing but empty lines", LIST(OWN_ADMIN), NULL, "\n\n", NULL, false},
    {"blank in an own file", LIST(OWN_ADMIN), NULL, "a \n", NULL, false},
    {"own file before the value", LIST(OWN_ADMIN, "SCORING_SALT=value"), NULL,
     "file\n", "file", false},
    {"own file before the file of settings", LIST(OWN_ADMIN),
     "SCORING_SALT=value\n", "file\n", "file", false},
    {"value before what the file of settings names",
     LIST(OWN_ADMIN, "SCORING_SALT=value"),
     "SCORING_SALT_FILE=/nonexistent/x\n", NULL, "value", false},
    {"empty name of a file is none",
     LIST(OWN_ADMIN, "SCORING_SALT=value", "SCORING_SALT_FILE="), NULL, NULL,
     "value", false},
    {"empty name of a file hides nothing",
     LIST(OWN_ADMIN, "SCORING_SALT_FILE="), "SCORING_SALT=value\n", NULL,
     "value", false},
};

TEST_CASES(salt, struct salt_case, salt_rows)
{
    char *env[ENV_MAX] = {NULL};
    struct buf errors = {0};
    struct config *config;
    struct file secret;
    size_t count = 0;

    while (c->env[count] != NULL) {
        env[count] = c->env[count];
        count++;
    }
    if (c->secret != NULL) {
        file_make(&secret, "SCORING_SALT_FILE", c->secret);
        env[count] = secret.setting;
    }
    config = load(env, c->file, &errors);
    CU_ASSERT_EQUAL(config != NULL, c->want != NULL);
    CU_ASSERT_EQUAL(errors.length == 0, c->want != NULL);
    if (config != NULL && c->want != NULL) {
        salts_check(&config->secrets.salts, c->want);
        CU_ASSERT_EQUAL(config->salts_published != CONFIG_NONE ||
                            config->admin_salts_published != CONFIG_NONE,
                        c->published);
    }
    if (c->secret != NULL)
        (void)unlink(secret.path);
    config_free(config);
    buf_free(&errors);
}

struct secret_case {
    const char *name, *content;
    const char *want; /* NULL: refused as empty */
};

static const struct secret_case secret_rows[] = {
    {"one line", "pw\n", "pw"},
    {"byte order mark", "\xef\xbb\xbfpw\r\n", "pw"},
    {"byte order mark alone", "\xef\xbb\xbf\n", NULL},
    {"no UTF-8", "\xff\xfe\n", "\xff\xfe"},
    {"dollars, quotes and backslashes stay", "'$$a' \\n # c\n",
     "'$$a' \\n # c"},
    {"a second line is a part of it", "pw\nx\n", "pw\nx"},
    {"no newline", "pw", "pw"},
    {"CRLF", "pw\r\n", "pw"},
    {"only one newline goes", "pw\n\n", "pw\n"},
    {"carriage return alone stays", "pw\r", "pw\r"},
    {"spaces stay", " p w \n", " p w "},
    {"comma stays", "a,b\n", "a,b"},
    {"empty", "", NULL},
    {"newline alone", "\n", NULL},
    {"CRLF alone", "\r\n", NULL},
};

TEST_CASES(secret, struct secret_case, secret_rows)
{
    struct file password, sentinels, cache;
    struct buf errors = {0};
    struct config *config;

    file_make(&password, "REDIS_PASSWORD_FILE", c->content);
    file_make(&sentinels, "REDIS_SENTINEL_PASSWORD_FILE", c->content);
    file_make(&cache, "SCORING_CACHE_SECRET_FILE", c->content);
    config = load((char *const[ENV_MAX]){password.setting, sentinels.setting,
                                         cache.setting},
                  NULL, &errors);
    CU_ASSERT_EQUAL(config != NULL, c->want != NULL);
    CU_ASSERT_EQUAL(errors.length == 0, c->want != NULL);
    if (config != NULL && c->want != NULL) {
        text_check(bytes_of(config->redis.password), c->want);
        text_check(bytes_of(config->redis.sentinel_password), c->want);
        text_check(config->secrets.cache_secret, c->want);
    }
    (void)unlink(password.path);
    (void)unlink(sentinels.path);
    (void)unlink(cache.path);
    config_free(config);
    buf_free(&errors);
}

struct redis_case {
    const char *name;
    char *env[ENV_MAX];
    const char *username, *password;
};

static const struct redis_case redis_rows[] = {
    {"none", NONE, NULL, NULL},
    {"of the url", LIST("REDIS_URL=redis://me:pw@h"), "me", "pw"},
    {"both overridden",
     LIST("REDIS_URL=redis://me:pw@h", "REDIS_USERNAME=you",
          "REDIS_PASSWORD=x"),
     "you", "x"},
    {"user overridden", LIST("REDIS_USERNAME=you", "REDIS_URL=redis://me:pw@h"),
     "you", "pw"},
    {"password overridden",
     LIST("REDIS_PASSWORD=x", "REDIS_URL=redis://me:pw@h"), "me", "x"},
    {"password for the url's user",
     LIST("REDIS_PASSWORD=x", "REDIS_URL=redis://me@h"), "me", "x"},
    {"empty ones override nothing",
     LIST("REDIS_URL=redis://me:pw@h", "REDIS_USERNAME=", "REDIS_PASSWORD="),
     "me", "pw"},
    {"password alone", LIST("REDIS_PASSWORD=x"), NULL, "x"},
    {"password is not decoded", LIST("REDIS_PASSWORD=%41 "), NULL, "%41 "},
};

static void
maybe_check(const char *got, const char *want)
{
    CU_ASSERT_EQUAL(got == NULL, want == NULL);
    if (got != NULL && want != NULL)
        CU_ASSERT_STRING_EQUAL(got, want);
}

TEST_CASES(redis, struct redis_case, redis_rows)
{
    struct buf errors = {0};
    struct config *config = load(c->env, NULL, &errors);

    CU_ASSERT_PTR_NOT_NULL(config);
    if (config != NULL) {
        maybe_check(config->redis.username, c->username);
        maybe_check(config->redis.password, c->password);
    }
    config_free(config);
    buf_free(&errors);
}

struct tls_case {
    const char *name, *url;
    bool is_tls;
};

static const struct tls_case tls_rows[] = {
    {"one server", "rediss://h", true},
    {"sentinels", "rediss+sentinel://h/m", true},
    {"a cluster", "rediss+cluster://h", true},
    {"one server without it", "redis://h", false},
    {"sentinels without it", "redis+sentinel://h/m", false},
    {"a cluster without it", "redis+cluster://h", false},
};

#ifdef HAVE_HIREDIS_SSL
#define HAS_TLS true
#else
#define HAS_TLS false
#endif

/* Only a build that has TLS takes a URL that wants it. */
TEST_CASES(tls, struct tls_case, tls_rows)
{
    struct buf errors = {0};
    char setting[64];
    struct config *config;

    (void)snprintf(setting, sizeof(setting), "REDIS_URL=%s", c->url);
    config = load((char *const[ENV_MAX]){setting}, NULL, &errors);
    CU_ASSERT_EQUAL(config != NULL, HAS_TLS || !c->is_tls);
    if (config != NULL)
        CU_ASSERT_EQUAL(config->redis.tls, c->is_tls);
    else
        text_check(
            buf_bytes(&errors),
            "REDIS_URL: rediss:// needs TLS, which the hiredis that this "
            "program was built with does not have\n");
    config_free(config);
    buf_free(&errors);
}

/* Restricts this process to so many of its processors. */
static void
keep_to_cores(const cpu_set_t *all, int count)
{
    cpu_set_t some;

    CPU_ZERO(&some);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&some) < count; i++) {
        if (CPU_ISSET(i, all))
            CPU_SET(i, &some);
    }
    CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(some), &some), 0);
}

TEST_SINGLE(workers, "two by default per core that may be used")
{
    cpu_set_t all;

    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof(all), &all), 0);
    for (int cores = 1; cores <= 2 && cores <= CPU_COUNT(&all); cores++) {
        struct buf errors = {0};
        struct config *config;

        keep_to_cores(&all, cores);
        config = load((char *const[ENV_MAX]){NULL}, NULL, &errors);
        CU_ASSERT_PTR_NOT_NULL(config);
        if (config != NULL) {
            CU_ASSERT_EQUAL(config->cores, cores);
            CU_ASSERT_EQUAL(config->workers, 2 * cores);
        }
        config_free(config);
        buf_free(&errors);
    }
    CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(all), &all), 0);
}

TEST_SINGLE(untouched, "the environment stays as it was")
{
    char url[] = "REDIS_URL=redis://me:p%77@h:1/2";
    char salt[] = "SCORING_SALT=a,b";
    struct buf errors = {0};
    struct config *config =
        load((char *const[ENV_MAX]){url, salt}, NULL, &errors);

    CU_ASSERT_PTR_NOT_NULL(config);
    CU_ASSERT_STRING_EQUAL(url, "REDIS_URL=redis://me:p%77@h:1/2");
    CU_ASSERT_STRING_EQUAL(salt, "SCORING_SALT=a,b");
    config_free(config);
    buf_free(&errors);
}

/* Whether out has a line that begins with this. */
static bool
has_line(const struct buf *out, const char *begin)
{
    struct buf want = {0};
    bool is_there;

    buf_printf(&want, "\n%s", begin);
    is_there = memmem(out->data, out->length, want.data, want.length) != NULL;
    buf_free(&want);
    return is_there;
}

TEST_SINGLE(help, "has every setting with default and bounds")
{
    struct buf out = {0}, names = {0};
    struct buf errors = {0};
    struct config *config = load((char *const[ENV_MAX]){NULL}, NULL, &errors);
    char *rest, *line;

    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    buf_add_text(&out, "\n");
    config_help(&out);
    config_print(config, &names);
    buf_add(&names, "", 1);
    rest = names.data;
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        char begin[SETTING_MAX];

        (void)snprintf(begin, sizeof(begin), "  %.*s ", (int)strcspn(line, "="),
                       line);
        CU_ASSERT_TRUE(has_line(&out, begin));
    }
    CU_ASSERT_TRUE(has_line(&out, "SCORING_CONFIG_FILE "));
    buf_add(&out, "", 1);
    CU_ASSERT_PTR_NULL(strstr(out.data, "(null)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "2 x cores"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "worker processes (1 to 1024)"));
    buf_free(&out);
    buf_free(&names);
    config_free(config);
}

TEST_SINGLE(example, "loads unchanged, and holds nothing but defaults")
{
    struct buf errors = {0}, got = {0}, want = {0};
    struct config *defaults =
        load((char *const[ENV_MAX]){"REDIS_PASSWORD=change-me"}, NULL, &errors);
    struct config *example = load(
        (char *const[ENV_MAX]){"SCORING_CONFIG_FILE=" EXAMPLE}, NULL, &errors);

    text_check(buf_bytes(&errors), "");
    CU_ASSERT_PTR_NOT_NULL(defaults);
    CU_ASSERT_PTR_NOT_NULL(example);
    if (defaults != NULL && example != NULL) {
        config_print(defaults, &want);
        config_print(example, &got);
        CU_ASSERT_TRUE(bytes_equal(buf_bytes(&got), buf_bytes(&want)));
        salts_check(&example->secrets.salts, "Otus");
        salts_check(&example->secrets.admin_salts, "42");
        CU_ASSERT_STRING_EQUAL(example->redis.password, "change-me");
    }
    config_free(defaults);
    config_free(example);
    buf_free(&errors);
    buf_free(&got);
    buf_free(&want);
}

/*
 * The example with the '#' removed from every line "#NAME=value". "#NAME=",
 * which means no value, is dropped, or kept to look for names.
 */
static void
example_uncomment(bool keep_empty, struct buf *ret_text)
{
    char *text = NULL, *rest, *line;

    CU_ASSERT_PTR_NULL_FATAL(
        config_text_read(EXAMPLE, CONFIG_TEXT_REGULAR, &text));
    rest = text;
    while ((line = strsep(&rest, "\n")) != NULL) {
        const size_t length = strlen(line);

        if (line[0] == '#' && isupper((unsigned char)line[1]) &&
            strchr(line, '=') != NULL &&
            (keep_empty || line[length - 1] != '='))
            line++;
        buf_printf(ret_text, "%s\n", line);
    }
    config_text_free(text);
}

TEST_SINGLE(example_comments, "hold nothing but defaults, too")
{
    struct buf errors = {0}, got = {0}, want = {0}, text = {0};
    struct config *defaults =
        load((char *const[ENV_MAX]){"REDIS_PASSWORD=change-me"}, NULL, &errors);
    struct config *example;

    example_uncomment(false, &text);
    buf_add(&text, "", 1);
    example = load((char *const[ENV_MAX]){NULL}, text.data, &errors);
    text_check(buf_bytes(&errors), "");
    CU_ASSERT_PTR_NOT_NULL(example);
    if (defaults != NULL && example != NULL) {
        config_print(defaults, &want);
        config_print(example, &got);
        CU_ASSERT_TRUE(bytes_equal(buf_bytes(&got), buf_bytes(&want)));
    }
    config_free(defaults);
    config_free(example);
    buf_free(&errors);
    buf_free(&got);
    buf_free(&want);
    buf_free(&text);
}

static const struct single_case example_secret_rows[] = {
    {"REDIS_PASSWORD_FILE"},
    {"SCORING_SALT_FILE"},
    {"SCORING_ADMIN_SALT_FILE"},
    {"SCORING_CACHE_SECRET_FILE"},
    {"HTTP_PORT"},
};

TEST_CASES(example_also, struct single_case, example_secret_rows)
{
    struct buf text = {0};
    char begin[SETTING_MAX];

    example_uncomment(true, &text);
    (void)snprintf(begin, sizeof(begin), "%s=", c->name);
    CU_ASSERT_TRUE(has_line(&text, begin));
    buf_free(&text);
}

TEST_SINGLE(example_names, "are all there")
{
    struct buf errors = {0}, names = {0}, text = {0};
    struct config *config = load((char *const[ENV_MAX]){NULL}, NULL, &errors);
    char *rest, *line;

    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    config_print(config, &names);
    buf_add(&names, "", 1);
    example_uncomment(true, &text);
    rest = names.data;
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        line[strcspn(line, "=") + 1] = '\0';
        CU_ASSERT_TRUE(has_line(&text, line));
    }
    config_free(config);
    buf_free(&names);
    buf_free(&text);
}

TEST_SINGLE(wiped, "no secret is left in memory")
{
    static char *const env[ENV_MAX] = {"SCORING_SALT=marked-salt", NULL};
    struct buf errors = {0};
    struct config *config = load(env, NULL, &errors);

    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    (void)calls_wiped(0);
    config_free(config);
    CU_ASSERT_EQUAL(calls_wiped(sizeof("marked-salt")), 1);
    buf_free(&errors);
}

TEST_SINGLE(free_nothing, "NULL is accepted")
{
    config_free(NULL);
}

/* One setting, as printed for scripts. */
struct get_case {
    const char *name;
    char *env[ENV_MAX];
    const char *setting;
    const char *otherwise; /* NULL: not given */
    const char *want;
};

static const struct get_case get_rows[] = {
    {"number", LIST("SCORING_WORKERS=5"), "SCORING_WORKERS", NULL, "5"},
    {"number by default", NONE, "SCORING_RATE_LIMIT", NULL, "0"},
    {"number by another default", NONE, "SCORING_RATE_LIMIT", "7", "7"},
    {"number that is the default", LIST("SCORING_RATE_LIMIT=0"),
     "SCORING_RATE_LIMIT", "7", "0"},
    {"text, not escaped", LIST("SCORING_LOG_FILE=a\n\"\\ "), "SCORING_LOG_FILE",
     NULL, "a\n\"\\ "},
    {"nothing by default", NONE, "METRICS_PORT", NULL, ""},
    {"nothing by another default", NONE, "METRICS_PORT", "x", "x"},
    {"empty is not given", LIST("METRICS_PORT="), "METRICS_PORT", "x", "x"},
    {"url is not given", NONE, "REDIS_URL", "", ""},
    {"empty url", LIST("REDIS_URL="), "REDIS_URL", "", ""},
    {"url without its password", LIST("REDIS_URL=redis://:pw@h"), "REDIS_URL",
     "", "redis://h:6379/0"},
    {"password", LIST("REDIS_PASSWORD=p\"w\\$"), "REDIS_PASSWORD", NULL,
     "p\"w\\$"},
    {"salts", LIST("SCORING_SALT=a,b"), "SCORING_SALT", NULL, "a\nb"},
    {"cache secret", LIST("SCORING_CACHE_SECRET=x"), "SCORING_CACHE_SECRET",
     NULL, "x"},
    {"zone", LIST("TZ="), "TZ", NULL, "UTC"},
    {"no zone", NONE, "TZ", NULL, ""},
};

TEST_CASES(get, struct get_case, get_rows)
{
    struct buf errors = {0}, got = {0};
    const struct config_setting *setting =
        config_setting_find(bytes_of(c->setting));
    struct config *config = load(c->env, NULL, &errors);

    CU_ASSERT_PTR_NOT_NULL_FATAL(setting);
    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    config_get(config, setting, c->otherwise, &got);
    text_check(buf_bytes(&got), c->want);
    config_free(config);
    buf_free(&errors);
    buf_free(&got);
}

/* Notes about settings that are valid, but perhaps not intended. */
struct note_case {
    const char *name;
    char *env[ENV_MAX];
    const char *file;
    const char *want;
};

#define HIDDEN                                                                 \
    "docker compose takes this comment for a part of the value: put the "      \
    "value into quotes\n"

static const struct note_case note_rows[] = {
    {"none", NONE, "SCORING_SALT=a # c\n", ""},
    {"two salts", LIST("SCORING_SALT=a,b"), NULL,
     "SCORING_SALT: a list of 2 salts\n"},
    {"comma in quotes", NONE, "SCORING_ADMIN_SALT='a,b,c'\n",
     "SCORING_ADMIN_SALT: a list of 3 salts\n"},
    {"comment instead of a value", NONE, "\nMETRICS_PORT= # c\n",
     "METRICS_PORT: line 2: " HIDDEN},
    {"not where the environment goes first", LIST("METRICS_PORT=1"),
     "METRICS_PORT= # c\n", ""},
    {"not of a name for compose alone", NONE, "NGINX_IMAGE= # c\n", ""},
};

TEST_CASES(note, struct note_case, note_rows)
{
    struct buf errors = {0};
    struct config *config = load(c->env, c->file, &errors);

    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    text_check(config_notes(config), c->want);
    config_free(config);
    buf_free(&errors);
}

/* Settings read while the service runs: before and after. */
struct reload_case {
    const char *name;
    const char *before, *after; /* files of settings */
    const char *want;           /* the errors; "" for none */
};

#define OWN "SCORING_SALT=a\nSCORING_ADMIN_SALT=b\n"
#define PUBLISHED(name)                                                        \
    name ": would become a published one, which is refused while the service " \
         "runs\n"

static const struct reload_case reload_rows[] = {
    {"the same", OWN, OWN, ""},
    {"empty before and after", "", "", ""},
    {"emptied", "SCORING_WORKERS=1\n", "",
     "SCORING_CONFIG_FILE: holds no setting any more\n"},
    {"nothing but comments left", "SCORING_WORKERS=1\n", "# x\n\n",
     "SCORING_CONFIG_FILE: holds no setting any more\n"},
    {"filled", "", OWN, ""},
    {"published before and after", "X=1\n", "X=2\n", ""},
    {"other salts", OWN, "SCORING_SALT=c\nSCORING_ADMIN_SALT=d\n", ""},
    {"from published to own", "X=1\n", OWN, ""},
    {"emptied, with both salts", OWN, "",
     "SCORING_CONFIG_FILE: holds no setting any more\n" PUBLISHED(
         "SCORING_SALT") PUBLISHED("SCORING_ADMIN_SALT")
         PUBLISHED("SCORING_CACHE_SECRET")},
    {"salt gone", OWN, "SCORING_ADMIN_SALT=b\n",
     PUBLISHED("SCORING_SALT") PUBLISHED("SCORING_CACHE_SECRET")},
    {"admin salt gone", OWN, "SCORING_SALT=a\n",
     PUBLISHED("SCORING_ADMIN_SALT")},
    {"published one added at the end", OWN,
     "SCORING_SALT=a,Otus\nSCORING_ADMIN_SALT=b\n", PUBLISHED("SCORING_SALT")},
    {"published one taken away", "SCORING_SALT=a,Otus\n", "SCORING_SALT=a\n",
     ""},
    {"only the published one of a list left",
     "SCORING_SALT=a,Otus\nSCORING_CACHE_SECRET=c\n",
     "SCORING_SALT=Otus\nSCORING_CACHE_SECRET=c\n", PUBLISHED("SCORING_SALT")},
    {"only the admin's published one of a list left",
     "SCORING_ADMIN_SALT=42,b\n", "X=1\n", PUBLISHED("SCORING_ADMIN_SALT")},
    {"a list with it in another order",
     "SCORING_SALT=a,Otus\nSCORING_CACHE_SECRET=c\n",
     "SCORING_SALT=Otus,a\nSCORING_CACHE_SECRET=c\n", ""},
    {"one is published, the other becomes it", "SCORING_ADMIN_SALT=b\n",
     "X=1\n", PUBLISHED("SCORING_ADMIN_SALT")},
    {"cache secret gone, the salt published", "SCORING_CACHE_SECRET=c\n",
     "X=1\n", PUBLISHED("SCORING_CACHE_SECRET")},
    {"cache secret gone, the salt own", OWN "SCORING_CACHE_SECRET=c\n", OWN,
     ""},
};

TEST_CASES(reload, struct reload_case, reload_rows)
{
    struct buf errors = {0};
    struct config *before =
        load((char *const[ENV_MAX]){NULL}, c->before, &errors);
    struct config *after =
        load((char *const[ENV_MAX]){NULL}, c->after, &errors);

    CU_ASSERT_TRUE_FATAL(before != NULL && after != NULL);
    CU_ASSERT_EQUAL(config_may_replace(before, after, &errors),
                    *c->want == '\0');
    text_check(buf_bytes(&errors), c->want);
    config_free(before);
    config_free(after);
    buf_free(&errors);
}

static const struct reload_case restart_rows[] = {
    {"the same", "SCORING_RATE_LIMIT=1\n", "SCORING_RATE_LIMIT=01\n", ""},
    {"nothing of nginx", OWN, "SCORING_WORKERS=3\nTZ=UTC\n", ""},
    {"rate", "", "SCORING_RATE_LIMIT=1\n", "SCORING_RATE_LIMIT"},
    {"open requests", "", "SCORING_MAX_CONNECTIONS=1\n",
     "SCORING_MAX_CONNECTIONS"},
    {"all of make run, and the size", "HTTP_PORT=1\n",
     "METRICS_PORT=2\nRUN_DIR=x\nSCORING_MAX_BODY_BYTES=1\n",
     "SCORING_MAX_BODY_BYTES, HTTP_PORT, METRICS_PORT, RUN_DIR"},
    {"a difference far behind", "TLS_KEY=" X256 "1\n", "TLS_KEY=" X256 "2\n",
     "TLS_KEY"},
    {"all of HTTPS and proxies", "",
     "HTTP_ADDRESS=::1\nHTTPS_PORT=1\nTLS_CERTIFICATE=a\nTLS_KEY=b\n"
     "TLS_HSTS_S=1\nTRUSTED_PROXIES=::1\n",
     "HTTP_ADDRESS, HTTPS_PORT, TLS_CERTIFICATE, TLS_KEY, TLS_HSTS_S, "
     "TRUSTED_PROXIES"},
};

TEST_CASES(restart, struct reload_case, restart_rows)
{
    struct buf errors = {0}, got = {0};
    struct config *before =
        load((char *const[ENV_MAX]){NULL}, c->before, &errors);
    struct config *after =
        load((char *const[ENV_MAX]){NULL}, c->after, &errors);

    CU_ASSERT_TRUE_FATAL(before != NULL && after != NULL);
    config_list_restart(before, after, &got);
    text_check(buf_bytes(&got), c->want);
    config_free(before);
    config_free(after);
    buf_free(&errors);
    buf_free(&got);
}

/* The time zone of this process, from the environment or from none. */
struct use_case {
    const char *name;
    char *env[ENV_MAX];
    const char *before, *want; /* of TZ; NULL: unset */
};

static const struct use_case use_rows[] = {
    {"given", LIST("TZ=CET-1"), NULL, "CET-1"},
    {"another one", LIST("TZ=CET-1"), "EET-2", "CET-1"},
    {"the same", LIST("TZ=CET-1"), "CET-1", "CET-1"},
    {"not given any more", NONE, "EET-2", NULL},
};

TEST_CASES(use, struct use_case, use_rows)
{
    const char *zone = getenv("TZ");
    char *kept = zone != NULL ? strdup(zone) : NULL;
    struct buf errors = {0};
    struct config *config = load(c->env, NULL, &errors);

    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    if (c->before != NULL)
        CU_ASSERT_EQUAL(setenv("TZ", c->before, 1), 0);
    CU_ASSERT_TRUE(config_use_time_zone(config));
    zone = getenv("TZ");
    CU_ASSERT_EQUAL(zone == NULL, c->want == NULL);
    if (zone != NULL && c->want != NULL) {
        CU_ASSERT_STRING_EQUAL(zone, c->want);
        CU_ASSERT_EQUAL(timezone, -3600);
    }
    CU_ASSERT_EQUAL(kept != NULL ? setenv("TZ", kept, 1) : unsetenv("TZ"), 0);
    tzset();
    free(kept);
    config_free(config);
    buf_free(&errors);
}
