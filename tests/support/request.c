/*
 * Requests as callers send them. Source: docs/protocol.md, S9.
 */
#include <stddef.h>
#include <string.h>

#include "buffer.h"
#include "clock.h"
#include "request.h"
#include "token.h"

char *
request_text(const struct request_parts *parts)
{
    const char *account = parts->account != NULL ? parts->account : "";
    const char *token = parts->token;
    char made[TOKEN_LENGTH + 1];
    struct buffer text = {0};

    if (token == NULL) {
        token_user(account, parts->login, TOKEN_SALT, made);
        token = made;
    }
    buffer_add_text(&text, "{");
    if (parts->account != NULL)
        buffer_printf(&text, "\"account\": \"%s\", ", account);
    buffer_printf(&text,
                  "\"login\": \"%s\", \"token\": \"%s\", \"method\": \"%s\", "
                  "\"arguments\": ",
                  parts->login, token, parts->method);
    buffer_add_text(&text, parts->arguments);
    buffer_add_text(&text, "}");
    return buffer_take(&text);
}

static char *
user_request(const char *method, const char *arguments)
{
    const struct request_parts parts = {
        .account = REQUEST_ACCOUNT,
        .login = REQUEST_LOGIN,
        .method = method,
        .arguments = arguments,
    };

    return request_text(&parts);
}

char *
request_score(const char *arguments)
{
    return user_request("online_score", arguments);
}

char *
request_interests(const char *arguments)
{
    return user_request("clients_interests", arguments);
}

char *
request_admin(const char *method, const char *arguments)
{
    char token[TOKEN_LENGTH + 1];
    const struct request_parts parts = {
        .login = "admin",
        .token = token,
        .method = method,
        .arguments = arguments,
    };

    token_admin(clock_steady_now(), TOKEN_ADMIN_SALT, token);
    return request_text(&parts);
}

char *
request_of(enum request_kind kind, const char *text)
{
    switch (kind) {
    case REQUEST_SCORE:
        return request_score(text);
    case REQUEST_INTERESTS:
        return request_interests(text);
    case REQUEST_ADMIN_SCORE:
        return request_admin("online_score", text);
    case REQUEST_AS_IT_IS:
        break;
    }
    return strdup(text);
}

char *
request_salted(const char *salt)
{
    char token[TOKEN_LENGTH + 1];
    const struct request_parts parts = {
        .login = "reload",
        .token = token,
        .method = "online_score",
        .arguments = REQUEST_NAMES,
    };

    token_user("", parts.login, salt, token);
    return request_text(&parts);
}
