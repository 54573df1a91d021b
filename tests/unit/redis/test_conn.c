/*
 * One connection to a scripted server on the same loop: the handshake, the
 * command that each reply is given to, and how a connection ends: the reason,
 * and the command to blame.
 */
#include <errno.h>
#include <ev.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "redis/conn.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/steps.h"

#define LIMIT_MS     100  /* of an answer */
#define REPLY_MAX    8000 /* bytes of one */
#define COMMANDS_MAX 4
#define ALIVE_BYTES  16384 /* as in conn.c */

#define EXISTS    "*2\r\n$6\r\nEXISTS\r\n$1\r\np\r\n"
#define PROBE     STEPS_HELLO EXISTS
#define MASTER    STEPS_MASTER
#define AUTH_PW   "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n"
#define AUTH_USER "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n"
#define SELECT_7  "*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n"

#define PING         "*1\r\n$4\r\nPING\r\n"
#define DROPPED      "the connection broke: Server closed the connection"
#define WRONG_KIND   "an answer of the wrong kind"
#define NO_ANSWER    "no answer within 100 ms"
#define NOPERM       "-NOPERM this user has no permissions\r\n"
#define NOPERM_TEXT  "the user lacks a permission (NOPERM)"
#define LOADING      "-LOADING Redis is loading\r\n"
#define LOADING_TEXT "the server is loading its data (LOADING)"

#define PASSED_MS     5  /* of each step of a stopped clock */
#define SETTLED_TURNS 16 /* more than an answer takes from side to side */

#define HELLO(mode, role) "*4\r\n+mode\r\n+" mode "\r\n+role\r\n+" role "\r\n"
#define UNKNOWN(command)  "-ERR unknown command '" command "', with args\r\n"
#define A_SENTINEL                                                             \
    "the server is a sentinel: REDIS_URL must be "                             \
    "redis+sentinel://host:port/MASTER"

struct rig {
    struct ev_loop *loop;
    struct steps server;
    struct redis_url url;
    struct redis_conn *conn;
    ev_timer feeding;
    int ups, downs;
    enum redis_fault fault;
    char words[400];

    /*
     * A letter for each reply: its type, '-' for none, '!' for none and blamed.
     */
    char told[COMMANDS_MAX + 1];
    size_t told_count, sent;
    char unfit;          /* the letter whose reply is refused as unfit */
    const char *node_id; /* of a node of a Cluster; NULL: no Cluster */
    bool wants_sentinel;

    /* Sent after the answer to the second step, every 50 ms: this text, or so
     * many bytes. */
    const char *food;
    size_t piece;
};

static void
on_up(void *arg)
{
    ((struct rig *)arg)->ups++;
}

static void
on_down(void *arg, enum redis_fault fault, const char *words)
{
    struct rig *rig = arg;

    rig->downs++;
    rig->fault = fault;
    (void)snprintf(rig->words, sizeof(rig->words), "%s", words);
}

static bool
on_reply(void *arg, const struct redis_command *command, redisReply **reply)
{
    static const char letters[] = {
        [REDIS_REPLY_STRING] = 's',  [REDIS_REPLY_ARRAY] = 'a',
        [REDIS_REPLY_INTEGER] = 'i', [REDIS_REPLY_NIL] = 'n',
        [REDIS_REPLY_STATUS] = 'o',  [REDIS_REPLY_ERROR] = 'e'};
    struct rig *rig = arg;
    char letter = command->is_blamed ? '!' : '-';

    if (*reply != NULL)
        letter = letters[(*reply)->type];
    CU_ASSERT_FATAL(rig->told_count < COMMANDS_MAX);
    CU_ASSERT_EQUAL(command->first, rig->told_count); /* in order */
    rig->told[rig->told_count++] = letter;
    return letter != rig->unfit;
}

static void
on_feeding(struct ev_loop *loop, ev_timer *timer, int events)
{
    static const char zeros[ALIVE_BYTES];
    struct rig *rig = timer->data;
    const int fd = steps_client(&rig->server);

    (void)loop;
    (void)events;
    if (rig->server.done < 2 || fd < 0)
        return;
    if (rig->food != NULL)
        (void)send(fd, rig->food, strlen(rig->food), MSG_NOSIGNAL);
    else
        (void)send(fd, zeros, rig->piece, MSG_NOSIGNAL);
}

