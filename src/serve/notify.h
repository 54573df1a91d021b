#ifndef NOTIFY_H
#define NOTIFY_H

/*
 * Reports a state, "READY=1" or "STOPPING=1", to the service manager. Does
 * nothing without NOTIFY_SOCKET in the environment. Never blocks: a state that
 * cannot be sent at once is lost. Source: sd_notify(3); docs/protocol.md,
 * S27.2.
 */
void notify_send(const char *state);

#endif
