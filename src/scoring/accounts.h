#ifndef ACCOUNTS_H
#define ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "scoring/auth.h"
#include "scoring/limit.h"

/*
 * The partners: who may call, by which salts, what, and how often. Read as a
 * whole from a file of JSON, and never changed. Source: docs/protocol.md,
 * S11.
 */
struct accounts;

#define ACCOUNTS_MAX     1024
#define ACCOUNT_NAME_MAX 256 /* bytes */

/* No place has been given to it. */
#define ACCOUNT_NO_PLACE SIZE_MAX

struct account {
    struct bytes name; /* UTF-8 without control characters; may be empty */
    struct auth_salts salts;
    uint64_t methods;    /* that it may call: bits 1 << the method's number */
    int64_t rate, burst; /* as given; 0: no limit */
    struct limit limit;
    bool is_disabled;
    size_t place;     /* by which it is counted */
    limit_used *used; /* of its limit; NULL: it is not held to one */
};

/*
 * Reads the content of a file.
 *
 * text          borrowed for this call.
 * admin_salts   none of an account's may be equal to, or the end of, one of
 *               these, nor the other way round.
 * errors        receives a line for each fault, of the first 20, each ending
 *               in '\n', with the number of the file's line, the account and
 *               the member; never a salt.
 *
 * Returns the accounts, owned by the caller, or NULL with errors filled.
 */
struct accounts *accounts_read(struct bytes text,
                               const struct auth_salts *admin_salts,
                               struct buf *errors);

/* Wipes the salts. Accepts NULL. */
void accounts_free(struct accounts *accounts);

/*
 * Looks an account up by its whole name, at the same cost however many there
 * are.
 *
 * ret_salts  the salts to check a token against: those of the account, or, of
 *            one that is not listed, somebody else's, so that to refuse it
 *            takes as long. Lent by the accounts.
 *
 * Returns NULL if it is not listed.
 */
const struct account *accounts_find(const struct accounts *accounts,
                                    struct bytes name,
                                    const struct auth_salts **ret_salts);

/* By their number, from 0, in the file's order. */
size_t accounts_count(const struct accounts *accounts);
const struct account *accounts_get(const struct accounts *accounts,
                                   size_t number);

/* Where all workers count it. used is borrowed. */
void accounts_set_place(struct accounts *accounts, size_t number, size_t place,
                        limit_used *used);

/* The account that has this salt, which no two have; NULL: none has. */
const struct account *accounts_with_salt(const struct accounts *accounts,
                                         struct bytes salt);

#endif