static void
rig_start(struct rig *rig, const struct step *steps)
{
    calls_stop_clock();
    *rig = (struct rig){.loop = ev_loop_new(EVFLAG_AUTO)};
    steps_init(&rig->server, rig->loop, steps);
    rig->url.unix_path = rig->server.path;
    ev_timer_init(&rig->feeding, on_feeding, 0., .05);
    rig->feeding.data = rig;
}

static void
rig_open(struct rig *rig)
{
    const struct redis_conn_config config = {
        .server = &rig->url,
        .probe_key =
            bytes_of(rig->node_id != NULL || rig->wants_sentinel ? "" : "p"),
        .wants_sentinel = rig->wants_sentinel,
        .wants_cluster = rig->node_id != NULL,
        .node_id = rig->node_id,
        .connect_limit_ms = CLOCK_PATIENCE_MS,
        .answer_limit_ms = LIMIT_MS,
        .reply_bytes_max = rig->piece > 0 ? SIZE_MAX : REPLY_MAX,
        .up = on_up,
        .down = on_down,
        .arg = rig,
    };

    steps_listen(&rig->server);
    rig->conn = redis_conn_new(rig->loop, &config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig->conn);
    redis_conn_open(rig->conn);
}

static void
rig_end(struct rig *rig)
{
    redis_conn_free(rig->conn);
    CU_ASSERT_EQUAL(rig->told_count, rig->sent); /* each once */
    steps_end(&rig->server);
    ev_loop_destroy(rig->loop);
    calls_let_clock_go();
}

/*
 * The clock is stopped, so a busy machine takes none of the time of an answer.
 * Advances it step by step, and lets both sides handle what there is before
 * each step.
 */
static bool
run_within(struct rig *rig, const int *number, int wanted, int64_t limit_ms)
{
    const int64_t end_ms = clock_ms() + limit_ms;

    for (;;) {
        for (int i = 0; i < SETTLED_TURNS; i++)
            (void)ev_run(rig->loop, EVRUN_NOWAIT);
        if (*number >= wanted || clock_ms() >= end_ms)
            return *number >= wanted;
        calls_pass_ms(PASSED_MS);
    }
}

static bool
run_until(struct rig *rig, const int *number, int wanted)
{
    return run_within(rig, number, wanted, CLOCK_PATIENCE_MS);
}

static void
run_for(struct rig *rig, int64_t limit_ms)
{
    (void)run_within(rig, &rig->downs, INT_MAX, limit_ms);
}

/* So many PINGs in one go. */
static void
ping(struct rig *rig, size_t count)
{
    struct redis_commands *commands = redis_conn_commands(rig->conn);

    CU_ASSERT_FATAL(
        redis_commands_reserve(commands, count, count * REDIS_COMMAND_ROOM));
    for (size_t i = 0; i < count; i++) {
        const struct redis_command command = {
            .done = on_reply, .arg = rig, .first = rig->sent++};

        redis_commands_add(commands, &command, "PING", 0);
    }
    redis_conn_flush(rig->conn);
}

struct handshake_case {
    const char *name, *username, *password;
    int database;
    const char *want, *answer;
    const char *down; /* NULL: the connection is good */
    enum redis_fault fault;
};

