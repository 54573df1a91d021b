/*
 * The file of accounts: strict JSON, read by a table of members, into a hash
 * table of names. Implements S11 of docs/protocol.md, except what an account
 * may do, which api.c checks, and its rate (limit.c).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/number.h"
#include "scoring/accounts.h"
#include "scoring/api.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Four slots per account: most lookups need only one. */
#define ACCOUNTS_SLOTS (4 * ACCOUNTS_MAX)

#define ACCOUNTS_FAULTS_MAX 20 /* reported one by one; then counted */

#define FAULT_SIZE 256 /* the text of one fault */

/* A number is copied with a NUL; a longer one is out of bounds. */
#define NUMBER_SIZE 16

/* If no account is listed at all, tokens are checked against this salt. It is
 * as long as those that `scoring accounts new` prints. */
#define NOBODYS_SALT                                                           \
    "----------------------------------------------------------------"

struct accounts {
    struct hash_key key;
    struct auth_salts nobodys;
    size_t count;
    struct account items[ACCOUNTS_MAX];
    uint64_t hashes[ACCOUNTS_MAX];
    uint16_t
        slots[ACCOUNTS_SLOTS]; /* the number of an account plus 1; 0: free */
    size_t length;             /* of text */
    char text[];               /* the file; names and salts point into it */
};

struct reader {
    struct accounts *accounts;
    const struct auth_salts *admin_salts;
    struct buf *errors;
    size_t faults;
    const struct bytes *name;   /* of the account being read, or NULL */
    size_t lines[ACCOUNTS_MAX]; /* where each account begins */
};

/* Reads a member of an account; on a fault, reports it and returns false. */
typedef bool member_read(struct reader *reader, const struct json_item *item,
                         struct account *account);

static member_read read_salts, read_methods, read_rate, read_burst,
    read_disabled;

static const struct member {
    const char *name;
    member_read *read;
} members[] = {
    {"salts", read_salts}, {"methods", read_methods},   {"rate", read_rate},
    {"burst", read_burst}, {"disabled", read_disabled},
};

/*
 * Reports a fault: the line, the account, the member, and what is expected;
 * never the actual value, which may be a salt in the wrong place.
 *
 * member   NULL: the fault concerns no member.
 *
 * Returns false.
 */
static bool __attribute__((format(printf, 4, 5)))
fault(struct reader *reader, size_t line, const char *member,
      const char *format, ...)
{
    char words[FAULT_SIZE];
    va_list args;

    if (++reader->faults > ACCOUNTS_FAULTS_MAX)
        return false;
    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    buf_printf(reader->errors, "line %zu: ", line);
    if (reader->name != NULL) {
        buf_add_text(reader->errors, "account ");
        json_add_string(reader->errors, *reader->name);
        buf_add_text(reader->errors, ": ");
    }
    if (member != NULL)
        buf_printf(reader->errors, "%s: ", member);
    buf_printf(reader->errors, "%s\n", words);
    return false;
}

/* The members of an account. */

static bool
read_salt(struct reader *reader, const struct json_item *item,
          struct auth_salts *salts)
{
    struct bytes salt;

    if (!json_item_text(item, &salt))
        return fault(reader, item->line, "salts", "must be an array of texts");
    if (salt.length == 0)
        return fault(reader, item->line, "salts", "a salt must not be empty");
    if (salts->count == AUTH_SALTS_MAX)
        return fault(reader, item->line, "salts", "must be at most %d texts",
                     AUTH_SALTS_MAX);
    if (auth_salt_clashes(salt, reader->admin_salts))
        return fault(reader, item->line, "salts",
                     "no salt may be equal to, or the end of, one of the "
                     "admin's, nor have one of these at its end");
    salts->item[salts->count++] = salt;
    return true;
}

static bool
read_salts(struct reader *reader, const struct json_item *item,
           struct account *account)
{
    struct json_walk walk = json_walk(item->value, item->length, item->line);
    struct json_item salt;

