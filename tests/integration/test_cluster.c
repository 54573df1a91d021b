/*
 * The service on a real Redis Cluster: three masters, each with a replica,
 * under load, with every answer checked. Source: docs/protocol.md, S22.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/slots.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/cluster.h"
#include "support/expect.h"
#include "support/load.h"
#include "support/lost.h"
#include "support/ports.h"
#include "support/request.h"
#include "support/stack.h"

#define PASSWORD STACK_PASSWORD /* the settings of the stack have it, too */
#define IDS      60             /* clients; each master has some of them */
#define ANSWER_S 1.05           /* the limit of an answer with interests */
#define SCORE_S  1.0
/* until all answers are complete, once the Cluster is healthy */
#define RETURN_MS  2000
#define NOTICED_MS 500 /* until the last 503, once a replica is promoted */
#define RUN_MS     500 /* how long the load runs before and after a fault */
#define TEXT_SIZE  8192

static struct cluster cluster;
static char url[CLUSTER_URL_MAX + 16];
static const char *const environment[] = {url, NULL};
static const struct stack_plan plan = {.store = STACK_URL_GIVEN,
                                       .environment = environment};
static char first_url[CLUSTER_URL_MAX + 16]; /* with the first server only */
static char every_request[TEXT_SIZE], every_answer[TEXT_SIZE];

static unsigned
slot_of(int id)
{
    char key[32];

    (void)snprintf(key, sizeof(key), "i:%d", id);
    return slots_of_key(bytes_of(key));
}

/* Each client has one interest, which names the client. */
static bool
fill(void)
{
    char key[32], value[64];

    for (int id = 1; id <= IDS; id++) {
        (void)snprintf(key, sizeof(key), "i:%d", id);
        (void)snprintf(value, sizeof(value), "[\"%d\"]", id);
        if (!cluster_set(&cluster, slot_of(id), key, value))
            return false;
    }
    return true;
}

static size_t
append(char *text, size_t length, const char *format, int id)
{
    return length +
           (size_t)snprintf(text + length, TEXT_SIZE - length, format, id, id);
}

/* A request for all clients, and its answer. */
static void
make_texts(void)
{
    char arguments[TEXT_SIZE];
    size_t asked = append(arguments, 0, "{\"client_ids\": [", 0), told = 0;
    char *request;

    told = append(every_answer, told, "{", 0);
    for (int id = 1; id <= IDS; id++) {
        asked = append(arguments, asked, id > 1 ? ", %d" : "%d", id);
        told = append(every_answer, told,
                      id > 1 ? ", \"%d\": [\"%d\"]" : "\"%d\": [\"%d\"]", id);
    }
    (void)append(arguments, asked, "]}", 0);
    (void)append(every_answer, told, "}", 0);
    request = request_interests(arguments);
    (void)snprintf(every_request, sizeof(every_request), "%s", request);
    free(request);
}

static int
suite_start(void)
{
    const struct cluster_plan servers = {.has_replicas = true,
                                         .password = PASSWORD,
                                         .settings =
                                             "cluster-require-full-coverage "
                                             "no\n"};
    char address[CLUSTER_URL_MAX];

    if (!cluster_start(&cluster, &servers) || !fill())
        return 1;
    cluster_url(&cluster, address);
    (void)snprintf(url, sizeof(url), "REDIS_URL=%s", address);
    (void)snprintf(first_url, sizeof(first_url),
                   "REDIS_URL=redis+cluster://127.0.0.1:%d",
                   cluster.nodes[0].port);
    make_texts();
    return 0;
}

static int
suite_end(void)
{
    bool is_good = stack_shared_end();

    cluster_stop(&cluster);
    return is_good ? 0 : 1;
}

TEST_SUITE(.start = suite_start, .end = suite_end, .limit_s = 180, .parts = 2);

/* Checks of answers, called by several threads. */

