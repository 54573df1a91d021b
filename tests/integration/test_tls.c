/*
 * The store over TLS: which certificates are trusted, and that everything works
 * as without TLS, with one server, with sentinels and with a Cluster. The test
 * has its own certificate authority. Source: docs/protocol.md, S20 to S22.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "store/slots.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/cluster.h"
#include "support/expect.h"
#include "support/ports.h"
#include "support/request.h"
#include "support/stack.h"

#define MAKE_MS  30000 /* keys and certificates, on a busy machine */
#define PASSWORD STACK_PASSWORD
#define IDS      60
#define LARGE_KB 20
#define SCORE    3.0

#ifdef HAVE_HIREDIS_SSL
static const bool has_tls = true;
#else
static const bool has_tls = false;
#endif

static bool
is_skipped(void)
{
    if (!has_tls)
        cases_skip("the hiredis of this system has no TLS");
    return !has_tls;
}

/*
 * Certificates NAME.pem: good ones have the address and the name of the
 * loopback, `other` another name; `late` has expired; nobody believes the
 * authority of `strange`.
 */
static const char make_certificates[] =
    "set -e; umask 077\n"
    "key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n"
    "authority() {\n"
    "  openssl req -x509 $key -keyout $1.key -out $1.pem -subj /CN=$1 -days 2\n"
    "}\n"
    "server() {\n" /* NAME AUTHORITY NAMES OPTIONS */
    "  openssl req $key -keyout $1.key -out $1.csr -subj /CN=$1\n"
    "  echo subjectAltName=$3 >$1.ext\n"
    "  openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key \\\n"
    "    -CAcreateserial -out $1.pem -extfile $1.ext $4\n"
    "}\n"
    "authority ca; authority stranger\n"
    "server good ca IP:127.0.0.1,DNS:localhost\n"
    "server other ca DNS:elsewhere.example\n"
    "server strange stranger IP:127.0.0.1,DNS:localhost\n"
    "late='-not_before 20200101000000Z -not_after 20200102000000Z'\n"
    "openssl x509 -help 2>&1 | grep -q not_after || late='-days -1'\n"
    "server late ca IP:127.0.0.1,DNS:localhost \"$late\"\n";

enum server { GOOD, OTHER, LATE, STRANGE, PLAIN, SERVER__MAX };

static const char *const certificates[SERVER__MAX] = {
    [GOOD] = "good", [OTHER] = "other", [LATE] = "late", [STRANGE] = "strange"};

static char folder[FILES_PATH_MAX], trust[FILES_PATH_MAX];
static struct redis servers[SERVER__MAX];

static bool
run_shell(const char *script, const char *output, int *ret_status)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct proc_plan plan = {
        .argv = argv, .output = output, .death_signal = SIGKILL};
    struct proc proc = {0};

    if (!proc_start(&proc, &plan) || !proc_wait(&proc, MAKE_MS))
        return false;
    *ret_status = proc_exit_status(&proc);
    return true;
}

static bool
start_server(enum server server)
{
    char path[FILES_PATH_MAX];
    struct redis *redis = &servers[server];

    files_path(path, "%s/%d", folder, (int)server);
    return mkdir(path, S_IRWXU) == 0 && redis_init(redis, path, PASSWORD) &&
           (certificates[server] == NULL ||
            redis_use_tls(redis, folder, certificates[server])) &&
           redis_start(redis) && redis_do(redis, "SET i:7 %s", "[\"books\"]");
}

static int
suite_start(void)
{
    char script[4096];
    int status = -1;

    if (!has_tls)
        return 0;
    if (!files_folder_make(folder))
        return 1;
    (void)snprintf(script, sizeof(script), "cd %s && { %s }", folder,
                   make_certificates);
    if (!run_shell(script, NULL, &status) || status != 0)
        return 1;
    for (int i = 0; i < SERVER__MAX; i++)
        if (!start_server((enum server)i))
            return 1;
    files_path(trust, "SSL_CERT_FILE=%s/ca.pem", folder);
    return 0;
}

static int
suite_end(void)
{
    bool is_good = stack_shared_end();

    for (int i = 0; i < SERVER__MAX; i++)
        redis_kill(&servers[i]);
    if (folder[0] != '\0')
        files_folder_remove(folder);
    return is_good ? 0 : 1;
}

/* Which certificates are trusted. The commands connect as the service does. */
struct trust_case {
    const char *name;
    enum server server;
    const char *scheme, *host;
    int status;
    const char *told; /* a part of what the command prints */
};

