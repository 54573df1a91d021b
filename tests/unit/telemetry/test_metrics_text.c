/*
 * The text of the metrics. Expected lines follow Prometheus's text format
 * 0.0.4, and its conventions for names and units.
 */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "scoring/api.h"
#include "support/calls.h"
#include "support/cases.h"
#include "telemetry/metrics_text.h"

static const char *
two_methods(size_t number)
{
    static const char *const names[] = {"one", "two"};

    return number < 2 ? names[number] : NULL;
}

static int
two_codes(size_t number)
{
    static const int codes[] = {200, 503};

    return number < 2 ? codes[number] : 0;
}

/* The accounts, "" at NULL at the end, have the places 7, 8 and so on. */
static bool
some_accounts(const void *accounts, size_t number, struct bytes *ret_name,
              size_t *ret_place)
{
    const char *const *names = accounts;

    if (names[number] == NULL)
        return false;
    *ret_name = bytes_of(names[number]);
    *ret_place = number + 7;
    return true;
}

static const struct metrics_labels labels = {.method = two_methods,
                                             .code = two_codes,
                                             .model = "risk-4",
                                             .account = some_accounts};

/* The metrics of a service with a few requests; the caller frees the text. */
static char *
make_text(void)
{
    struct metrics *metrics = metrics_new();
    struct buf out = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    metrics_use_slot(metrics, metrics_slot_take(metrics));
    for (int i = 0; i < METRIC__MAX; i++)
        metrics_add(metrics, (enum metric)i, (uint64_t)i + 1000);
    metrics_add_request(metrics, 0, 0, 400);     /* 0.5 ms */
    metrics_add_request(metrics, 0, 0, 501);     /* 1 ms */
    metrics_add_request(metrics, 0, 1, 2600000); /* no bound */
    metrics_add_request(metrics, SIZE_MAX, 1, 30);
    metrics_set_parked(metrics, 5);
    (void)metrics_hold(metrics, 6, 12);
    (void)metrics_outage_enter(metrics, 0, OUTAGE_STORE);
    metrics_set(metrics, METRICS_WANTED, 7);
    metrics_set(metrics, METRICS_PUBLISHED, 2);
    metrics_set_sentinels(metrics, 4);
    calls_stop_clock();
    for (int i = 0; i <= 3; i++)
        (void)metrics_set_master(metrics, i % 2 == 0 ? "a:1" : "b:1",
                                 clock_mono_ms() - 8999);
    (void)metrics_at_least(metrics, 5432000);
    metrics_text_put(metrics, &labels, &out);
    calls_let_clock_go();
    buf_add(&out, "", 1);
    metrics_free(metrics);
    CU_ASSERT_FALSE_FATAL(out.failed);
    return out.data;
}

struct line_case {
    const char *name; /* a whole line */
};

#define DURATION "scoring_request_duration_seconds"