/* The body without the envelope. */
static bool
is_whole(const struct http_answer *answer)
{
    const char *response = strstr(answer->body, "{\"1\"");
    const char *want = every_answer;

    if (answer->status != 200 || response == NULL)
        return false;
    for (; *want != '\0'; want++) {
        if (*want == ' ')
            continue;
        while (*response == ' ')
            response++;
        if (*response++ != *want)
            return false;
    }
    return answer->seconds < ANSWER_S;
}

static bool
is_whole_or_none(const struct http_answer *answer)
{
    return is_whole(answer) ||
           (answer->status == 503 && answer->seconds < ANSWER_S);
}

static bool
is_scored(const struct http_answer *answer)
{
    return expect_score_of(answer) == 3.0 && answer->seconds < SCORE_S;
}

static bool
is_answered(void *arg)
{
    struct stack *stack = arg;
    struct http_answer answer = expect_post(stack->port, strdup(every_request));
    bool is_good = is_whole(&answer);

    http_answer_free(&answer);
    return is_good;
}

/* Load. */

struct crowd {
    struct load *interests, *scores;
    char *score;
};

static void
crowd_start(struct crowd *crowd, const struct stack *stack,
            load_check_fn *is_right)
{
    const struct load_plan interests = {.port = stack->port,
                                        .body = every_request,
                                        .is_right = is_right,
                                        .callers = 4,
                                        .is_kept = true};
    struct load_plan scores = interests;

    crowd->score = request_score(REQUEST_PERSON);
    scores.body = crowd->score;
    scores.is_right = is_scored;
    crowd->interests = load_start(&interests);
    crowd->scores = load_start(&scores);
    CU_ASSERT_PTR_NOT_NULL_FATAL(crowd->interests);
    CU_ASSERT_PTR_NOT_NULL_FATAL(crowd->scores);
    clock_sleep_ms(RUN_MS);
}

static void
crowd_stop(struct crowd *crowd)
{
    load_expect(load_stop(crowd->interests), "interests");
    load_expect(load_stop(crowd->scores), "scores");
    free(crowd->score);
}

/* From now on all answers are complete. */
static void
expect_calm(struct stack *stack)
{
    struct crowd crowd;

    crowd_start(&crowd, stack, is_whole);
    crowd_stop(&crowd);
}

/* Rows. */

TEST_SINGLE(reads, "of all masters are one answer")
{
    struct stack *stack = stack_shared(&plan);
    struct http_answer answer = expect_post(stack->port, strdup(every_request));

    expect_response(&answer, every_answer);
    http_answer_free(&answer);
}

TEST_SINGLE(cache, "a score is written, and found again")
{
    struct stack *stack = stack_shared(&plan);
    long long keys = 0;

    for (int i = 0; i < 20; i++) {
        struct http_answer answer =
            expect_post(stack->port, request_score(REQUEST_PERSON));

        expect_score(&answer, 3.0);
        http_answer_free(&answer);
    }
    for (size_t i = 0; i < CLUSTER_MASTERS; i++) {
        redisReply *reply = redis_run(&cluster.nodes[i], "KEYS uid:*");

        if (reply != NULL && reply->type == REDIS_REPLY_ARRAY)
            keys += (long long)reply->elements;
        freeReplyObject(reply);
    }
    CU_ASSERT_EQUAL(keys, 1);
}

TEST_SINGLE(load, "all is right when nothing happens")
{
    expect_calm(stack_shared(&plan));
}

/* The commands, in their own folder. */

struct command_case {
    const char *name, *line;
    int status;
    bool is_moving; /* the slot of client 1 is being moved */
};

#define MAKE                                                                   \
    "seq 2001 3000 | sed 's/.*/{\"client_id\": &, \"interests\": [\"&\"]}/' "  \
    ">in && "

