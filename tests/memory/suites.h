#ifndef SUITES_H
#define SUITES_H

/* One per file test_<module>.c; each registers its suite. */
void suite_api(void);
void suite_buf(void);
void suite_command(void);
void suite_config(void);
void suite_conn(void);
void suite_redis(void);
void suite_session(void);
void suite_store(void);

#endif
