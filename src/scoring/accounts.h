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
 * The partners' accounts: the salts of each, which methods it may call, and how
 * often. They are read as a whole from a JSON file; afterwards only their
 * places are set. Source: docs/protocol.md, S11.
 */
struct accounts;

#define ACCOUNTS_MAX     1024
#define ACCOUNT_NAME_MAX 256 /* bytes */

/* accounts_set_place() has not been called for this account. */
#define ACCOUNT_NO_PLACE SIZE_MAX

struct account {
    struct bytes name; /* UTF-8 without control characters; may be empty */
    struct auth_salts salts;
    uint64_t methods;    /* that it may call: bits 1 << the method's number */
    int64_t rate, burst; /* requests per second, and at once; 0: no limit */
    struct limit limit;
    bool is_disabled;
    size_t place;     /* of its metrics */
    limit_used *used; /* of the limit; NULL: the limit is not enforced */
};

/*
 * Reads the content of a file.
 *
 * text          borrowed for this call.
 * admin_salts   borrowed for this call; no salt of an account may equal one of
 *               these, be its end, or have it as its end.
 * errors        receives one line, with a line feed, for each of the first 20
 *               faults: the line number in the file, the account and the
 *               member, and never a salt; and one line that counts the others.
 *               Its `failed` is set if memory ran out.
 *
 * Returns the accounts, which the caller frees, or NULL with errors filled.
 */
struct accounts *accounts_read(struct bytes text,
                               const struct auth_salts *admin_salts,
                               struct buf *errors);

/* Wipes the salts. Accepts NULL. */
void accounts_free(struct accounts *accounts);

/*
 * Looks an account up by its whole name. The cost does not depend on the number
 * of accounts.
 *
 * ret_salts  the salts to check a token against, lent by the accounts: those of
 *            the account or, if it is not listed, those of another one, so that
 *            refusing it takes as long (S11.4).
 *
 * Returns NULL if the account is not listed.
 */
const struct account *accounts_find(const struct accounts *accounts,
                                    struct bytes name,
                                    const struct auth_salts **ret_salts);

/* The accounts by their number, from 0, in the order of the file. */
size_t accounts_count(const struct accounts *accounts);
const struct account *accounts_get(const struct accounts *accounts,
                                   size_t number);

/* Sets where all workers count an account: the place of its metrics, and the
 * used part of its limit, borrowed. */
void accounts_set_place(struct accounts *accounts, size_t number, size_t place,
                        limit_used *used);

/* The account that has this salt (no two accounts share one), or NULL. */
const struct account *accounts_with_salt(const struct accounts *accounts,
                                         struct bytes salt);

#endif
