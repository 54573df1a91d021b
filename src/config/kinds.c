/*
 * The kinds of settings: parses and prints their values. Implements S24 of
 * docs/protocol.md.
 */
#include <string.h>

#include "base/number.h"
#include "config/error.h"
#include "config/kinds.h"
#include "config/zone.h"
#include "redis/url.h"

#ifdef HAVE_HIREDIS_SSL
#define HAS_TLS true
#else
#define HAS_TLS false
#endif

static bool
number_read(const struct config_setting *setting,
            const struct config_given *given, void *dest, struct buf *errors)
{
    if (number_parse(given->text, setting->min, setting->max, dest))
        return true;
    return config_error(errors, setting->name, given->text,
                        "must be an integer from %lld to %lld",
                        (long long)setting->min, (long long)setting->max);
}

static void
number_print(const struct config_setting *setting, const void *dest,
             enum config_view view, struct buf *out)
{
    (void)setting;
    (void)view;
    buf_add_int(out, *(const config_number_dest *)dest);
}

static bool
choice_read(const struct config_setting *setting,
            const struct config_given *given, void *dest, struct buf *errors)
{
    for (config_choice_dest i = 0; i < 2; i++) {
        if (strcmp(setting->choices[i], given->text) == 0) {
            *(config_choice_dest *)dest = i;
            return true;
        }
    }
    return config_error(errors, setting->name, given->text, "must be %s or %s",
                        setting->choices[0], setting->choices[1]);
}

static void
choice_print(const struct config_setting *setting, const void *dest,
             enum config_view view, struct buf *out)
{
    (void)view;
    buf_add_text(out, setting->choices[*(const config_choice_dest *)dest]);
}

static bool
text_read(const struct config_setting *setting,
          const struct config_given *given, void *dest, struct buf *errors)
{
    (void)setting;
    (void)errors;
    *(config_text_dest *)dest = given->text;
    return true;
}

void
config_text_print(const struct config_setting *setting, const void *dest,
                  enum config_view view, struct buf *out)
{
    const char *text = *(const config_text_dest *)dest;

    if (text == NULL)
        return;
    if (view == CONFIG_RAW)
        buf_add_text(out, text);
    else if (setting->is_secret)
        buf_add_text(out, CONFIG_MASK);
    else
        config_escape(out, text);
}

static bool
bytes_read(const struct config_setting *setting,
           const struct config_given *given, void *dest, struct buf *errors)
{
    (void)setting;
    (void)errors;
    *(config_bytes_dest *)dest = bytes_of(given->text);
    return true;
}

static void
bytes_print(const struct config_setting *setting, const void *dest,
            enum config_view view, struct buf *out)
{
    const struct bytes bytes = *(const config_bytes_dest *)dest;

    (void)setting;
    if (view == CONFIG_RAW)
        buf_add_bytes(out, bytes);
    else if (bytes.length > 0)
        buf_add_text(out, CONFIG_MASK);
}

/* libc takes an empty TZ for UTC. */
static bool
zone_read(const struct config_setting *setting,
          const struct config_given *given, void *dest, struct buf *errors)
{
    const char *zone = *given->text != '\0' ? given->text : ZONE_UTC;

    if (!zone_is_known(zone))
        return config_error(errors, setting->name, zone,
                            "there is no such time zone in " ZONE_FOLDER);
    *(config_zone_dest *)dest = zone;
    return true;
}

static bool
is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/*
 * A list is separated by commas, a file by line feeds. Blanks around a salt, as
 * in "new, old", would be part of it, which nobody means: they are an error.
 */
static bool
salts_read(const struct config_setting *setting,
           const struct config_given *given, void *dest, struct buf *errors)
{
    struct auth_salts salts = {0};
    char *rest = given->text;

    while (rest != NULL) {
        struct bytes salt =
            bytes_of(strsep(&rest, given->is_file ? "\n" : ","));

        if (given->is_file && salt.length > 0 &&
            salt.at[salt.length - 1] == '\r')
            salt.length--;
        if (salt.length == 0)
            return config_error(errors, setting->name, NULL,
                                "a salt must not be empty");
        if (is_blank(salt.at[0]) || is_blank(salt.at[salt.length - 1]))
            return config_error(errors, setting->name, NULL,
                                "a salt must not begin or end with a blank");
        if (salts.count == AUTH_SALTS_MAX)
            return config_error(errors, setting->name, NULL,
                                "must be at most %d salts", AUTH_SALTS_MAX);
        salts.item[salts.count++] = salt;
    }
    *(config_salts_dest *)dest = salts;
    return true;
}

static void
salts_print(const struct config_setting *setting, const void *dest,
            enum config_view view, struct buf *out)
{
    const struct auth_salts *salts = dest;
    const char *between = view == CONFIG_RAW ? "\n" : ",";

    (void)setting;
    for (size_t i = 0; i < salts->count; i++) {
        buf_add_text(out, i > 0 ? between : "");
        buf_add_bytes(out, view == CONFIG_RAW ? salts->item[i]
                                              : bytes_of(CONFIG_MASK));
    }
}

/* Errors do not show the URL, which may contain a password. */
static bool
redis_read(const struct config_setting *setting,
           const struct config_given *given, void *dest, struct buf *errors)
{
    struct redis_url redis;
    enum redis_url_error error = redis_url_parse(given->text, &redis);

    if (error != REDIS_URL_OK)
        return config_error(errors, setting->name, NULL, "%s",
                            redis_url_error_text(error));
    if (redis.tls && !HAS_TLS)
        return config_error(errors, setting->name, NULL,
                            "rediss:// needs TLS, which the hiredis that this "
                            "program was built with does not have");
    *(config_redis_dest *)dest = redis;
    return true;
}

static void
redis_print(const struct config_setting *setting, const void *dest,
            enum config_view view, struct buf *out)
{
    (void)setting;
    (void)view;
    redis_url_print(dest, out);
}

static bool
model_setting_read(const struct config_setting *setting,
                   const struct config_given *given, void *dest,
                   struct buf *errors)
{
    config_model_dest config = {.path = given->text};

    if (!config_read_model(setting->name, given->text, &config.model, errors))
        return false;
    *(config_model_dest *)dest = config;
    return true;
}

static void
model_setting_print(const struct config_setting *setting, const void *dest,
                    enum config_view view, struct buf *out)
{
    const config_model_dest *model = dest;

    config_text_print(setting, &model->path, view, out);
}

const struct config_kind config_number = {number_read, number_print, false,
                                          false};
const struct config_kind config_text = {text_read, config_text_print, true,
                                        false};
const struct config_kind config_bytes = {bytes_read, bytes_print, true, false};
const struct config_kind config_salts = {salts_read, salts_print, false, false};
const struct config_kind config_redis = {redis_read, redis_print, true, false};
const struct config_kind config_model = {model_setting_read,
                                         model_setting_print, true, false};
const struct config_kind config_choice = {choice_read, choice_print, false,
                                          false};
const struct config_kind config_zone = {zone_read, config_text_print, false,
                                        false};
