#ifndef REQUEST_H
#define REQUEST_H

/* The login of ordinary requests, with REQUEST_ACCOUNT. */
#define REQUEST_ACCOUNT "horns&hoofs"
#define REQUEST_LOGIN   "h&f"

/* Whole, signed requests as JSON texts, to be freed. */
char *request_score(const char *arguments);
char *request_interests(const char *arguments);
char *request_admin(const char *method, const char *arguments);

struct request {
    const char *account; /* NULL: not there */
    const char *login;
    const char *token; /* NULL: made from account and login */
    const char *method;
    const char *arguments;
};

/* The same with every part as given; texts without need of escapes. */
char *request_text(const struct request *request);

#endif