static const struct handshake_case handshake_rows[] = {
    {"nothing but the probe", NULL, NULL, 0, PROBE, MASTER ":0\r\n", NULL, 0},
    {"the probed key is there", NULL, NULL, 0, PROBE, MASTER ":1\r\n", NULL, 0},
    {"a password", NULL, "pw", 0, AUTH_PW PROBE, "+OK\r\n" MASTER ":0\r\n",
     NULL, 0},
    {"a user", "me", "pw", 0, AUTH_USER PROBE, "+OK\r\n" MASTER ":0\r\n", NULL,
     0},
    {"a user without a password", "me", NULL, 0, PROBE, MASTER ":0\r\n", NULL,
     0},
    {"a database", NULL, NULL, 7, STEPS_HELLO SELECT_7 EXISTS,
     MASTER "+OK\r\n:0\r\n", NULL, 0},
    {"all of it", "me", "pw", 7, AUTH_USER STEPS_HELLO SELECT_7 EXISTS,
     "+OK\r\n" MASTER "+OK\r\n:0\r\n", NULL, 0},
    {"the probe forbidden, and alive", NULL, NULL, 0, PROBE, MASTER NOPERM,
     NULL, 0},
    {"the probe refused", NULL, NULL, 0, PROBE, MASTER LOADING, LOADING_TEXT,
     REDIS_FAULT_HANDSHAKE},
    {"the probe by a status", NULL, NULL, 0, PROBE, MASTER "+OK\r\n",
     WRONG_KIND, 0},
    {"the probe by a string", NULL, NULL, 0, PROBE, MASTER "$1\r\n1\r\n",
     WRONG_KIND, 0},
    {"the password refused", NULL, "pw", 0, AUTH_PW PROBE,
     "-WRONGPASS invalid\r\n-NOAUTH\r\n",
     "the password was refused (WRONGPASS)", REDIS_FAULT_HANDSHAKE},
    {"an error instead of all", NULL, "pw", 0, AUTH_PW PROBE,
     "-ERR max number of clients reached\r\n",
     "the server has too many clients (ERR max number of clients)",
     REDIS_FAULT_HANDSHAKE},
    {"the password forbidden", NULL, "pw", 0, AUTH_PW PROBE,
     NOPERM MASTER ":0\r\n", NOPERM_TEXT, REDIS_FAULT_HANDSHAKE},
    {"the password by a number", NULL, "pw", 0, AUTH_PW PROBE, ":1\r\n:0\r\n",
     WRONG_KIND, 0},
    {"the password alone answered", NULL, "pw", 0, AUTH_PW PROBE, "+OK\r\n",
     NO_ANSWER, REDIS_FAULT_TIMEOUT},
    {"the database refused", NULL, NULL, 7, STEPS_HELLO SELECT_7 EXISTS,
     MASTER "-ERR DB index is out of range\r\n:0\r\n",
     "the database number was refused", REDIS_FAULT_HANDSHAKE},
    {"two answers to the probe", NULL, NULL, 0, PROBE, MASTER ":0\r\n:0\r\n",
     "an answer that nobody asked for", 0},
    {"an answer over the bound", NULL, NULL, 0, PROBE, "*200\r\n",
     "too large an answer", 0},
    {"closed at once", NULL, NULL, 0, PROBE, steps_hang_up, DROPPED, 0},
    {"garbage", NULL, NULL, 0, PROBE, "HTTP/1.1\r\n", "not an answer of Redis",
     0},
    {"half an answer", NULL, NULL, 0, PROBE, MASTER ":0", NO_ANSWER,
     REDIS_FAULT_TIMEOUT},
    {"a replica", NULL, NULL, 0, PROBE, HELLO("standalone", "replica") ":0\r\n",
     "the server is a replica, not the master", REDIS_FAULT_ROLE},
    {"a replica, as it is called before version 5", NULL, NULL, 0, PROBE,
     HELLO("standalone", "slave") ":0\r\n",
     "the server is a replica, not the master", REDIS_FAULT_ROLE},
    {"a replica without its master", NULL, NULL, 0, PROBE,
     HELLO("standalone", "replica") "-MASTERDOWN Link is down\r\n",
     "the server is a replica, not the master", REDIS_FAULT_ROLE},
    {"a sentinel", NULL, NULL, 0, PROBE,
     "*2\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n" UNKNOWN("EXISTS"), A_SENTINEL,
     REDIS_FAULT_ROLE},
    {"a sentinel, and a password that it has not", NULL, "pw", 0, AUTH_PW PROBE,
     "-ERR AUTH <password> called without any password configured\r\n"
     "*2\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n" UNKNOWN("EXISTS"),
     A_SENTINEL, REDIS_FAULT_ROLE},
    {"a node of a cluster", NULL, NULL, 0, PROBE,
     HELLO("cluster", "master") "-MOVED 1 a:1\r\n",
     "the server is a node of a cluster: REDIS_URL must be "
     "redis+cluster://host:port",
     REDIS_FAULT_ROLE},
    {"one that does not tell", NULL, NULL, 0, PROBE, "*0\r\n:0\r\n", NULL, 0},
    {"what it is by a number", NULL, NULL, 0, PROBE, ":1\r\n:0\r\n", WRONG_KIND,
     0},
    {"what it is refused, for want of a password", NULL, NULL, 0, PROBE,
     "-NOAUTH HELLO must\r\n-NOAUTH\r\n", "a password is needed (NOAUTH)",
     REDIS_FAULT_HANDSHAKE},
    {"silent", NULL, NULL, 0, PROBE, NULL, NO_ANSWER, REDIS_FAULT_TIMEOUT},
};

