/*
 * The kinds of the settings that the service does not use: those of nginx, and
 * of `make run`. They store a text even if it is wrong, so that what must come
 * together is checked whatever else is wrong. deploy/nginx-settings.sh checks
 * the same where this program is not, in nginx's container; tests/nginx.sh
 * compares both. Implements S24.6 of docs/protocol.md.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/number.h"
#include "config/error.h"
#include "config/kinds.h"
#include "config/nginx.h"

#define SEPARATORS   ", \t\n" /* of addresses */
#define ADDRESS_SIZE 64       /* more than any, in brackets, and with /128 */
#define BITS_V4      32
#define BITS_V6      128
#define PORT_MAX     65535
#define SEEN_MAX     64 /* so many addresses are compared; nobody has more */

struct address {
    int family;
    struct in6_addr binary; /* also has room for IPv4 */
};

static bool
number_text_read(const struct config_setting *setting,
                 const struct config_given *given, void *dest,
                 struct buf *errors)
{
    config_number_dest number;

    *(config_number_text_dest *)dest = given->text;
    return config_number.read(setting, given, &number, errors);
}

/* Some bytes cannot be in a configuration of nginx, even in quotes. */
static bool
path_read(const struct config_setting *setting,
          const struct config_given *given, void *dest, struct buf *errors)
{
    *(config_path_dest *)dest = given->text;
    for (const char *at = given->text; *at != '\0'; at++) {
        if (iscntrl((unsigned char)*at) == 0 &&
            strchr(setting->refused, *at) == NULL)
            continue;
        return config_error(errors, setting->name, given->text,
                            "must not hold control characters or any of %s",
                            setting->refused);
    }
    return true;
}

/* Cuts off "/BITS", and returns the digits; NULL if there are none. */
static const char *
bits_cut(char *address)
{
    char *slash = strrchr(address, '/');

    if (slash == NULL)
        return NULL;
    *slash = '\0';
    return slash + 1;
}

/* An address may be in brackets; that of a network may end with /BITS. */
static bool
address_parse(struct bytes text, bool is_network, struct address *ret_address)
{
    char copy[ADDRESS_SIZE], *from = copy;
    struct address address = {.family = AF_INET};
    const char *bits;
    size_t length;
    int64_t count;

    if (text.length >= sizeof(copy))
        return false;
    memcpy(copy, text.at, text.length);
    copy[text.length] = '\0';
    bits = is_network ? bits_cut(copy) : NULL;
    length = strlen(copy);
    if (length > 0 && copy[0] == '[' && copy[length - 1] == ']') {
        copy[length - 1] = '\0';
        from++;
    }
    if (inet_pton(AF_INET, from, &address.binary) != 1) {
        address.family = AF_INET6;
        if (inet_pton(AF_INET6, from, &address.binary) != 1)
            return false;
    }
    *ret_address = address;
    return bits == NULL ||
           number_parse(bits, 0, address.family == AF_INET ? BITS_V4 : BITS_V6,
                        &count);
}

static bool
address_is_among(const struct address *address, const struct address *others,
                 int count)
{
    for (int i = 0; i < count; i++) {
        if (others[i].family == address->family &&
            memcmp(&others[i].binary, &address->binary,
                   sizeof(address->binary)) == 0)
            return true;
    }
    return false;
}

/* Returns NULL, or what is wrong with the addresses. */
static const char *
addresses_fault(const char *text)
{
    struct address seen[SEEN_MAX], address;
    int count = 0;

    while (*(text += strspn(text, SEPARATORS)) != '\0') {
        const struct bytes word = {text, strcspn(text, SEPARATORS)};

        if (!address_parse(word, false, &address))
            return "must be IPv4 or IPv6 addresses";
        if (address_is_among(&address, seen, count))
            return "must not hold an address twice";
        if (count < SEEN_MAX)
            seen[count++] = address;
        text += word.length;
    }
    return count > 0 ? NULL : "must be an address";
}

static bool
addresses_read(const struct config_setting *setting,
               const struct config_given *given, void *dest, struct buf *errors)
{
    const char *fault = addresses_fault(given->text);

    *(config_addresses_dest *)dest = given->text;
    return fault == NULL ||
           config_error(errors, setting->name, given->text, "%s", fault);
}

static bool
networks_read(const struct config_setting *setting,
              const struct config_given *given, void *dest, struct buf *errors)
{
    const char *text = given->text;
    struct address address;

    *(config_networks_dest *)dest = given->text;
    while (*(text += strspn(text, SEPARATORS)) != '\0') {
        const struct bytes word = {text, strcspn(text, SEPARATORS)};

        if (!address_parse(word, true, &address))
            return config_error(errors, setting->name, given->text,
                                "must be IPv4 or IPv6 addresses or networks");
        text += word.length;
    }
    return true;
}

const struct config_kind config_number_text = {number_text_read,
                                               config_text_print, true, true};
const struct config_kind config_path = {path_read, config_text_print, true,
                                        true};
const struct config_kind config_addresses = {addresses_read, config_text_print,
                                             true, true};
const struct config_kind config_networks = {networks_read, config_text_print,
                                            true, true};

/* Returns 0 if the port is not given, or is wrong, which has been reported. */
static int64_t
port_of(const char *text)
{
    int64_t port = 0;

    if (text != NULL)
        (void)number_parse(text, 1, PORT_MAX, &port);
    return port;
}

/* HTTPS is on with both, off with neither. */
static bool
tls_check(const struct config *config, struct buf *errors)
{
    const bool has_certificate = config->tls_certificate != NULL;

    if (has_certificate == (config->tls_key != NULL))
        return true;
    return config_error(errors, has_certificate ? "TLS_KEY" : "TLS_CERTIFICATE",
                        NULL, "must be given too: %s is",
                        has_certificate ? "TLS_CERTIFICATE" : "TLS_KEY");
}

bool
config_nginx_check(const struct config *config, struct buf *errors)
{
    const bool has_https =
        config->tls_certificate != NULL && config->tls_key != NULL;
    const int64_t http = port_of(config->http_port);
    const int64_t https = has_https ? port_of(config->https_port) : 0;
    const int64_t metrics = port_of(config->metrics_port);
    bool is_good = tls_check(config, errors);

    if (https > 0 && https == http)
        is_good = config_error(errors, "HTTPS_PORT", NULL,
                               "%lld: must not be HTTP_PORT", (long long)https);
    if (metrics > 0 && (metrics == http || metrics == https))
        is_good = config_error(errors, "METRICS_PORT", NULL,
                               "%lld: must not be %s", (long long)metrics,
                               metrics == http ? "HTTP_PORT" : "HTTPS_PORT");
    return is_good;
}