static const struct line_case line_rows[] = {
    {"# TYPE scoring_requests_total counter"},
    {"# TYPE scoring_request_duration_seconds histogram"},
    {"# TYPE scoring_nginx_responses_total counter"},
    {"# TYPE scoring_account_requests_total counter"},
    {"# TYPE scoring_tokens_total counter"},
    {"# TYPE scoring_records_total counter"},
    {"# TYPE scoring_store_redirections_total counter"},
    {"# TYPE scoring_store_connections_total counter"},
    {"# TYPE scoring_store_master_switches_total counter"},
    {"# TYPE scoring_store_master_age_seconds gauge"},
    {"# TYPE scoring_store_sentinels_reachable gauge"},
    {"# TYPE scoring_store_server_breaker_open gauge"},
    {"# TYPE scoring_model_info gauge"},
    {"# TYPE scoring_requests_parked gauge"},
    {"# TYPE scoring_answers_held_bytes gauge"},
    {"# TYPE scoring_cache_hits_total counter"},
    {"# TYPE scoring_cache_misses_total counter"},
    {"# TYPE scoring_store_operations_total counter"},
    {"# TYPE scoring_store_retries_total counter"},
    {"# TYPE scoring_store_breaker_opened_total counter"},
    {"# TYPE scoring_store_breaker_open gauge"},
    {"# TYPE scoring_errors_total counter"},
    {"# TYPE scoring_log_lines_lost_total counter"},
    {"# TYPE scoring_workers gauge"},
    {"# TYPE scoring_workers_wanted gauge"},
    {"# TYPE scoring_published_salts gauge"},
    {"# TYPE process_cpu_seconds_total counter"},
    {"# TYPE process_resident_memory_bytes gauge"},
    {"# TYPE process_open_fds gauge"},
    {"# TYPE scoring_worker_restarts_total counter"},
    {"# TYPE scoring_settings_reloads_total counter"},
    {"# TYPE scoring_build_info gauge"},
    {"# TYPE process_start_time_seconds gauge"},
    {"scoring_requests_total{method=\"one\",code=\"200\"} 2"},
    {"scoring_requests_total{method=\"one\",code=\"503\"} 1"},
    {"scoring_requests_total{method=\"two\",code=\"200\"} 0"},
    {"scoring_requests_total{method=\"none\",code=\"503\"} 1"},
    {DURATION "_bucket{method=\"one\",le=\"0.0005\"} 1"},
    {DURATION "_bucket{method=\"one\",le=\"0.001\"} 2"},
    {DURATION "_bucket{method=\"one\",le=\"1\"} 2"},
    {DURATION "_bucket{method=\"one\",le=\"2.5\"} 2"},
    {DURATION "_bucket{method=\"one\",le=\"+Inf\"} 3"},
    {DURATION "_sum{method=\"one\"} 2.600901"},
    {DURATION "_count{method=\"one\"} 3"},
    {DURATION "_sum{method=\"two\"} 0"},
    {DURATION "_sum{method=\"none\"} 0.00003"},
    {"scoring_requests_parked 5"},
    {"scoring_answers_held_bytes 6"},
    {"scoring_store_breaker_open 1"},
    {"scoring_store_master_switches_total 3"},
    {"scoring_store_master_age_seconds 8"},
    {"scoring_store_sentinels_reachable 4"},
    {"scoring_workers 1"},
    {"scoring_workers_wanted 7"},
    {"scoring_published_salts 2"},
    {"process_cpu_seconds_total 5432"},
    {DURATION "_bucket{method=\"one\",le=\"0.00005\"} 0"},
    {DURATION "_bucket{method=\"none\",le=\"0.00005\"} 1"},
    {"scoring_model_info{model=\"risk-4\"} 1"},
};

/* Whether a text has this line exactly once. */
static bool
has_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, line)) != NULL; at++) {
        if ((at == text || at[-1] == '\n') && at[length] == '\n')
            count++;
    }
    return count == 1;
}

TEST_CASES(line, struct line_case, line_rows)
{
    char *text = make_text();

    CU_ASSERT_TRUE(has_line(text, c->name));
    free(text);
}

/* The commit is that of the checkout, or unknown. */
TEST_SINGLE(build, "is told by version and commit")
{
    static const char begin[] =
        "\nscoring_build_info{version=\"" SCORING_VERSION "\",commit=\"";
    char *text = make_text();
    const char *commit = strstr(text, begin);

    CU_ASSERT_PTR_NOT_NULL_FATAL(commit);
    commit += sizeof(begin) - 1;
    CU_ASSERT_TRUE(*commit != '"');
    commit += strcspn(commit, "\"\n");
    CU_ASSERT_EQUAL(strncmp(commit, "\"} 1\n", 5), 0);
    free(text);
}

/* The value of a metric that is one sample without labels. */
static double
value_of(const char *text, const char *name)
{
    char begin[64];
    const char *at;

    (void)snprintf(begin, sizeof(begin), "\n%s ", name);
    at = strstr(text, begin);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    return strtod(at + strlen(begin), NULL);
}

/* What a process has lies far from what another metric has. */
TEST_SINGLE(process, "its start, its memory in bytes, and its files")
{
    const double before_s = (double)time(NULL);
    char *text = make_text();
    const double start_s = value_of(text, "process_start_time_seconds");

    CU_ASSERT_TRUE(start_s >= before_s && start_s <= (double)time(NULL) + 1);
    CU_ASSERT_TRUE(value_of(text, "process_resident_memory_bytes") > 500000);
    CU_ASSERT_TRUE(value_of(text, "process_open_fds") > 2);
    CU_ASSERT_TRUE(value_of(text, "process_open_fds") < 100000);
    free(text);
}

static int
four_codes(size_t number)
{
    static const int codes[] = {200, 403, 429, 503};

    return number < 4 ? codes[number] : 0;
}