TEST_CASES(handshake, struct handshake_case, handshake_rows)
{
    const struct step steps[STEPS_MAX] = {{c->want, c->answer}};
    static struct rig rig;

    rig_start(&rig, steps);
    rig.url.username = c->username;
    rig.url.password = c->password;
    rig.url.database = c->database;
    rig_open(&rig);
    if (c->down != NULL) {
        CU_ASSERT(run_until(&rig, &rig.downs, 1));
        CU_ASSERT_EQUAL(rig.fault, c->fault);
    } else {
        CU_ASSERT(run_until(&rig, &rig.ups, 1));
        run_for(&rig,
                2 * LIMIT_MS); /* no command is pending, so none is late */
    }
    CU_ASSERT_EQUAL(rig.downs, c->down != NULL);
    CU_ASSERT_STRING_EQUAL(rig.words, c->down != NULL ? c->down : "");
    CU_ASSERT_EQUAL(rig.server.peer.count, 1);
    steps_check(&rig.server);
    rig_end(&rig);
}

/* Nodes of a Cluster (S22.6), and sentinels. */
struct special_case {
    const char *name;
    const char *node_id; /* NULL: a sentinel is wanted */
    const char *answer;
    const char *down; /* NULL: the connection is good */
    enum redis_fault fault;
};

#define MYID     "*2\r\n$7\r\nCLUSTER\r\n$4\r\nMYID\r\n"
#define NODE     HELLO("cluster", "master")
#define ID(text) "$2\r\n" text "\r\n"
#define PONG     "+PONG\r\n"
#define NO_NODE  "the server is not a node of a cluster"
#define SENTINEL "*2\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n"

static const struct special_case special_rows[] = {
    {"a node", "n1", NODE ID("n1") PONG, NULL, 0},
    {"a replica of a node", "n1", HELLO("cluster", "replica") ID("n1") PONG,
     NULL, 0},
    {"a node that may not be asked who it is", "n1", NODE NOPERM PONG, NULL, 0},
    {"a node that does not know who it is", "n1",
     NODE "-ERR Unknown subcommand\r\n" PONG, NULL, 0},
    {"a node whose mode is not told", "n1", "*0\r\n" ID("n1") PONG, NULL, 0},
    {"a node whose id is not known", "", NODE PONG, NULL, 0},
    {"another node", "n1", NODE ID("n2") PONG,
     "another node of a cluster has this address", REDIS_FAULT_ROLE},
    {"a node by a number", "n1", NODE ":1\r\n" PONG, WRONG_KIND,
     REDIS_FAULT_BROKEN},
    {"no node", "n1", MASTER "-ERR This instance has no cluster\r\n" PONG,
     NO_NODE, REDIS_FAULT_ROLE},
    {"no node, of an id that is not known", "", MASTER PONG, NO_NODE,
     REDIS_FAULT_ROLE},
    {"a sentinel", NULL, SENTINEL PONG, NULL, 0},
    {"a sentinel that does not tell", NULL, "*0\r\n" PONG, NULL, 0},
    {"no sentinel", NULL, MASTER PONG, "the server is not a sentinel",
     REDIS_FAULT_ROLE},
};

TEST_CASES(special, struct special_case, special_rows)
{
    const bool has_id = c->node_id != NULL && c->node_id[0] != '\0';
    const struct step steps[STEPS_MAX] = {
        {has_id ? STEPS_HELLO MYID PING : STEPS_HELLO PING, c->answer}};
    static struct rig rig;

    rig_start(&rig, steps);
    rig.node_id = c->node_id;
    rig.wants_sentinel = c->node_id == NULL;
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, c->down != NULL ? &rig.downs : &rig.ups, 1));
    CU_ASSERT_EQUAL(rig.ups, c->down == NULL);
    CU_ASSERT_EQUAL(rig.downs, c->down != NULL);
    CU_ASSERT_EQUAL(rig.fault, c->fault);
    CU_ASSERT_STRING_EQUAL(rig.words, c->down != NULL ? c->down : "");
    steps_check(&rig.server);
    rig_end(&rig);
}