static const struct command_case command_rows[] = {
    {"what is imported is exported again",
     MAKE
     "\"$scoring\" interests import in && "
     "\"$scoring\" interests export out && "
     "test \"$(wc -l <out)\" -eq 1060 && "
     "test \"$(sort in out | tr -d ' ' | sort | uniq -d | wc -l)\" -eq 1000",
     0, false},
    {"each client is where its slot is",
     "for id in 1 2 3 4 5 6; do \"$scoring\" interests set 300$id $id; done && "
     "for id in 1 2 3 4 5 6; do \"$scoring\" interests get 300$id; done | "
     "grep -c '\\[\"[1-6]\"\\]' | grep -qx 6 && "
     "for id in 1 2 3 4 5 6; do \"$scoring\" interests delete 300$id; done",
     0, false},
    {"one client of a slot that moves", "\"$scoring\" interests set 1 1", 75,
     true},
    {"an import of a slot that moves",
     "echo '{\"client_id\": 1, \"interests\": [\"1\"]}' >in && "
     "\"$scoring\" interests import in",
     75, true},
    {"an export of a slot that moves", "\"$scoring\" interests export none", 75,
     true},
    {"and nothing has the name of the file", "test ! -e none", 0, false},
};

static int
run_line(const char *line)
{
    const char *const binary = getenv("RUN_BINARY");
    char command[2048], output[FILES_PATH_MAX];
    const char *const argv[] = {"sh", "-c", command, NULL};
    const char *const variables[] = {"PATH=/usr/bin:/bin", url,
                                     "REDIS_PASSWORD=" PASSWORD, NULL};
    const struct proc_plan sh = {
        .argv = argv, .environment = variables, .output = output};
    struct proc proc = {0};
    char *said;

    CU_ASSERT_PTR_NOT_NULL_FATAL(binary);
    files_path(output, "%s/output", cluster.folder);
    (void)unlink(output);
    (void)snprintf(command, sizeof(command), "cd '%s' && scoring='%s' && %s",
                   cluster.folder, binary, line);
    CU_ASSERT_TRUE_FATAL(proc_start(&proc, &sh));
    if (!proc_wait(&proc, CLOCK_PATIENCE_MS))
        proc_kill(&proc);
    said = files_read(output);
    if (said != NULL && said[0] != '\0')
        (void)printf("%s\n", said);
    free(said);
    return proc_exit_status(&proc);
}

TEST_CASES(command, struct command_case, command_rows)
{
    const unsigned slot = slot_of(1);
    const size_t from =
        (size_t)(cluster_owner(&cluster, 0, slot) - cluster.nodes);
    const size_t to = (from + 1) % CLUSTER_MASTERS;

    if (c->is_moving) {
        CU_ASSERT_TRUE(cluster_move_begin(&cluster, from, to, slot));
        CU_ASSERT_TRUE(cluster_move_keys(&cluster, from, to, slot));
    }
    CU_ASSERT_EQUAL(run_line(c->line), c->status);
    if (c->is_moving) {
        CU_ASSERT_TRUE(cluster_move_end(&cluster, from, to, slot));
        CU_ASSERT_TRUE(
            clock_wait(cluster_is_well, &cluster, CLOCK_PATIENCE_MS));
    }
}

/* Moves the slot of a client to the next master; with pauses between the steps,
 * so that requests meet each state. */
static void
move_slot(int id, int pause_ms)
{
    const unsigned slot = slot_of(id);
    const struct redis *owner = cluster_owner(&cluster, 0, slot);
    const size_t from = (size_t)(owner - cluster.nodes);
    const size_t to = (from + 1) % CLUSTER_MASTERS;

    CU_ASSERT_TRUE(cluster_move_begin(&cluster, from, to, slot));
    clock_sleep_ms(pause_ms);
    CU_ASSERT_TRUE(cluster_move_keys(&cluster, from, to, slot));
    clock_sleep_ms(pause_ms);
    CU_ASSERT_TRUE(cluster_move_end(&cluster, from, to, slot));
}

