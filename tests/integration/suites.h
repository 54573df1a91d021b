#ifndef SUITES_H
#define SUITES_H

/* One per file test_<subject>.c; each registers its suite. */
void suite_score(void);
void suite_command(void);
void suite_interests(void);
void suite_interests_command(void);
void suite_auth(void);
void suite_transport(void);
void suite_json(void);
void suite_log(void);
void suite_outage(void);
void suite_fcgi(void);
void suite_start(void);
void suite_starvation(void);
void suite_store_redis(void);
void suite_supervisor(void);

#endif