/* Servers that do not know HELLO are asked by ROLE. */
struct role_case {
    const char *name;
    const char *probe, *answer; /* to the probe, and to ROLE */
    const char *down;
    enum redis_fault fault;
    enum redis_role role;
};

#define ROLE "*1\r\n$4\r\nROLE\r\n"

static const struct role_case role_rows[] = {
    {"a master", ":0\r\n", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", NULL, 0,
     REDIS_ROLE_MASTER},
    {"a replica", ":0\r\n", "*1\r\n$5\r\nslave\r\n",
     "the server is a replica, not the master", REDIS_FAULT_ROLE,
     REDIS_ROLE_REPLICA},
    {"a sentinel", UNKNOWN("EXISTS"), "*2\r\n$8\r\nsentinel\r\n*0\r\n",
     A_SENTINEL, REDIS_FAULT_ROLE, REDIS_ROLE_SENTINEL},
    {"forbidden", ":0\r\n", NOPERM, NULL, 0, REDIS_ROLE_UNKNOWN},
    {"unknown", ":0\r\n", UNKNOWN("ROLE"), NULL, 0, REDIS_ROLE_UNKNOWN},
    {"unknown, and a probe that is refused", LOADING, UNKNOWN("ROLE"),
     LOADING_TEXT, REDIS_FAULT_HANDSHAKE, REDIS_ROLE_UNKNOWN},
    {"nothing", ":0\r\n", NULL, NO_ANSWER, REDIS_FAULT_TIMEOUT,
     REDIS_ROLE_UNKNOWN},
};

TEST_CASES(role, struct role_case, role_rows)
{
    struct buffer first = {0};
    struct step steps[STEPS_MAX] = {{PROBE, NULL}, {ROLE, c->answer}};
    static struct rig rig;

    buffer_add_text(&first, UNKNOWN("HELLO"));
    buffer_add_text(&first, c->probe);
    steps[0].answer = buffer_text(&first);
    rig_start(&rig, steps);
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, c->down != NULL ? &rig.downs : &rig.ups, 1));
    CU_ASSERT_EQUAL(rig.fault, c->fault);
    CU_ASSERT_STRING_EQUAL(rig.words, c->down != NULL ? c->down : "");
    CU_ASSERT_EQUAL(redis_conn_role(rig.conn), c->role);
    steps_check(&rig.server);
    rig_end(&rig);
    buffer_free(&first);
}

struct role_text_case {
    const char *name;
    enum redis_role role;
    const char *want;
};

/* As /readyz reports them: S8.1. */
static const struct role_text_case role_text_rows[] = {
    {"a master", REDIS_ROLE_MASTER, "master"},
    {"a replica", REDIS_ROLE_REPLICA, "replica"},
    {"a sentinel", REDIS_ROLE_SENTINEL, "sentinel"},
    {"a node of a cluster", REDIS_ROLE_CLUSTER, "cluster"},
    {"unknown", REDIS_ROLE_UNKNOWN, NULL},
};

TEST_CASES(role_text, struct role_text_case, role_text_rows)
{
    const char *text = redis_role_text(c->role);

    CU_ASSERT_STRING_EQUAL(text != NULL ? text : "none",
                           c->want != NULL ? c->want : "none");
}

/* Servers that do not take HELLO, for whatever reason, are asked by ROLE. */
struct hello_case {
    const char *name, *answer;
};

static const struct hello_case hello_rows[] = {
    {"unknown", UNKNOWN("HELLO")},
    {"forbidden", NOPERM},
    {"another version", "-NOPROTO unsupported protocol version\r\n"},
};