    if (*item->value != '[')
        return fault(reader, item->line, "salts", "must be an array of texts");
    while (json_walk_next(&walk, &salt)) {
        if (!read_salt(reader, &salt, &account->salts))
            return false;
    }
    if (account->salts.count == 0)
        return fault(reader, item->line, "salts",
                     "must be at least one text, the newest first");
    return true;
}

/* The bit of a method; 0 if there is none of this name. */
static uint64_t
method_bit(struct bytes name)
{
    const char *known;

    for (size_t i = 0; (known = api_method_name(i)) != NULL; i++) {
        if (bytes_equal(name, bytes_of(known)))
            return UINT64_C(1) << i;
    }
    return 0;
}

static bool
read_methods(struct reader *reader, const struct json_item *item,
             struct account *account)
{
    struct json_walk walk = json_walk(item->value, item->length, item->line);
    struct json_item method;
    struct bytes name;
    uint64_t bit;

    account->methods = 0;
    if (*item->value != '[')
        return fault(reader, item->line, "methods",
                     "must be an array of names of methods");
    while (json_walk_next(&walk, &method)) {
        bit = json_item_text(&method, &name) ? method_bit(name) : 0;
        if (bit == 0)
            return fault(reader, method.line, "methods",
                         "there is no such method");
        account->methods |= bit;
    }
    return true;
}

static bool
read_number(struct reader *reader, const struct json_item *item,
            const char *member, int64_t *ret_number)
{
    char digits[NUMBER_SIZE] = "";

    if (item->length < sizeof(digits))
        memcpy(digits, item->value, item->length);
    if (number_parse(digits, 1, LIMIT_MAX, ret_number))
        return true;
    return fault(reader, item->line, member, "must be an integer from 1 to %d",
                 LIMIT_MAX);
}

static bool
read_rate(struct reader *reader, const struct json_item *item,
          struct account *account)
{
    return read_number(reader, item, "rate", &account->rate);
}

static bool
read_burst(struct reader *reader, const struct json_item *item,
           struct account *account)
{
    return read_number(reader, item, "burst", &account->burst);
}

static bool
read_disabled(struct reader *reader, const struct json_item *item,
              struct account *account)
{
    if (*item->value != 't' && *item->value != 'f')
        return fault(reader, item->line, "disabled", "must be true or false");
    account->is_disabled = *item->value == 't';
    return true;
}

/* The number of a member in the table; COUNT(members) if there is none. */
static size_t
member_find(struct bytes name)
{
    size_t i = 0;

    while (i < COUNT(members) && !bytes_equal(name, bytes_of(members[i].name)))
        i++;
    return i;
}

static void
unknown_member(struct reader *reader, const struct json_item *item)
{
    struct buf name = {0};

    json_add_string(&name, item->name);
    buf_add(&name, "", 1);
    (void)fault(reader, item->line, name.failed ? NULL : name.data,
                "there is no such member");
    buf_free(&name);
}

/* given: a mask of the numbers of members. */
static bool
is_given(unsigned given, const char *member)
{
    return (given >> member_find(bytes_of(member)) & 1) != 0;
}

/* Checks what concerns several members. */
static void
entry_finish(struct reader *reader, size_t line, unsigned given,
             struct account *account)
{
    if (!is_given(given, "salts"))
        (void)fault(reader, line, "salts", "is missing");
    if (is_given(given, "burst") && !is_given(given, "rate"))
        (void)fault(reader, line, "burst", "goes with rate");
    if (account->rate == 0)
        return;
    if (account->burst == 0)
        account->burst = account->rate;
    account->limit = limit_make(account->rate, account->burst);
}

/* Reads a whole account, to report each of its faults. */
static void
entry_read(struct reader *reader, const struct json_item *entry,
           struct account *account)
{
    struct json_walk walk = json_walk(entry->value, entry->length, entry->line);
    struct json_item item;
    unsigned given = 0;