TEST_SINGLE(idle_account, "has samples of 200, 403 and 429, and no others")
{
    static const char *const names[] = {"idle", NULL};
    struct metrics *metrics = metrics_new();
    struct metrics_labels with_accounts = labels;
    struct buf out = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    with_accounts.accounts = names;
    with_accounts.code = four_codes;
    metrics_text_put(metrics, &with_accounts, &out);
    buf_add(&out, "", 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(out.data, "\nscoring_account_requests_total{account=\"idle\","
                         "code=\"200\"} 0\n"
                         "scoring_account_requests_total{account=\"idle\","
                         "code=\"403\"} 0\n"
                         "scoring_account_requests_total{account=\"idle\","
                         "code=\"429\"} 0\n#"));
    buf_free(&out);
    metrics_free(metrics);
}

struct account_case {
    const char *name; /* a whole line */
    const char *account;
    size_t status; /* the status that is counted twice */
    bool is_there;
};

#define REQUESTS "scoring_account_requests_total"

static const struct account_case account_rows[] = {
    {REQUESTS "{account=\"acme\",code=\"200\"} 2", "acme", 0, true},
    {REQUESTS "{account=\"acme\",code=\"503\"} 2", "acme", 1, true},
    {REQUESTS "{account=\"acme\",code=\"200\"} 0", "acme", 1, true},
    {REQUESTS "{account=\"acme\",code=\"503\"} 0", "acme", 0, false},
    {REQUESTS "{account=\"\",code=\"200\"} 2", "", 0, true},
    {REQUESTS "{account=\"a\\\"b\\\\c\",code=\"200\"} 2", "a\"b\\c", 0, true},
    {REQUESTS "{account=\"\xd1\x8f\",code=\"200\"} 2", "\xd1\x8f", 0, true},
};

TEST_CASES(account, struct account_case, account_rows)
{
    struct metrics *metrics = metrics_new();
    const char *const names[] = {"first", c->account, NULL};
    struct metrics_labels with_accounts = labels;
    struct buf out = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    with_accounts.accounts = names;
    metrics_add_account(metrics, 8, c->status);
    metrics_add_account(metrics, 8, c->status);
    metrics_add_account(metrics, 9, 0);
    metrics_text_put(metrics, &with_accounts, &out);
    buf_add(&out, "", 1);
    CU_ASSERT_EQUAL(has_line(out.data, c->name), c->is_there);
    CU_ASSERT_TRUE(
        has_line(out.data, REQUESTS "{account=\"first\",code=\"200\"} 0"));
    buf_free(&out);
    metrics_free(metrics);
}

TEST_SINGLE(tokens, "by the place of their salts, the last one included")
{
    struct metrics *metrics = metrics_new();
    struct buf out = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    metrics_add_token(metrics, 1);
    metrics_add_token(metrics, 16);
    metrics_add_token(metrics, 16);
    metrics_text_put(metrics, &labels, &out);
    buf_add(&out, "", 1);
    CU_ASSERT_TRUE(has_line(out.data, "scoring_tokens_total{salt=\"1\"} 1"));
    CU_ASSERT_TRUE(has_line(out.data, "scoring_tokens_total{salt=\"2\"} 0"));
    CU_ASSERT_TRUE(has_line(out.data, "scoring_tokens_total{salt=\"16\"} 2"));
    buf_free(&out);
    metrics_free(metrics);
}

struct counter_case {
    const char *name; /* with its labels */
    enum metric metric;
};

#define NGINX(code) "scoring_nginx_responses_total{code=\"" code "\"}"