TEST_CASES(hello, struct hello_case, hello_rows)
{
    struct buffer first = {0};
    struct step steps[STEPS_MAX] = {
        {PROBE, NULL}, {ROLE, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"}};
    static struct rig rig;

    buffer_add_text(&first, c->answer);
    buffer_add_text(&first, ":0\r\n");
    steps[0].answer = buffer_text(&first);
    rig_start(&rig, steps);
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, &rig.ups, 1));
    CU_ASSERT_EQUAL(redis_conn_role(rig.conn), REDIS_ROLE_MASTER);
    steps_check(&rig.server);
    rig_end(&rig);
    buffer_free(&first);
}

/* A part of it that comes does not extend the time. */
TEST_SINGLE(shaking, "a handshake has the time of one answer, as a whole")
{
    static const struct step steps[STEPS_MAX] = {{PROBE, NULL}};
    static struct rig rig;
    int64_t start_ms;

    rig_start(&rig, steps);
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, &rig.server.peer.count, 1));
    start_ms = clock_ms();
    run_for(&rig, 60);
    CU_ASSERT(send(steps_client(&rig.server), MASTER, strlen(MASTER),
                   MSG_NOSIGNAL) > 0);
    CU_ASSERT(run_until(&rig, &rig.downs, 1));
    CU_ASSERT(clock_ms() - start_ms <= LIMIT_MS + PASSED_MS);
    CU_ASSERT_STRING_EQUAL(rig.words, NO_ANSWER);
    rig_end(&rig);
}

/* Where a node is wanted: ROLE does not tell whether it is one. */
struct node_role_case {
    const char *name, *answer;
    const char *down; /* NULL: the connection is good */
};

static const struct node_role_case node_role_rows[] = {
    {"a master", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", NULL},
    {"a replica", "*1\r\n$5\r\nslave\r\n", NULL},
    {"a sentinel", "*2\r\n$8\r\nsentinel\r\n*0\r\n", NO_NODE},
};

TEST_CASES(node_role, struct node_role_case, node_role_rows)
{
    const struct step steps[STEPS_MAX] = {
        {STEPS_HELLO PING, UNKNOWN("HELLO") PONG}, {ROLE, c->answer}};
    static struct rig rig;

    rig_start(&rig, steps);
    rig.node_id = "";
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, c->down != NULL ? &rig.downs : &rig.ups, 1));
    CU_ASSERT_STRING_EQUAL(rig.words, c->down != NULL ? c->down : "");
    steps_check(&rig.server);
    rig_end(&rig);
}

struct end_case {
    const char *name;
    const char *answer; /* to three commands; NULL: none */
    char unfit;
    size_t piece; /* bytes that follow it every 50 ms */
    const char *told;
    const char *down; /* NULL: it does not end */
    enum redis_fault fault;
    int64_t took_ms; /* and one step of the clock at most */
};

static const struct end_case end_rows[] = {
    {"three answers", "+PONG\r\n:1\r\n$-1\r\n", 0, 0, "oin", NULL, 0, 0},
    {"errors are answers", "-ERR\r\n-NOPERM\r\n-LOADING\r\n", 0, 0, "eee", NULL,
     0, 0},
    {"one too many", "+A\r\n+B\r\n+C\r\n+D\r\n", 0, 0, "ooo",
     "an answer that nobody asked for", REDIS_FAULT_BROKEN, 0},
    {"one and the end", steps_hang_up, 0, 0, "---", DROPPED, REDIS_FAULT_BROKEN,
     0},
    {"one by a replica", "+A\r\n-READONLY no\r\n+C\r\n", 0, 0, "o--",
     "the server is a replica, which takes no writes (READONLY)",
     REDIS_FAULT_ROLE, 0},
    {"one by a replica without its master",
     "+A\r\n-MASTERDOWN no\r\n-MASTERDOWN no\r\n", 0, 0, "o--",
     "the server is a replica without its master (MASTERDOWN)",
     REDIS_FAULT_ROLE, 0},
    {"garbage behind one", "+A\r\nHTTP/1.1\r\n", 0, 0, "o--",
     "not an answer of Redis", REDIS_FAULT_BROKEN, 0},
    {"one of the wrong kind", "+A\r\n:1\r\n+C\r\n", 'i', 0, "oi-", WRONG_KIND,
     REDIS_FAULT_BROKEN, 0},
    {"an array of too many", "+A\r\n*513\r\n", 0, 0, "o--",
     "not an answer of Redis", REDIS_FAULT_BROKEN, 0},
    {"one over the bound", "+A\r\n*300\r\n", 0, 0, "o!-", "too large an answer",
     REDIS_FAULT_LARGE, 0},
    {"silence", NULL, 0, 0, "---", NO_ANSWER, REDIS_FAULT_TIMEOUT, LIMIT_MS},
    {"silence behind one", "+A\r\n", 0, 0, "o--", NO_ANSWER,
     REDIS_FAULT_TIMEOUT, LIMIT_MS},
    {"half of one", "+A\r\n$2\r\nx", 0, 0, "o--", NO_ANSWER,
     REDIS_FAULT_TIMEOUT, LIMIT_MS},
    {"one that drips", "+A\r\n$99999999\r\n", 0, 1, "o--", NO_ANSWER,
     REDIS_FAULT_TIMEOUT, LIMIT_MS},
    {"one that comes, but slowly", "+A\r\n$99999999\r\n", 0, ALIVE_BYTES, "o!-",
     "no whole answer within 200 ms", REDIS_FAULT_SLOW, 2 * LIMIT_MS},
};

