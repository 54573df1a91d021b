#ifndef SUPPORT_REQUEST_H
#define SUPPORT_REQUEST_H

/* Account and login of the requests that tests send by default. */
#define REQUEST_ACCOUNT "horns&hoofs"
#define REQUEST_LOGIN   "h&f"

/* Arguments of those: scores of 3.0 and 0.5, and two clients. */
#define REQUEST_PERSON "{\"phone\": \"79175002040\", \"email\": \"a@b\"}"
#define REQUEST_NAMES  "{\"first_name\": \"a\", \"last_name\": \"b\"}"
#define REQUEST_IDS    "{\"client_ids\": [1, 2]}"

/* Make the JSON text of a request with a valid token; the caller frees it. */
char *request_score(const char *arguments);
char *request_interests(const char *arguments);
char *request_admin(const char *method, const char *arguments);

enum request_kind {
    REQUEST_SCORE = 0,
    REQUEST_INTERESTS,
    REQUEST_ADMIN_SCORE,
    REQUEST_AS_IT_IS /* the text, instead of arguments */
};

char *request_of(enum request_kind kind, const char *text);

/* A score of no account's, signed with this salt. */
char *request_salted(const char *salt);

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