static const struct trust_case trust_rows[] = {
    {"by its address", GOOD, "rediss", "127.0.0.1", EX_OK, "[\"books\"]"},
    {"by its name", GOOD, "rediss", "localhost", EX_OK, "[\"books\"]"},
    {"without TLS", PLAIN, "redis", "127.0.0.1", EX_OK, "[\"books\"]"},
    {"a certificate for another name", OTHER, "rediss", "localhost",
     EX_UNAVAILABLE, "hostname mismatch"},
    {"a certificate without the address", OTHER, "rediss", "127.0.0.1",
     EX_UNAVAILABLE, "IP address mismatch"},
    {"a certificate that has expired", LATE, "rediss", "127.0.0.1",
     EX_UNAVAILABLE, "certificate has expired"},
    {"an authority that nobody believes", STRANGE, "rediss", "127.0.0.1",
     EX_UNAVAILABLE, "unable to get local issuer certificate"},
    {"a server without TLS", PLAIN, "rediss", "127.0.0.1", EX_UNAVAILABLE,
     "does the server speak TLS there?"},
    {"TLS where none is wanted", GOOD, "redis", "127.0.0.1", EX_UNAVAILABLE,
     " TLS"},
};

TEST_CASES(trust, struct trust_case, trust_rows)
{
    char script[1024], output[FILES_PATH_MAX];
    int status = -1;
    char *said;

    if (is_skipped())
        return;
    files_path(output, "%s/output", folder);
    CU_ASSERT_TRUE(files_write(output, ""));
    (void)snprintf(script, sizeof(script),
                   "unset SCORING_CONFIG_FILE; %s REDIS_URL=%s://:%s@%s:%d "
                   "\"$RUN_BINARY\" interests get 7",
                   trust, c->scheme, PASSWORD, c->host,
                   servers[c->server].port);
    CU_ASSERT_TRUE(run_shell(script, output, &status));
    said = files_read(output);
    CU_ASSERT_PTR_NOT_NULL_FATAL(said);
    if (status != c->status || strstr(said, c->told) == NULL)
        (void)printf("status %d, %s", status, said);
    CU_ASSERT_EQUAL(status, c->status);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, c->told));
    free(said);
}

/* The service. */

static int
ask_interests(const struct stack *stack)
{
    struct http_answer answer =
        expect_post(stack->port, request_interests("{\"client_ids\": [7]}"));
    int status = answer.status;

    if (status == 200)
        expect_response(&answer, "{\"7\": [\"books\"]}");
    http_answer_free(&answer);
    return status;
}

static void
expect_some_score(const struct stack *stack)
{
    struct http_answer answer =
        expect_post(stack->port, request_score(REQUEST_PERSON));

    expect_score(&answer, SCORE);
    http_answer_free(&answer);
}

static bool
is_served(void *stack)
{
    return ask_interests(stack) == 200;
}

static bool
is_refused(void *stack)
{
    return ask_interests(stack) == 503;
}

/* Starts the service with this REDIS_URL. */
static void
stack_use(struct stack *stack, const char *address)
{
    static char url[CLUSTER_URL_MAX + 16];
    static const char *const environment[] = {url, trust, "SCORING_WORKERS=2",
                                              NULL};
    static const struct stack_plan plan = {.store = STACK_URL_GIVEN,
                                           .environment = environment};

    (void)snprintf(url, sizeof(url), "REDIS_URL=%s", address);
    CU_ASSERT_FATAL(stack_init(stack) && stack_start(stack, &plan));
}

static void
stack_use_server(struct stack *stack, enum server server)
{
    char address[128];

    (void)snprintf(address, sizeof(address), "rediss://127.0.0.1:%d/0",
                   servers[server].port);
    stack_use(stack, address);
    CU_ASSERT_TRUE(clock_wait(is_served, stack, CLOCK_PATIENCE_MS));
}

TEST_SINGLE(cached, "a score is kept, and found again")
{
    struct stack stack;
    char *key;

    if (is_skipped())
        return;
    stack_use_server(&stack, GOOD);
    expect_some_score(&stack);
    key = redis_only_key(&servers[GOOD], "uid:*");
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    CU_ASSERT_TRUE(redis_do(&servers[GOOD], "SET %s 4.5", key));
    {
        struct http_answer answer =
            expect_post(stack.port, request_score(REQUEST_PERSON));

        expect_score(&answer, 4.5);
        http_answer_free(&answer);
    }
    CU_ASSERT_TRUE(redis_do(&servers[GOOD], "DEL %s", key));
    free(key);
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* More than one record of TLS and than one read of the socket. */
TEST_SINGLE(large, "many large values arrive whole")
{
    static char value[LARGE_KB * 1024];
    char ids[IDS * 8] = "{\"client_ids\": [100";
    struct http_answer answer;
    struct stack stack;

    if (is_skipped())
        return;
    memset(value, 'x', sizeof(value) - 1);
    memcpy(value, "[\"", 2);
    memcpy(value + sizeof(value) - 3, "\"]", 2);
    for (int id = 100; id < 100 + IDS; id++)
        CU_ASSERT_TRUE(redis_do(&servers[GOOD], "SET i:%d %s", id, value));
    for (int id = 101; id < 100 + IDS; id++)
        (void)snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), ", %d",
                       id);
    (void)snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "]}");
    stack_use_server(&stack, GOOD);
    answer = expect_post(stack.port, request_interests(ids));
    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_TRUE(answer.body_length > IDS * (sizeof(value) - 1));
    CU_ASSERT_EQUAL(stack_log_count(&stack, "the store is down"), 0);
    http_answer_free(&answer);
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* What happens to the server; scores are answered all the time. */
struct fault_case {
    const char *name;
    void (*fault)(struct redis *redis);
    void (*mend)(struct redis *redis);
};