TEST_CASES(end, struct end_case, end_rows)
{
    const struct step steps[STEPS_MAX] = {{PROBE, MASTER ":0\r\n"},
                                          {PING PING PING, c->answer}};
    static struct rig rig;
    int64_t start_ms, took_ms;

    rig_start(&rig, steps);
    rig.unfit = c->unfit;
    rig.piece = c->piece;
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, &rig.ups, 1));
    if (c->piece > 0)
        ev_timer_start(rig.loop, &rig.feeding);
    ping(&rig, 3);
    start_ms = clock_ms();
    if (c->down == NULL)
        run_for(&rig, 2 * LIMIT_MS);
    else
        CU_ASSERT(run_until(&rig, &rig.downs, 1));
    took_ms = clock_ms() - start_ms;
    CU_ASSERT(took_ms >= c->took_ms);
    CU_ASSERT(c->down == NULL || took_ms <= c->took_ms + PASSED_MS);
    CU_ASSERT_EQUAL(rig.downs, c->down != NULL);
    CU_ASSERT_STRING_EQUAL(rig.words, c->down != NULL ? c->down : "");
    CU_ASSERT_EQUAL(rig.fault, c->fault);
    CU_ASSERT_STRING_EQUAL(rig.told, c->told);
    steps_check(&rig.server);
    rig_end(&rig);
}

/* Bytes of an answer that does not end, at one or two times. */
struct alive_case {
    const char *name;
    struct {
        int64_t at_ms;
        size_t bytes;
    } pieces[2];
    int64_t took_ms; /* until it counts as silent: 100 ms after 16 KiB */
};

static const struct alive_case alive_rows[] = {
    {"16 KiB in time", {{90, ALIVE_BYTES}}, 190},
    {"a byte less", {{90, ALIVE_BYTES - 1}}, LIMIT_MS},
    {"16 KiB in two pieces",
     {{45, ALIVE_BYTES / 2}, {90, ALIVE_BYTES / 2}},
     190},
    {"16 KiB, and less behind them",
     {{40, ALIVE_BYTES}, {90, ALIVE_BYTES / 2}},
     140},
};

TEST_CASES(alive, struct alive_case, alive_rows)
{
    static const char zeros[ALIVE_BYTES];
    static const struct step steps[STEPS_MAX] = {
        {PROBE, MASTER ":0\r\n"}, {PING PING, "+A\r\n$99999999\r\n"}};
    static struct rig rig;
    int64_t start_ms, took_ms;

    rig_start(&rig, steps);
    rig.piece = 1; /* replies may be large */
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, &rig.ups, 1));
    ping(&rig, 2);
    start_ms = clock_ms();
    run_for(&rig, 0);
    for (size_t i = 0; i < 2 && c->pieces[i].bytes > 0; i++) {
        run_for(&rig, start_ms + c->pieces[i].at_ms - clock_ms());
        CU_ASSERT_EQUAL(send(steps_client(&rig.server), zeros,
                             c->pieces[i].bytes, MSG_NOSIGNAL),
                        (ssize_t)c->pieces[i].bytes);
        run_for(&rig, 0);
    }
    CU_ASSERT(run_until(&rig, &rig.downs, 1));
    took_ms = clock_ms() - start_ms;
    CU_ASSERT(took_ms >= c->took_ms && took_ms <= c->took_ms + PASSED_MS);
    CU_ASSERT_EQUAL(rig.fault, REDIS_FAULT_TIMEOUT);
    CU_ASSERT_STRING_EQUAL(rig.words, NO_ANSWER);
    rig_end(&rig);
}

