#ifndef NOTIFY_H
#define NOTIFY_H

/*
 * Tells the service manager how the service is: "READY=1", "STOPPING=1". Does
 * nothing where none asked for it by NOTIFY_SOCKET, and never blocks: a state
 * that cannot be sent is lost. Source: sd_notify(3).
 */
void notify_send(const char *state);

#endif