TEST_SINGLE(reshard, "150 times a slot moves under load, and nothing is lost")
{
    struct stack *stack = stack_shared(&plan);
    struct crowd crowd;

    crowd_start(&crowd, stack, is_whole);
    for (int i = 0; i < 150; i++)
        move_slot(1 + i % 50, 5);
    crowd_stop(&crowd);
    CU_ASSERT_TRUE(stack_metric(stack, "scoring_store_redirections_total") > 0);
    expect_calm(stack);
}

/* How the servers announce themselves, and which user asks them. */

/* The permissions that docs/operations.md lists. */
#define USER "scoring"
#define RIGHTS                                                                 \
    "+ping +select +hello +cluster|slots +cluster|myid +asking "               \
    "(~uid:* +get +set) (~i:* +get +getrange +mget +exists +type +strlen)"

static const char *const user_environment[] = {
    url, "REDIS_USERNAME=" USER, "REDIS_PASSWORD=of-the-user", NULL};

struct named_case {
    const char *name;
    const char *begin[2], *end[2]; /* commands for each server */
    const char *shows; /* the endpoint of all rows of the map afterwards */
    struct stack_plan plan;
};

#define ENDPOINTS "CONFIG SET cluster-preferred-endpoint-type "
#define HOST_NAME "CONFIG SET cluster-announce-hostname "

static const struct named_case named_rows[] = {
    {"endpoints are not named",
     {ENDPOINTS "unknown-endpoint", NULL},
     {ENDPOINTS "ip", NULL},
     "",
     {STACK_URL_GIVEN, environment}},
    {"endpoints are host names",
     {HOST_NAME "localhost", ENDPOINTS "hostname"},
     {ENDPOINTS "ip", HOST_NAME "%s"},
     "localhost",
     {STACK_URL_GIVEN, environment}},
    {"a user has no rights but the documented ones",
     {"ACL SETUSER " USER " on >of-the-user " RIGHTS, NULL},
     {"ACL DELUSER " USER, NULL},
     "127.0.0.1",
     {STACK_URL_GIVEN, user_environment}},
};

/* Whether all rows of the map of one server have this endpoint. */
static bool
shows(const struct redis *node, const char *endpoint)
{
    redisReply *reply = redis_run(node, "CLUSTER SLOTS");
    bool is_so = reply != NULL && reply->type == REDIS_REPLY_ARRAY;

    for (size_t i = 0; is_so && i < reply->elements; i++) {
        const redisReply *host = reply->element[i]->element[2]->element[0];

        is_so = host->type == REDIS_REPLY_STRING
                    ? strcmp(host->str, endpoint) == 0
                    : endpoint[0] == '\0';
    }
    freeReplyObject(reply);
    return is_so;
}

/* It takes a moment until all servers know a name. */
static bool
all_show(void *arg)
{
    for (size_t i = 0; i < cluster.count; i++)
        if (!shows(&cluster.nodes[i], arg))
            return false;
    return true;
}

static void
tell_all(const char *const commands[2])
{
    for (size_t i = 0; i < cluster.count; i++)
        for (size_t j = 0; j < 2 && commands[j] != NULL; j++)
            CU_ASSERT_TRUE(redis_do(&cluster.nodes[i], commands[j], ""));
}

TEST_CASES(named, struct named_case, named_rows)
{
    char *endpoint = strdup(c->shows);
    struct stack *stack;
    struct crowd crowd;

    CU_ASSERT_PTR_NOT_NULL_FATAL(endpoint);
    tell_all(c->begin);
    CU_ASSERT_TRUE(clock_wait(all_show, endpoint, CLOCK_PATIENCE_MS));
    free(endpoint);
    stack = stack_shared(&c->plan);
    CU_ASSERT_TRUE(clock_wait(is_answered, stack, CLOCK_PATIENCE_MS));
    crowd_start(&crowd, stack, is_whole);
    for (int id = 1; id <= 10; id++)
        move_slot(id, 10);
    crowd_stop(&crowd);
    expect_calm(stack);
    (void)stack_shared_end();
    tell_all(c->end);
}