    if (walk.closing != '}') {
        (void)fault(reader, entry->line, NULL, "must be an object");
        return;
    }
    while (json_walk_next(&walk, &item)) {
        const size_t i = member_find(item.name);

        if (i == COUNT(members))
            unknown_member(reader, &item);
        else if (given & 1U << i)
            (void)fault(reader, item.line, members[i].name, "stands twice");
        else
            (void)members[i].read(reader, &item, account);
        given |= i < COUNT(members) ? 1U << i : 0;
    }
    entry_finish(reader, entry->line, given, account);
}

/* Names. */

/* One byte more than any account's name has is enough to hash. */
static uint64_t
name_hash(const struct accounts *accounts, struct bytes name)
{
    if (name.length > ACCOUNT_NAME_MAX + 1)
        name.length = ACCOUNT_NAME_MAX + 1;
    return hash_bytes(&accounts->key, name);
}

/* The slot of a name, or the free slot where it belongs. */
static size_t
slot_find(const struct accounts *accounts, struct bytes name, uint64_t hash)
{
    size_t slot = hash % ACCOUNTS_SLOTS;

    while (accounts->slots[slot] != 0) {
        const size_t number = accounts->slots[slot] - 1U;

        if (accounts->hashes[number] == hash &&
            bytes_equal(accounts->items[number].name, name))
            break;
        slot = (slot + 1) % ACCOUNTS_SLOTS;
    }
    return slot;
}

static void
name_check(struct reader *reader, const struct json_item *entry)
{
    if (entry->name.length > ACCOUNT_NAME_MAX)
        (void)fault(reader, entry->line, NULL,
                    "the name has more than %d bytes", ACCOUNT_NAME_MAX);
    else if (json_has_control(entry->name))
        (void)fault(reader, entry->line, NULL,
                    "the name has a control character");
}

/* Also an account with faults is added, to compare others with it. */
static void
account_add(struct reader *reader, const struct json_item *entry)
{
    struct accounts *accounts = reader->accounts;
    struct account account = {
        .name = entry->name, .methods = UINT64_MAX, .place = ACCOUNT_NO_PLACE};
    const uint64_t hash = name_hash(accounts, entry->name);
    const size_t slot = slot_find(accounts, entry->name, hash);

    reader->name = &entry->name;
    name_check(reader, entry);
    if (accounts->slots[slot] != 0)
        (void)fault(reader, entry->line, NULL, "stands twice");
    entry_read(reader, entry, &account);
    reader->name = NULL;
    if (accounts->slots[slot] != 0)
        return;
    accounts->items[accounts->count] = account;
    accounts->hashes[accounts->count] = hash;
    reader->lines[accounts->count] = entry->line;
    accounts->slots[slot] = (uint16_t)++accounts->count;
}

/* A salt, and the number of its account. */
struct owned {
    struct bytes salt;
    size_t number;
};