static void
start_again(struct redis *redis)
{
    CU_ASSERT_TRUE(redis_start(redis));
    CU_ASSERT_TRUE(redis_do(redis, "SET i:7 %s", "[\"books\"]"));
}

static const struct fault_case fault_rows[] = {
    {"killed", redis_kill, start_again},
    {"frozen", redis_freeze, redis_thaw},
};

TEST_CASES(fault, struct fault_case, fault_rows)
{
    struct stack stack;

    if (is_skipped())
        return;
    stack_use_server(&stack, GOOD);
    c->fault(&servers[GOOD]);
    CU_ASSERT_TRUE(clock_wait(is_refused, &stack, CLOCK_PATIENCE_MS));
    expect_some_score(&stack);
    CU_ASSERT_EQUAL(ask_interests(&stack), 503);
    c->mend(&servers[GOOD]);
    CU_ASSERT_TRUE(clock_wait(is_served, &stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* A certificate that is no longer trusted: logged once, and counted. */
TEST_SINGLE(distrusted, "a certificate that has expired is in log and metrics")
{
    const struct http_request request = {.verb = "GET", .path = "/metrics"};
    static const char sample[] =
        "\nscoring_store_connections_total{result=\"tls\"} ";
    char address[128];
    struct http_answer answer;
    const char *value;
    struct stack stack;
    struct http *http;

    if (is_skipped())
        return;
    (void)snprintf(address, sizeof(address), "rediss://127.0.0.1:%d/0",
                   servers[LATE].port);
    stack_use(&stack, address);
    CU_ASSERT_TRUE(stack_log_wait(&stack, "certificate has expired", 1));
    CU_ASSERT_EQUAL(ask_interests(&stack), 503);
    expect_some_score(&stack);
    http = http_open(stack.metrics_port);
    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    value = strstr(answer.body, sample);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_TRUE(atof(value + sizeof(sample) - 1) > 0);
    http_answer_free(&answer);
    http_close(http);
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* Sentinels: a master, a replica and one sentinel, all of them with TLS. */

struct group {
    struct redis data[2], sentinel;
};

static void
start_group_data(struct group *group, int i)
{
    char path[FILES_PATH_MAX], lines[256];
    struct redis *redis = &group->data[i];

    files_path(path, "%s/data%d", folder, i);
    CU_ASSERT_FATAL(mkdir(path, S_IRWXU) == 0 &&
                    redis_init(redis, path, PASSWORD) &&
                    redis_use_tls(redis, folder, "good"));
    (void)snprintf(lines, sizeof(lines),
                   "repl-diskless-sync-delay 0\nmasterauth %s\n", PASSWORD);
    CU_ASSERT_FATAL(redis_configure(redis, lines));
    (void)snprintf(lines, sizeof(lines), "replicaof 127.0.0.1 %d\n",
                   group->data[0].port);
    CU_ASSERT_FATAL((i == 0 || redis_configure(redis, lines)) &&
                    redis_start(redis));
}

static void
start_group_sentinel(struct group *group)
{
    char path[FILES_PATH_MAX], config[FILES_PATH_MAX], lines[512];
    const char *const argv[] = {"redis-server", config, "--sentinel", NULL};
    const struct proc_plan plan = {.argv = argv, .death_signal = SIGKILL};
    struct redis *sentinel = &group->sentinel;

    files_path(path, "%s/sentinel", folder);
    CU_ASSERT_FATAL(mkdir(path, S_IRWXU) == 0 &&
                    redis_init(sentinel, path, "") &&
                    redis_use_tls(sentinel, folder, "good"));
    (void)snprintf(lines, sizeof(lines),
                   "sentinel monitor m 127.0.0.1 %d 1\n"
                   "sentinel down-after-milliseconds m 1000\n"
                   "sentinel auth-pass m %s\n",
                   group->data[0].port, PASSWORD);
    files_path(config, "%s/redis.conf", path);
    CU_ASSERT_FATAL(redis_configure(sentinel, lines) &&
                    proc_start(&sentinel->proc, &plan));
}

static bool
knows_replica(void *sentinel)
{
    redisReply *reply = redis_run(sentinel, "SENTINEL REPLICAS m");
    bool is_so = reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
                 reply->elements == 1;

    freeReplyObject(reply);
    return is_so;
}

/* It refuses until it has seen that the replica is well. */
static bool
fails_over(void *sentinel)
{
    return redis_do(sentinel, "SENTINEL FAILOVER m");
}

static bool
has_new_master(void *stack)
{
    CU_ASSERT_EQUAL(ask_interests(stack), 200);
    return stack_log_count(stack, "the store's master is now") > 0;
}

TEST_SINGLE(sentinel, "a planned failover costs no request")
{
    struct group group = {0};
    char address[128];
    struct stack stack;

    if (is_skipped())
        return;
    start_group_data(&group, 0);
    start_group_data(&group, 1);
    start_group_sentinel(&group);
    CU_ASSERT_TRUE(redis_do(&group.data[0], "SET i:7 %s", "[\"books\"]"));
    CU_ASSERT_TRUE(
        clock_wait(knows_replica, &group.sentinel, CLOCK_PATIENCE_MS));
    (void)snprintf(address, sizeof(address), "rediss+sentinel://127.0.0.1:%d/m",
                   group.sentinel.port);
    stack_use(&stack, address);
    CU_ASSERT_TRUE(clock_wait(is_served, &stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(clock_wait(fails_over, &group.sentinel, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(clock_wait(has_new_master, &stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(stack_log_count(&stack, "the store is down"), 0);
    CU_ASSERT_TRUE(stack_stop(&stack));
    redis_kill(&group.sentinel);
    redis_kill(&group.data[0]);
    redis_kill(&group.data[1]);
}

/* A Cluster. */

static unsigned
slot_of(int id)
{
    char key[32];

    (void)snprintf(key, sizeof(key), "i:%d", id);
    return slots_of_key(bytes_of(key));
}

static void
expect_all(const struct stack *stack)
{
    char ids[IDS * 8] = "{\"client_ids\": [1",
                   want[IDS * 16] = "{\"1\": [\"1\"]";
    struct http_answer answer;

    for (int id = 2; id <= IDS; id++) {
        (void)snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), ", %d",
                       id);
        (void)snprintf(want + strlen(want), sizeof(want) - strlen(want),
                       ", \"%d\": [\"%d\"]", id, id);
    }
    (void)snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "]}");
    (void)snprintf(want + strlen(want), sizeof(want) - strlen(want), "}");
    answer = expect_post(stack->port, request_interests(ids));
    expect_response(&answer, want);
    http_answer_free(&answer);
}

static size_t
owner_index(struct cluster *cluster, unsigned slot)
{
    return (size_t)(cluster_owner(cluster, 0, slot) - cluster->nodes);
}

TEST_SINGLE(cluster, "all masters are asked, and a slot that has moved")
{
    const struct cluster_plan servers_plan = {.password = PASSWORD,
                                              .tls = folder};
    char address[CLUSTER_URL_MAX], secure[CLUSTER_URL_MAX + 8];
    struct cluster cluster;
    struct stack stack;
    size_t from;

    if (is_skipped())
        return;
    CU_ASSERT_TRUE_FATAL(cluster_start(&cluster, &servers_plan));
    for (int id = 1; id <= IDS; id++) {
        char key[32], value[32];

        (void)snprintf(key, sizeof(key), "i:%d", id);
        (void)snprintf(value, sizeof(value), "[\"%d\"]", id);
        CU_ASSERT_TRUE(cluster_set(&cluster, slot_of(id), key, value));
    }
    cluster_url(&cluster, address);
    (void)snprintf(secure, sizeof(secure), "rediss%s",
                   address + strlen("redis"));
    stack_use(&stack, secure);
    expect_some_score(&stack);
    expect_all(&stack);
    from = owner_index(&cluster, slot_of(1));
    CU_ASSERT_TRUE(
        cluster_move_begin(&cluster, from, (from + 1) % 3, slot_of(1)));
    expect_all(&stack);
    CU_ASSERT_TRUE(
        cluster_move_keys(&cluster, from, (from + 1) % 3, slot_of(1)));
    expect_all(&stack); /* by ASK */
    CU_ASSERT_TRUE(
        cluster_move_end(&cluster, from, (from + 1) % 3, slot_of(1)));
    expect_all(&stack); /* by MOVED */
    CU_ASSERT_EQUAL(stack_log_count(&stack, " [WE] .*store"), 0);
    CU_ASSERT_TRUE(stack_stop(&stack));
    cluster_stop(&cluster);
}

TEST_SUITE(.start = suite_start, .end = suite_end, .room = CASES_CALM);
