/*
 * The settings: a file of lines, the URL of a Redis, or the environment. The
 * first byte chooses. A file ends at the next NUL; after it comes the file of a
 * secret. NULs separate the variables of an environment.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/config.h"
#include "fuzz.h"
#include "redis/url.h"

#define VARIABLES_MAX 16
#define PATH_SIZE     64
#define HOST_MAX      253
#define PORT_MAX      65535
/* the most that the kernel accepts, without its NUL */
#define UNIX_PATH_LENGTH_MAX 107

/* A memory file, and its path. */
struct file {
    int fd;
    char setting[PATH_SIZE]; /* NAME=path */
};

static void
file_fill(struct file *file, const char *name, struct bytes content)
{
    if (file->fd == 0)
        file->fd = memfd_create("settings", MFD_CLOEXEC);
    FUZZ_CHECK(file->fd > 0 && ftruncate(file->fd, 0) == 0);
    FUZZ_CHECK(pwrite(file->fd, content.at, content.length, 0) ==
               (ssize_t)content.length);
    (void)snprintf(file->setting, sizeof(file->setting), "%s=/proc/self/fd/%d",
                   name, file->fd);
}

static void
check_salts(const struct auth_salts *salts)
{
    FUZZ_CHECK(salts->count > 0);
    for (size_t i = 0; i < salts->count; i++)
        FUZZ_CHECK(salts->item[i].length > 0);
}

static void
check_redis(const struct redis_url *redis)
{
    FUZZ_CHECK((redis->host == NULL) != (redis->unix_path == NULL));
    FUZZ_CHECK(redis->host == NULL || strlen(redis->host) <= HOST_MAX);
    FUZZ_CHECK(redis->host == NULL ||
               (redis->port >= 1 && redis->port <= PORT_MAX));
    FUZZ_CHECK(redis->unix_path == NULL ||
               strlen(redis->unix_path) <= UNIX_PATH_LENGTH_MAX);
    FUZZ_CHECK(redis->database >= 0);
}

static void
check_config(const struct config *config)
{
    struct buf printed = {0};

    check_redis(&config->redis);
    check_salts(&config->secrets.salts);
    check_salts(&config->secrets.admin_salts);
    FUZZ_CHECK(config->workers >= 1 && config->store_attempts >= 1);
    FUZZ_CHECK(config->store_timeout_ms >= 1 && config->cache_ttl_s >= 1);
    config_print(config, &printed);
    FUZZ_CHECK(printed.length > 0 && printed.data[printed.length - 1] == '\n');
    buf_free(&printed);
}

/* There are settings, or at least one whole line with the reason. */
static void
load(char *const environment[])
{
    struct buf errors = {0};
    struct config *config =
        config_load(environment, CONFIG_OF_SERVICE, &errors);

    FUZZ_CHECK((config != NULL) == (errors.length == 0));
    if (config != NULL)
        check_config(config);
    else
        FUZZ_CHECK(errors.data[errors.length - 1] == '\n');
    config_free(config);
    buf_free(&errors);
}

static void
try_file(struct fuzz_input *input)
{
    static struct file settings, salt;
    char *environment[] = {settings.setting, NULL, NULL};

    file_fill(&settings, "SCORING_CONFIG_FILE", fuzz_part(input));
    if (input->left > 0) {
        file_fill(&salt, "SCORING_SALT_FILE",
                  (struct bytes){(const char *)input->at, input->left});
        environment[1] = salt.setting;
    }
    load(environment);
}

static void
try_environment(struct fuzz_input *input)
{
    char *environment[VARIABLES_MAX + 1] = {NULL};
    size_t count = 0;

    while (input->left > 0 && count < VARIABLES_MAX)
        environment[count++] = fuzz_text(input);
    load(environment);
    while (count > 0)
        free(environment[--count]);
}

static bool
texts_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The printed URL has the same address, without the credentials. */
static void
check_printed(const struct redis_url *redis)
{
    struct redis_url again;
    struct buf out = {0};

    redis_url_print(redis, &out);
    buf_add(&out, "", 1);
    FUZZ_CHECK(redis_url_parse(out.data, &again) == REDIS_URL_OK);
    FUZZ_CHECK(again.username == NULL && again.password == NULL);
    FUZZ_CHECK(texts_equal(again.host, redis->host));
    FUZZ_CHECK(texts_equal(again.unix_path, redis->unix_path));
    FUZZ_CHECK(again.port == redis->port && again.tls == redis->tls);
    FUZZ_CHECK(again.database == redis->database);
    buf_free(&out);
}

static void
try_url(struct fuzz_input *input)
{
    char *url = fuzz_text(input);
    struct redis_url redis;

    if (redis_url_parse(url, &redis) == REDIS_URL_OK) {
        check_redis(&redis);
        check_printed(&redis);
    }
    free(url);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct fuzz_input *) = {try_file, try_url,
                                                         try_environment};
    struct fuzz_input input = {data, size};

    tries[fuzz_byte(&input) % (sizeof(tries) / sizeof(tries[0]))](&input);
    return 0;
}