static int
owned_compare(const void *left, const void *right)
{
    const struct owned *a = left, *b = right;
    const size_t shorter =
        a->salt.length < b->salt.length ? a->salt.length : b->salt.length;
    const int order = memcmp(a->salt.at, b->salt.at, shorter);

    if (order != 0)
        return order;
    if (a->salt.length != b->salt.length)
        return a->salt.length < b->salt.length ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

/* A partner who knows a shared salt could make the other's tokens. */
static void
shared_check(struct reader *reader)
{
    const struct accounts *accounts = reader->accounts;
    struct owned *all =
        calloc(accounts->count * AUTH_SALTS_MAX + 1, sizeof(*all));
    size_t count = 0;

    if (all == NULL) {
        (void)fault(reader, 1, NULL, "out of memory");
        return;
    }
    for (size_t i = 0; i < accounts->count; i++) {
        const struct auth_salts *salts = &accounts->items[i].salts;

        for (size_t j = 0; j < salts->count; j++)
            all[count++] = (struct owned){salts->item[j], i};
    }
    qsort(all, count, sizeof(*all), owned_compare);
    for (size_t i = 1; i < count; i++) {
        if (all[i].number == all[i - 1].number ||
            !bytes_equal(all[i].salt, all[i - 1].salt))
            continue;
        reader->name = &accounts->items[all[i].number].name;
        (void)fault(reader, reader->lines[all[i].number], "salts",
                    "one of them is a salt of the account of line %zu, too",
                    reader->lines[all[i - 1].number]);
    }
    reader->name = NULL;
    free(all);
}

static bool
file_read(struct reader *reader)
{
    struct accounts *accounts = reader->accounts;
    const struct bytes text = {accounts->text, accounts->length};
    struct json_walk walk;
    struct json_item entry;
    struct json_fault problem;

    if (!json_check(text, &problem))
        return fault(reader, json_line(text, problem.offset), NULL, "%s",
                     json_error_text(problem.error));
    walk = json_walk(accounts->text, accounts->length, 1);
    if (walk.closing != '}')
        return fault(reader, walk.line, NULL,
                     "the file must be an object of accounts");
    for (size_t count = 1; json_walk_next(&walk, &entry); count++) {
        if (count > ACCOUNTS_MAX)
            return fault(reader, entry.line, NULL, "more than %d accounts",
                         ACCOUNTS_MAX);
        account_add(reader, &entry);
    }
    shared_check(reader);
    return reader->faults == 0;
}

static struct accounts *
accounts_new(struct bytes text)
{
    struct accounts *accounts = calloc(1, sizeof(*accounts) + text.length);

    if (accounts == NULL)
        return NULL;
    accounts->nobodys.count = 1;
    accounts->nobodys.item[0] = bytes_of(NOBODYS_SALT);
    accounts->length = text.length;
    if (text.length > 0)
        memcpy(accounts->text, text.at, text.length);
    return accounts;
}

struct accounts *
accounts_read(struct bytes text, const struct auth_salts *admin_salts,
              struct buf *errors)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    struct accounts *accounts = accounts_new(text);
    bool is_good = false;

    if (reader == NULL || accounts == NULL) {
        buf_add_text(errors, "out of memory\n");
        goto out;
    }
    *reader = (struct reader){
        .accounts = accounts, .admin_salts = admin_salts, .errors = errors};
    if (getentropy(&accounts->key, sizeof(accounts->key)) != 0)
        (void)fault(reader, 1, NULL, "the system has no random bytes");
    else
        is_good = file_read(reader);
    if (reader->faults > ACCOUNTS_FAULTS_MAX)
        buf_printf(errors, "%zu more faults\n",
                   reader->faults - ACCOUNTS_FAULTS_MAX);
out:
    free(reader);
    if (is_good)
        return accounts;
    accounts_free(accounts);
    return NULL;
}

void
accounts_free(struct accounts *accounts)
{
    if (accounts == NULL)
        return;
    explicit_bzero(accounts, sizeof(*accounts) + accounts->length);
    free(accounts);
}

const struct account *
accounts_find(const struct accounts *accounts, struct bytes name,
              const struct auth_salts **ret_salts)
{
    const uint64_t hash = name_hash(accounts, name);
    const size_t number = accounts->slots[slot_find(accounts, name, hash)];

    if (number != 0) {
        *ret_salts = &accounts->items[number - 1].salts;
        return &accounts->items[number - 1];
    }
    *ret_salts = &accounts->nobodys;
    if (accounts->count > 0)
        *ret_salts =
            &accounts->items[(hash / ACCOUNTS_SLOTS) % accounts->count].salts;
    return NULL;
}

size_t
accounts_count(const struct accounts *accounts)
{
    return accounts->count;
}

const struct account *
accounts_get(const struct accounts *accounts, size_t number)
{
    return &accounts->items[number];
}

void
accounts_set_place(struct accounts *accounts, size_t number, size_t place,
                   limit_used *used)
{
    accounts->items[number].place = place;
    accounts->items[number].used = used;
}

const struct account *
accounts_with_salt(const struct accounts *accounts, struct bytes salt)
{
    for (size_t i = 0; i < accounts->count; i++) {
        if (auth_salts_find(&accounts->items[i].salts, salt) > 0)
            return &accounts->items[i];
    }
    return NULL;
}