/* A planned failover: a replica takes over while all is well. */
static bool
has_master_role(void *arg)
{
    redisReply *reply = redis_run(arg, "ROLE");
    bool is_master = reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
                     reply->elements > 0 &&
                     strcmp(reply->element[0]->str, "master") == 0;

    freeReplyObject(reply);
    return is_master;
}

/*
 * The masters vote once in four seconds for one shard, and a refused failover
 * is given up after five.
 */
#define FAILOVER_AGAIN_MS 6000

static int64_t failover_asked_ms;

static bool
is_failed_over(void *arg)
{
    if (has_master_role(arg))
        return true;
    if (clock_ms() - failover_asked_ms > FAILOVER_AGAIN_MS) {
        failover_asked_ms = clock_ms();
        CU_ASSERT_TRUE(redis_do(arg, "CLUSTER FAILOVER"));
    }
    return false;
}

static void
fail_over_to(struct redis *node)
{
    CU_ASSERT_TRUE(clock_wait(cluster_is_well, &cluster, CLOCK_PATIENCE_MS));
    failover_asked_ms = 0;
    CU_ASSERT_TRUE(clock_wait(is_failed_over, node, CLOCK_PATIENCE_MS));
}

TEST_SINGLE(failover, "that is planned costs no request")
{
    struct stack *stack = stack_shared(&plan);
    struct redis *replica = &cluster.nodes[CLUSTER_MASTERS];
    struct crowd crowd;

    CU_ASSERT_TRUE(clock_wait(cluster_is_well, &cluster, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(clock_wait(is_answered, stack, CLOCK_PATIENCE_MS));
    crowd_start(&crowd, stack, is_whole);
    fail_over_to(replica);
    clock_sleep_ms(RUN_MS);
    crowd_stop(&crowd);
    fail_over_to(&cluster.nodes[0]);
    CU_ASSERT_TRUE(clock_wait(is_answered, stack, CLOCK_PATIENCE_MS));
    expect_calm(stack);
}

/* A master is killed, and its replica is promoted. */

struct harm_case {
    const char *name;
    void (*begin)(struct redis *node);
};

static void
kill_node(struct redis *node)
{
    redis_kill(node);
}

/* A server of another Cluster, at the address of one that has ended. */
static struct redis alien;

static bool
start_alien(const struct redis *node)
{
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
    FILE *file;
    bool is_good;

    files_path(folder, "%s/alien", cluster.folder);
    files_path(path, "%s/redis.conf", folder);
    if (mkdir(folder, S_IRWXU) != 0 || !redis_init(&alien, folder, PASSWORD))
        return false;
    file = fopen(path, "a");
    if (file == NULL)
        return false;
    is_good = fprintf(file, "port %d\ncluster-enabled yes\ncluster-port %d\n",
                      node->port, ports_free()) > 0;
    return fclose(file) == 0 && is_good && redis_start(&alien) &&
           redis_do(&alien, "CLUSTER ADDSLOTSRANGE 0 16383");
}

static void
replace_node(struct redis *node)
{
    redis_kill(node);
    CU_ASSERT_TRUE(start_alien(node));
}

static const struct harm_case harm_rows[] = {
    {"a master is killed", kill_node},
    {"a master is frozen", redis_freeze},
    {"another cluster gets a master's address", replace_node},
};

static void
bring_back(struct redis *node)
{
    redis_kill(&alien);
    redis_kill(node);
    CU_ASSERT_TRUE(redis_start(node));
    CU_ASSERT_TRUE(clock_wait(cluster_is_well, &cluster, CLOCK_PATIENCE_MS));
}

struct promotion {
    size_t witness; /* a node that keeps running */
    const struct redis *before;
};

static bool
is_promoted(void *arg)
{
    const struct promotion *promotion = arg;
    const struct redis *owner =
        cluster_owner(&cluster, promotion->witness, slot_of(1));

    return owner != NULL && owner != promotion->before;
}

#define NOT_ASKED "\nscoring_store_server_breaker_open{"

/* One worker answers for all: another may still wait for a server. */
static bool
is_recovered(void *arg)
{
    struct stack *stack = arg;
    char *metrics = is_answered(stack) ? stack_metrics(stack) : NULL;
    bool is_good = metrics != NULL;

    for (char *at = metrics; is_good && (at = strstr(at, NOT_ASKED)) != NULL;) {
        at = strstr(at, "} ");
        is_good = at != NULL && strtod(at + strlen("} "), NULL) == 0;
    }
    free(metrics);
    return is_good;
}

/* How long it takes until all workers answer, without the time of lost.h. */
static int64_t
wait_for_whole(struct stack *stack)
{
    const int64_t begin_ms = clock_ms();
    struct lost lost;

    lost_look(&lost);
    CU_ASSERT_TRUE(clock_wait(is_recovered, stack, CLOCK_PATIENCE_MS));
    return clock_ms() - begin_ms - lost_since_us(&lost) / 1000;
}

TEST_CASES(harm, struct harm_case, harm_rows)
{
    struct stack *stack = stack_shared(&plan);
    struct redis *node = cluster_owner(&cluster, 1, slot_of(1));
    struct promotion promotion = {.before = node};
    char down[128], over[128];
    size_t downs, overs;
    struct crowd crowd;
    int64_t took_ms;

    CU_ASSERT_PTR_NOT_NULL_FATAL(node);
    (void)snprintf(down, sizeof(down),
                   "\\] E .*is down: 127.0.0.1:%d: ", node->port);
    (void)snprintf(over, sizeof(over), "\\] I .*is down: 127.0.0.1:%d: over",
                   node->port);
    promotion.witness =
        ((size_t)(node - cluster.nodes) + 1) % CLUSTER_NODES_MAX;
    downs = stack_log_count(stack, down);
    overs = stack_log_count(stack, over);
    crowd_start(&crowd, stack, is_whole_or_none);
    c->begin(node);
    CU_ASSERT_TRUE(clock_wait(is_promoted, &promotion, CLOCK_PATIENCE_MS));
    took_ms = wait_for_whole(stack);
    CU_ASSERT_TRUE(took_ms <= NOTICED_MS);
    if (took_ms > NOTICED_MS)
        (void)printf("whole %lld ms after the promotion\n", (long long)took_ms);
    crowd_stop(&crowd);
    expect_calm(stack);
    bring_back(node);
    expect_calm(stack);
    CU_ASSERT_TRUE(stack_log_wait(stack, over, overs + 1));
    CU_ASSERT_EQUAL(stack_log_count(stack, down), downs + 1);
    CU_ASSERT_EQUAL(stack_log_count(stack, over), overs + 1);
}

/* A master and its replica are down: only requests for their clients fail. */

static const struct redis *lost_master;

static bool
is_lost(int id)
{
    return cluster_owner(&cluster, 1, slot_of(id)) == lost_master;
}

static struct http_answer
ask_one(const struct stack *stack, int id)
{
    char arguments[64];

    (void)snprintf(arguments, sizeof(arguments), "{\"client_ids\": [%d]}", id);
    return expect_post(stack->port, request_interests(arguments));
}

static bool
is_gone(void *arg)
{
    int id = 1;
    struct http_answer answer;
    bool is_good;

    while (!is_lost(id))
        id++;
    answer = ask_one(arg, id);
    is_good = answer.status == 503;
    http_answer_free(&answer);
    return is_good;
}

/* A shard without a server keeps its slots in the map. */
TEST_SINGLE(shard, "without a server harms its own clients only")
{
    struct stack *stack = stack_shared(&plan);
    struct redis *master = cluster_owner(&cluster, 1, slot_of(2));
    struct redis *replica = cluster_replica(&cluster, master);
    bool lost[IDS + 1] = {false};

    CU_ASSERT_PTR_NOT_NULL_FATAL(replica);
    lost_master = master;
    for (int id = 1; id <= IDS; id++)
        lost[id] = is_lost(id);
    redis_kill(replica);
    redis_kill(master);
    CU_ASSERT_TRUE(clock_wait(is_gone, stack, CLOCK_PATIENCE_MS));
    for (int id = 1; id <= IDS; id++) {
        struct http_answer answer = ask_one(stack, id);

        CU_ASSERT_EQUAL(answer.status, lost[id] ? 503 : 200);
        CU_ASSERT_TRUE(answer.seconds < ANSWER_S);
        http_answer_free(&answer);
    }
    CU_ASSERT_TRUE(redis_start(master));
    CU_ASSERT_TRUE(redis_start(replica));
    CU_ASSERT_TRUE(clock_wait(cluster_is_well, &cluster, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(fill());
    CU_ASSERT_TRUE(clock_wait(is_answered, stack, CLOCK_PATIENCE_MS));
    expect_calm(stack);
}

/* After these rows the roles of the servers have changed. */

TEST_SINGLE(late, "the service starts first, and the Cluster after it")
{
    static const struct stack_plan late_plan = {.store = STACK_URL_GIVEN,
                                                .environment = environment};
    struct http_answer answer;
    struct stack *stack;

    for (size_t i = 0; i < cluster.count; i++)
        redis_kill(&cluster.nodes[i]);
    stack = stack_shared(&late_plan);
    answer = ask_one(stack, 1);
    CU_ASSERT_EQUAL(answer.status, 503);
    http_answer_free(&answer);
    for (size_t i = 0; i < cluster.count; i++)
        CU_ASSERT_TRUE(redis_start(&cluster.nodes[i]));
    CU_ASSERT_TRUE(clock_wait(cluster_is_well, &cluster, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(fill());
    CU_ASSERT_TRUE(wait_for_whole(stack) <= RETURN_MS);
    expect_calm(stack);
}

/* Any running master that has a replica. */
static void
fail_over_any(void)
{
    struct redis *replica = NULL;

    for (int id = 1; id <= IDS && replica == NULL; id++) {
        const struct redis *owner = cluster_owner(&cluster, 1, slot_of(id));

        if (owner != NULL)
            replica = cluster_replica(&cluster, owner);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(replica);
    failover_asked_ms = 0;
    CU_ASSERT_TRUE(clock_wait(is_failed_over, replica, CLOCK_PATIENCE_MS));
}

/*
 * The service must use the addresses that it has learned, and notice their
 * changes.
 */
TEST_SINGLE(replaced, "the address of the URL is gone, and others move on")
{
    static const char *const first_environment[] = {first_url, NULL};
    static const struct stack_plan first_plan = {
        .store = STACK_URL_GIVEN, .environment = first_environment};
    struct stack *stack = stack_shared(&first_plan);
    struct redis *first = &cluster.nodes[0];
    struct crowd crowd;

    CU_ASSERT_TRUE(clock_wait(is_answered, stack, CLOCK_PATIENCE_MS));
    crowd_start(&crowd, stack, is_whole);
    if (has_master_role(first)) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(cluster_replica(&cluster, first));
        fail_over_to(cluster_replica(&cluster, first));
    }
    redis_kill(first);
    fail_over_any();
    clock_sleep_ms(RUN_MS);
    crowd_stop(&crowd);
    CU_ASSERT_TRUE(clock_wait(is_answered, stack, CLOCK_PATIENCE_MS));
    expect_calm(stack);
    CU_ASSERT_TRUE(redis_start(first));
    CU_ASSERT_TRUE(clock_wait(cluster_is_well, &cluster, CLOCK_PATIENCE_MS));
}
