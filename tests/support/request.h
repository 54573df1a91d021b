#ifndef SUPPORT_REQUEST_H
#define SUPPORT_REQUEST_H

/* Account and login of the requests that tests send by default. */
#define REQUEST_ACCOUNT "horns&hoofs"
#define REQUEST_LOGIN   "h&f"

/* Make the JSON text of a request with a valid token; the caller frees it. */
char *request_score(const char *arguments);
char *request_interests(const char *arguments);
char *request_admin(const char *method, const char *arguments);

struct request_parts {
    const char *account; /* NULL: the member is left out */
    const char *login;
    const char *token; /* NULL: the valid one of account and login */
    const char *method;
    const char *arguments; /* JSON */
};

/* The same from these parts; the texts are not escaped. */
char *request_text(const struct request_parts *parts);

#endif