static const struct counter_case counter_rows[] = {
    {"scoring_cache_hits_total", METRIC_CACHE_HITS},
    {"scoring_cache_misses_total", METRIC_CACHE_MISSES},
    {"scoring_records_total{result=\"ok\"}", METRIC_RECORDS_OK},
    {"scoring_records_total{result=\"fault\"}", METRIC_RECORDS_BAD},
    {"scoring_store_operations_total{operation=\"read\",result=\"ok\"}",
     METRIC_READ_OK},
    {"scoring_store_operations_total{operation=\"read\",result=\"down\"}",
     METRIC_READ_DOWN},
    {"scoring_store_operations_total{operation=\"read\",result=\"timeout\"}",
     METRIC_READ_TIMEOUT},
    {"scoring_store_operations_total{operation=\"read\",result=\"refused\"}",
     METRIC_READ_REFUSED},
    {"scoring_store_operations_total{operation=\"read\",result=\"large\"}",
     METRIC_READ_LARGE},
    {"scoring_store_operations_total{operation=\"read\",result=\"memory\"}",
     METRIC_READ_MEMORY},
    {"scoring_store_operations_total{operation=\"cache_read\",result=\"ok\"}",
     METRIC_CACHE_READ_OK},
    {"scoring_store_operations_total{operation=\"cache_read\",result=\"down\"}",
     METRIC_CACHE_READ_DOWN},
    {"scoring_store_operations_total{operation=\"cache_read\",result="
     "\"timeout\"}",
     METRIC_CACHE_READ_TIMEOUT},
    {"scoring_store_operations_total{operation=\"cache_read\",result="
     "\"refused\"}",
     METRIC_CACHE_READ_REFUSED},
    {"scoring_store_operations_total{operation=\"cache_read\",result="
     "\"large\"}",
     METRIC_CACHE_READ_LARGE},
    {"scoring_store_operations_total{operation=\"cache_read\",result="
     "\"memory\"}",
     METRIC_CACHE_READ_MEMORY},
    {"scoring_store_operations_total{operation=\"cache_write\",result=\"ok\"}",
     METRIC_CACHE_WRITE_OK},
    {"scoring_store_operations_total{operation=\"cache_write\",result="
     "\"lost\"}",
     METRIC_CACHE_WRITE_LOST},
    {"scoring_store_retries_total", METRIC_STORE_RETRIES},
    {"scoring_store_redirections_total", METRIC_REDIRECTIONS},
    {"scoring_store_breaker_opened_total", METRIC_BREAKER_OPENED},
    {"scoring_store_connections_total{result=\"ok\"}", METRIC_CONNECTED},
    {"scoring_store_connections_total{result=\"refused\"}",
     METRIC_CONNECT_REFUSED},
    {"scoring_store_connections_total{result=\"unreachable\"}",
     METRIC_CONNECT_UNREACHABLE},
    {"scoring_store_connections_total{result=\"timeout\"}",
     METRIC_CONNECT_TIMEOUT},
    {"scoring_store_connections_total{result=\"name\"}", METRIC_CONNECT_NAME},
    {"scoring_store_connections_total{result=\"tls\"}", METRIC_CONNECT_TLS},
    {"scoring_store_connections_total{result=\"handshake\"}",
     METRIC_CONNECT_HANDSHAKE},
    {"scoring_store_connections_total{result=\"role\"}", METRIC_CONNECT_ROLE},
    {"scoring_store_connections_total{result=\"broken\"}",
     METRIC_CONNECT_BROKEN},
    {"scoring_errors_total{kind=\"fastcgi\"}", METRIC_ERROR_FCGI},
    {"scoring_errors_total{kind=\"damaged_value\"}", METRIC_ERROR_VALUE},
    {"scoring_errors_total{kind=\"memory\"}", METRIC_ERROR_MEMORY},
    {"scoring_errors_total{kind=\"system\"}", METRIC_ERROR_SYSTEM},
    {"scoring_errors_total{kind=\"accept\"}", METRIC_ERROR_ACCEPT},
    {"scoring_log_lines_lost_total", METRIC_LOG_LINES_LOST},
    {"scoring_worker_restarts_total{reason=\"signal\"}", METRIC_RESTART_SIGNAL},
    {"scoring_worker_restarts_total{reason=\"exit\"}", METRIC_RESTART_EXIT},
    {"scoring_worker_restarts_total{reason=\"reload\"}", METRIC_RESTART_RELOAD},
    {"scoring_worker_restarts_total{reason=\"stalled\"}",
     METRIC_RESTART_STALLED},
    {"scoring_settings_reloads_total{result=\"ok\"}", METRIC_RELOAD_OK},
    {"scoring_settings_reloads_total{result=\"failed\"}", METRIC_RELOAD_FAILED},
    {NGINX("308"), METRIC_NGINX_308},
    {NGINX("400"), METRIC_NGINX_400},
    {NGINX("403"), METRIC_NGINX_403},
    {NGINX("404"), METRIC_NGINX_404},
    {NGINX("405"), METRIC_NGINX_405},
    {NGINX("408"), METRIC_NGINX_408},
    {NGINX("411"), METRIC_NGINX_411},
    {NGINX("413"), METRIC_NGINX_413},
    {NGINX("414"), METRIC_NGINX_414},
    {NGINX("415"), METRIC_NGINX_415},
    {NGINX("417"), METRIC_NGINX_417},
    {NGINX("421"), METRIC_NGINX_421},
    {NGINX("429"), METRIC_NGINX_429},
    {NGINX("431"), METRIC_NGINX_431},
    {NGINX("500"), METRIC_NGINX_500},
    {NGINX("501"), METRIC_NGINX_501},
    {NGINX("502"), METRIC_NGINX_502},
    {NGINX("503"), METRIC_NGINX_503},
    {NGINX("504"), METRIC_NGINX_504},
    {NGINX("505"), METRIC_NGINX_505},
    {NGINX("other"), METRIC_NGINX_OTHER},
};

