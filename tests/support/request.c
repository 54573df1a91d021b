/*
 * Requests as callers write them. Source: docs/protocol.md, S9.
 */
#include <stddef.h>

#include "buffer.h"
#include "clock.h"
#include "request.h"
#include "token.h"

char *
request_text(const struct request *request)
{
    const char *account = request->account != NULL ? request->account : "";
    const char *token = request->token;
    char made[TOKEN_LENGTH + 1];
    struct buffer text = {0};

    if (token == NULL) {
        token_user(account, request->login, TOKEN_SALT, made);
        token = made;
    }
    buffer_add_text(&text, "{");
    if (request->account != NULL)
        buffer_printf(&text, "\"account\": \"%s\", ", account);
    buffer_printf(&text,
                  "\"login\": \"%s\", \"token\": \"%s\", \"method\": \"%s\", "
                  "\"arguments\": ",
                  request->login, token, request->method);
    buffer_add_text(&text, request->arguments);
    buffer_add_text(&text, "}");
    return buffer_take(&text);
}

static char *
user_request(const char *method, const char *arguments)
{
    const struct request request = {
        .account = REQUEST_ACCOUNT,
        .login = REQUEST_LOGIN,
        .method = method,
        .arguments = arguments,
    };

    return request_text(&request);
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
    const struct request request = {
        .login = "admin",
        .token = token,
        .method = method,
        .arguments = arguments,
    };

    token_admin(clock_steady_now(), TOKEN_ADMIN_SALT, token);
    return request_text(&request);
}
