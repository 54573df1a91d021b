#ifndef SUITES_H
#define SUITES_H

/* One per file test_<module>.c; each registers its suite. */
void suite_api(void);
void suite_auth(void);
void suite_buf(void);
void suite_clock(void);
void suite_config(void);
void suite_config_file(void);
void suite_config_text(void);
void suite_config_zone(void);
void suite_conn(void);
void suite_date(void);
void suite_endpoint(void);
void suite_fcgi_gather(void);
void suite_fcgi_scan(void);
void suite_fields(void);
void suite_interests_line(void);
void suite_json(void);
void suite_line_reader(void);
void suite_log(void);
void suite_metrics(void);
void suite_metrics_text(void);
void suite_number(void);
void suite_progress(void);
void suite_redis_command(void);
void suite_redis_connect(void);
void suite_redis_error(void);
void suite_redis_link(void);
void suite_redis_session(void);
void suite_redis_stream(void);
void suite_redis_url(void);
void suite_redis_writer(void);
void suite_resolver(void);
void suite_score(void);
void suite_store(void);
void suite_trace(void);
void suite_supervisor(void);
void suite_worker(void);

#endif