_Static_assert(sizeof(counter_rows) / sizeof(counter_rows[0]) == METRIC__MAX,
               "a counter has no row");

TEST_CASES(counter, struct counter_case, counter_rows)
{
    char *text = make_text(), line[128];

    (void)snprintf(line, sizeof(line), "%s %d", c->name, 1000 + (int)c->metric);
    CU_ASSERT_TRUE(has_line(text, line));
    free(text);
}

#define HOUR_MS 3600000
#define SERVER  "scoring_store_server_breaker_open{server="

/* A server that is down, one that was, and one that never was. The machine may
 * have run for less than an hour. */
TEST_SINGLE(servers, "are shown while they are down, and an hour longer")
{
    struct metrics *metrics = metrics_new();
    struct buf out = {0};
    enum outage old;
    int64_t now_ms;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    calls_pass_ms(2 * HOUR_MS);
    now_ms = clock_mono_ms();
    CU_ASSERT_EQUAL(metrics_slot_take(metrics), 0);
    (void)metrics_outage_enter(metrics, 0, metrics_outage_of(metrics, "h:1"));
    (void)metrics_outage_of(metrics, "h:2");
    old = metrics_outage_of(metrics, "h:3");
    (void)metrics_outage_enter(metrics, 0, old);
    metrics_outage_leave(metrics, 0, old, now_ms);
    metrics_text_put(metrics, &labels, &out);
    /* The machine itself may have run for less than an hour. */
    calls_pass_ms(HOUR_MS);
    buf_add_text(&out, "later\n");
    metrics_text_put(metrics, &labels, &out);
    calls_pass_ms(-HOUR_MS);
    buf_add(&out, "", 1);
    CU_ASSERT_FALSE_FATAL(out.failed);
    CU_ASSERT_TRUE(has_line(out.data, SERVER "\"h:3\"} 0"));
    CU_ASSERT_FALSE(has_line(out.data, SERVER "\"h:2\"} 0"));
    CU_ASSERT_TRUE(has_line(strstr(out.data, "later"), SERVER "\"h:1\"} 1"));
    CU_ASSERT_PTR_NULL(strstr(strstr(out.data, "later"), SERVER "\"h:3\""));
    buf_free(&out);
    metrics_free(metrics);
}

TEST_SINGLE(all, "counters are there, each once")
{
    char *text = make_text();

    for (int i = 0; i < METRIC__MAX; i++) {
        char value[16];
        const char *at;

        (void)snprintf(value, sizeof(value), " %d\n", 1000 + i);
        at = strstr(text, value);
        CU_ASSERT_PTR_NOT_NULL(at);
        CU_ASSERT(at != NULL && strstr(at + 1, value) == NULL);
    }
    free(text);
}

/*
 * All lines have one of these forms, and samples follow the TYPE of their name.
 */
TEST_SINGLE(form, "of every line")
{
    static const char pattern[] =
        "^(# HELP [a-z_]+ .+[.]"
        "|# TYPE [a-z_]+ (counter|gauge|histogram)"
        "|[a-z_]+(\\{([a-z]+=\"[A-Za-z0-9_.+-]+\",?)+\\})? [0-9.]+)$";
    char *text = make_text(), *rest = text, *line;
    char family[64] = "";
    regex_t regex;

    CU_ASSERT_EQUAL_FATAL(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB),
                          0);
    while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
        CU_ASSERT_EQUAL(regexec(&regex, line, 0, NULL, 0), 0);
        if (line[0] != '#')
            CU_ASSERT_EQUAL(strncmp(line, family, strlen(family)), 0);
        (void)sscanf(line, "# TYPE %63s", family);
    }
    CU_ASSERT_STRING_EQUAL(line != NULL ? line : "no end", "");
    regfree(&regex);
    free(text);
}

TEST_SINGLE(room, "for every method and status of the API")
{
    CU_ASSERT_PTR_NOT_NULL(api_method_name(0));
    CU_ASSERT_PTR_NULL(api_method_name(METRICS_METHODS - 1));
    CU_ASSERT_EQUAL(outcome_status_code(0), 200);
    CU_ASSERT_EQUAL(outcome_status_code(METRICS_STATUSES), 0);
    for (size_t i = 0; outcome_status_code(i) != 0; i++) {
        struct outcome outcome = {.code = 0};

        outcome_set_code(&outcome, outcome_status_code(i));
        CU_ASSERT_EQUAL(outcome.status, i);
    }
}
