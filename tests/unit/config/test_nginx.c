/*
 * The settings of nginx: each value is right or wrong for check-config, and the
 * service takes any. Which addresses and numbers there are is compared with the
 * scripts by tests/nginx.sh. Source: docs/protocol.md, S24.6.
 */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "support/cases.h"

#define ENV_MAX 4

struct nginx_case {
    const char *name;
    char *env[ENV_MAX]; /* the rest is NULL */
    const char *errors; /* of check-config; NULL: none */
};

#define NUMBER(name, given, bounds)                                            \
    name ": \"" given "\": must be an integer from " bounds "\n"
#define ADDRESSES(given)                                                       \
    "HTTP_ADDRESS: \"" given "\": must be IPv4 or IPv6 addresses\n"
#define NETWORKS(given)                                                        \
    "TRUSTED_PROXIES: \"" given                                                \
    "\": must be IPv4 or IPv6 addresses or networks\n"
#define PATH " must not hold control characters or any of "

static const struct nginx_case nginx_rows[] = {
    {"defaults", {NULL}, NULL},
    {"empty ports", {"HTTP_PORT=", "HTTPS_PORT=", "METRICS_PORT="}, NULL},
    {"port 0", {"HTTP_PORT=0"}, NUMBER("HTTP_PORT", "0", "1 to 65535")},
    {"ports 1 and 65535", {"HTTP_PORT=1", "METRICS_PORT=65535"}, NULL},
    {"port 65536",
     {"HTTP_PORT=65536"},
     NUMBER("HTTP_PORT", "65536", "1 to 65535")},
    {"port of Kubernetes",
     {"HTTP_PORT=tcp://10.0.0.1:80"},
     NUMBER("HTTP_PORT", "tcp://10.0.0.1:80", "1 to 65535")},
    {"port of HTTPS 0, which is off",
     {"HTTPS_PORT=0"},
     NUMBER("HTTPS_PORT", "0", "1 to 65535")},
    {"port of the metrics",
     {"METRICS_PORT=x"},
     NUMBER("METRICS_PORT", "x", "1 to 65535")},
    {"port of the metrics 0",
     {"METRICS_PORT=0"},
     NUMBER("METRICS_PORT", "0", "1 to 65535")},
    {"port of the metrics 65536",
     {"METRICS_PORT=65536"},
     NUMBER("METRICS_PORT", "65536", "1 to 65535")},
    {"largest age", {"TLS_HSTS_S=2147483647"}, NULL},
    {"age too large",
     {"TLS_HSTS_S=2147483648"},
     NUMBER("TLS_HSTS_S", "2147483648", "0 to 2147483647")},
    {"negative age",
     {"TLS_HSTS_S=-1"},
     NUMBER("TLS_HSTS_S", "-1", "0 to 2147483647")},
    {"addresses", {"HTTP_ADDRESS=0.0.0.0, [::],\t::1"}, NULL},
    {"no address",
     {"HTTP_ADDRESS=,"},
     "HTTP_ADDRESS: \",\": must be an address\n"},
    {"a name", {"HTTP_ADDRESS=::1,localhost"}, ADDRESSES("::1,localhost")},
    {"a network to listen on",
     {"HTTP_ADDRESS=10.0.0.0/8"},
     ADDRESSES("10.0.0.0/8")},
    {"an address that is too long",
     {"HTTP_ADDRESS=0000000000000000000000000000000000000000000000000000000000"
      "000000"},
     ADDRESSES("0000000000000000000000000000000000000000000000000000000000"
               "000000")},
    {"an address twice",
     {"HTTP_ADDRESS=::1 127.0.0.1, [0:0::1]"},
     "HTTP_ADDRESS: \"::1 127.0.0.1, [0:0::1]\": must not hold an address "
     "twice\n"},
    {"IPv4, and IPv6 with the same bytes",
     {"HTTP_ADDRESS=127.0.0.1 7f00:1::"},
     NULL},
    {"a network twice", {"TRUSTED_PROXIES=::1 ::1"}, NULL},
    {"networks", {"TRUSTED_PROXIES=10.0.0.0/32 ::1/128,[::1]/0"}, NULL},
    {"no network", {"TRUSTED_PROXIES=, "}, NULL},
    {"33 bits", {"TRUSTED_PROXIES=10.0.0.0/33"}, NETWORKS("10.0.0.0/33")},
    {"129 bits", {"TRUSTED_PROXIES=::1/129"}, NETWORKS("::1/129")},
    {"no bits", {"TRUSTED_PROXIES=::1/"}, NETWORKS("::1/")},
    {"HTTPS", {"TLS_CERTIFICATE=/none/a b", "TLS_KEY=b#;'"}, NULL},
    {"no certificate",
     {"TLS_KEY=b"},
     "TLS_CERTIFICATE: must be given too: TLS_KEY is\n"},
    {"no key",
     {"TLS_CERTIFICATE=a", "TLS_KEY="},
     "TLS_KEY: must be given too: TLS_CERTIFICATE is\n"},
    {"a wrong path counts as given",
     {"TLS_CERTIFICATE=a", "TLS_KEY=a\x7f"},
     "TLS_KEY: \"a\\x7f\":" PATH "\"\\$\n"},
    {"a quote",
     {"TLS_CERTIFICATE=a\"", "TLS_KEY=a"},
     "TLS_CERTIFICATE: \"a\\\"\":" PATH "\"\\$\n"},
    {"a pattern", {"RUN_DIR=a*"}, "RUN_DIR: \"a*\":" PATH "\"\\$*?[%#\n"},
    {"one port for HTTP and HTTPS, which is off",
     {"HTTP_PORT=81", "HTTPS_PORT=81"},
     NULL},
    {"one port for HTTP and HTTPS",
     {"HTTP_PORT=8443", "TLS_CERTIFICATE=a", "TLS_KEY=a"},
     "HTTPS_PORT: 8443: must not be HTTP_PORT\n"},
    {"one port for HTTP and the metrics",
     {"METRICS_PORT=08080"},
     "METRICS_PORT: 8080: must not be HTTP_PORT\n"},
    {"one port for HTTPS and the metrics",
     {"METRICS_PORT=8443", "TLS_CERTIFICATE=a", "TLS_KEY=a"},
     "METRICS_PORT: 8443: must not be HTTPS_PORT\n"},
    {"one port for the metrics and HTTPS, which is off",
     {"METRICS_PORT=8443"},
     NULL},
    {"all errors at once",
     {"TLS_KEY=$", "HTTP_PORT=0", "HTTP_ADDRESS=x"},
     NUMBER("HTTP_PORT", "0", "1 to 65535") ADDRESSES(
         "x") "TLS_KEY: \"$\":" PATH
              "\"\\$\nTLS_CERTIFICATE: must be given too: TLS_KEY is\n"},
};

TEST_CASES(nginx, struct nginx_case, nginx_rows)
{
    char *environment[ENV_MAX + 2] = {"SCORING_CONFIG_FILE="};
    struct buf errors = {0}, printed = {0};
    struct config *config;

    memcpy(environment + 1, c->env, sizeof(c->env));
    config = config_load(environment, CONFIG_OF_ALL, &errors);
    CU_ASSERT_EQUAL(config == NULL, c->errors != NULL);
    config_free(config);
    buf_add(&errors, "", 1);
    CU_ASSERT_STRING_EQUAL(errors.data, c->errors != NULL ? c->errors : "");
    if (strcmp(errors.data, c->errors != NULL ? c->errors : "") != 0)
        (void)printf("got: %s", errors.data);
    CU_ASSERT_FALSE(errors.failed);
    buf_clear(&errors);
    config = config_load(environment, CONFIG_OF_SERVICE, &errors);
    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    CU_ASSERT_EQUAL(errors.length, 0);
    config_print(config, &printed);
    CU_ASSERT_FALSE(printed.failed);
    config_free(config);
    buf_free(&printed);
    buf_free(&errors);
}