/* 100 ms is the time of an answer: three of them take longer. */
TEST_SINGLE(clock, "the clock of a command starts when it is the oldest one")
{
    static const struct step steps[STEPS_MAX] = {{PROBE, MASTER ":0\r\n"},
                                                 {PING PING PING, NULL}};
    static struct rig rig;

    rig_start(&rig, steps);
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, &rig.ups, 1));
    rig.food = "+A\r\n";
    ping(&rig, 3);
    ev_timer_set(&rig.feeding, .06, .06);
    ev_timer_start(rig.loop, &rig.feeding);
    run_for(&rig, 3 * 60 + PASSED_MS);
    ev_timer_stop(rig.loop, &rig.feeding);
    CU_ASSERT_STRING_EQUAL(rig.told, "ooo");
    CU_ASSERT_EQUAL(rig.downs, 0);
    rig_end(&rig);
}

/* What is there to be read is no fault of the server's. */
TEST_SINGLE(held_up, "a loop that was held up finds an answer in time")
{
    static const struct step steps[STEPS_MAX] = {{PROBE, MASTER ":0\r\n"},
                                                 {PING, "+A\r\n"}};
    static struct rig rig;

    rig_start(&rig, steps);
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, &rig.ups, 1));
    ping(&rig, 1);
    for (int i = 0; i < SETTLED_TURNS && rig.server.done < 2; i++)
        (void)ev_run(rig.loop, EVRUN_NOWAIT);
    CU_ASSERT_EQUAL(rig.server.done, 2);
    CU_ASSERT_STRING_EQUAL(rig.told, ""); /* it has come, and is not read */
    calls_pass_ms(3 * LIMIT_MS);
    run_for(&rig, 4 * LIMIT_MS);
    CU_ASSERT_STRING_EQUAL(rig.told, "o");
    CU_ASSERT_EQUAL(rig.downs, 0);
    rig_end(&rig);
}

TEST_SINGLE(unsent, "a command that cannot be sent goes with its connection")
{
    static const struct step steps[STEPS_MAX] = {{PROBE, MASTER ":0\r\n"},
                                                 {PING, "+A\r\n"}};
    static struct rig rig;

    rig_start(&rig, steps);
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, &rig.ups, 1));
    calls_fail(CALL_SEND, EPIPE);
    ping(&rig, 1);
    CU_ASSERT_TRUE(calls_has_failed(CALL_SEND));
    CU_ASSERT_EQUAL(rig.downs, 1);
    CU_ASSERT_STRING_EQUAL(rig.words, "the connection broke");
    CU_ASSERT_STRING_EQUAL(rig.told, "-");
    redis_conn_open(rig.conn);
    CU_ASSERT(run_until(&rig, &rig.ups, 2));
    ping(&rig, 1);
    run_for(&rig, LIMIT_MS / 2);
    CU_ASSERT_STRING_EQUAL(rig.told, "-o");
    steps_check(&rig.server);
    rig_end(&rig);
}

TEST_SINGLE(closed, "what is closed is told to its commands alone")
{
    static const struct step steps[STEPS_MAX] = {{PROBE, MASTER ":0\r\n"},
                                                 {PING PING, "+A\r\n"}};
    static struct rig rig;

    rig_start(&rig, steps);
    rig_open(&rig);
    CU_ASSERT(run_until(&rig, &rig.ups, 1));
    ping(&rig, 2);
    for (int i = 0; i < 9 && rig.told_count == 0; i++)
        run_for(&rig, LIMIT_MS / 10); /* the other's time starts behind it */
    redis_conn_close(rig.conn);
    CU_ASSERT_STRING_EQUAL(rig.told, "o-");
    run_for(&rig, 2 * LIMIT_MS);
    CU_ASSERT_EQUAL(rig.downs, 0);
    rig_end(&rig);
}
