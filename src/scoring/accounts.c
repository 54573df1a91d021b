/*
 * The file of accounts: strict JSON, read by a table of members, into a hash
 * table of names. Implements S11 of docs/protocol.md, except what an account
 * may do, which api.c checks, and its rate (limit.c).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/number.h"
#include "scoring/accounts.h"
#include "scoring/api.h"
#include "scoring/document.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Four slots per account: most lookups need only one. */
#define ACCOUNTS_SLOTS (4 * ACCOUNTS_MAX)

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

/* The state of accounts_read(). */
struct reader {
    struct accounts *accounts;
    const struct auth_salts *admin_salts;
    struct document document;
    struct account *account;    /* that is being read */
    size_t entries;             /* so far, also those of a repeated name */
    size_t lines[ACCOUNTS_MAX]; /* where each account begins */
};

/* The members of an account. */

static bool
read_salt(struct reader *reader, const struct json_item *item,
          struct auth_salts *salts)
{
    struct bytes salt;

    if (!json_item_text(item, &salt))
        return document_fault(&reader->document, item->line, "salts",
                              "must be an array of texts");
    if (salt.length == 0)
        return document_fault(&reader->document, item->line, "salts",
                              "a salt must not be empty");
    if (salts->count == AUTH_SALTS_MAX)
        return document_fault(&reader->document, item->line, "salts",
                              "must be at most %d texts", AUTH_SALTS_MAX);
    if (auth_salt_clashes(salt, reader->admin_salts))
        return document_fault(
            &reader->document, item->line, "salts",
            "no salt may be equal to, or the end of, one of the "
            "admin's, nor have one of these at its end");
    salts->item[salts->count++] = salt;
    return true;
}

static void
read_salts(void *arg, const struct json_item *item)
{
    struct json_walk walk = json_walk(item->value, item->length, item->line);
    struct reader *reader = arg;
    struct auth_salts *salts = &reader->account->salts;
    struct json_item salt;
    bool is_good = true;

    if (*item->value != '[')
        is_good = document_fault(&reader->document, item->line, "salts",
                                 "must be an array of texts");
    while (is_good && json_walk_next(&walk, &salt))
        is_good = read_salt(reader, &salt, salts);
    if (is_good && salts->count == 0)
        (void)document_fault(&reader->document, item->line, "salts",
                             "must be at least one text, the newest first");
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

static void
read_methods(void *arg, const struct json_item *item)
{
    struct json_walk walk = json_walk(item->value, item->length, item->line);
    struct reader *reader = arg;
    struct json_item method;
    struct bytes name;
    uint64_t bit = 1;

    reader->account->methods = 0;
    if (*item->value != '[')
        (void)document_fault(&reader->document, item->line, "methods",
                             "must be an array of names of methods");
    while (*item->value == '[' && bit != 0 && json_walk_next(&walk, &method)) {
        bit = json_item_text(&method, &name) ? method_bit(name) : 0;
        if (bit == 0)
            (void)document_fault(&reader->document, method.line, "methods",
                                 "there is no such method");
        reader->account->methods |= bit;
    }
}

static void
read_number(struct reader *reader, const struct json_item *item,
            const char *member, int64_t *ret_number)
{
    char digits[NUMBER_SIZE] = "";

    if (item->length < sizeof(digits))
        memcpy(digits, item->value, item->length);
    if (!number_parse(digits, 1, LIMIT_MAX, ret_number))
        (void)document_fault(&reader->document, item->line, member,
                             "must be an integer from 1 to %d", LIMIT_MAX);
}

static void
read_rate(void *arg, const struct json_item *item)
{
    struct reader *reader = arg;

    read_number(reader, item, "rate", &reader->account->rate);
}

static void
read_burst(void *arg, const struct json_item *item)
{
    struct reader *reader = arg;

    read_number(reader, item, "burst", &reader->account->burst);
}

static void
read_disabled(void *arg, const struct json_item *item)
{
    struct reader *reader = arg;

    if (*item->value != 't' && *item->value != 'f')
        (void)document_fault(&reader->document, item->line, "disabled",
                             "must be true or false");
    reader->account->is_disabled = *item->value == 't';
}

enum member { SALTS = 0, METHODS, RATE, BURST, DISABLED };

static const struct document_row members[] = {
    [SALTS] = {"salts", true, read_salts},
    [METHODS] = {"methods", false, read_methods},
    [RATE] = {"rate", false, read_rate},
    [BURST] = {"burst", false, read_burst},
    [DISABLED] = {"disabled", false, read_disabled},
};

/* Reads a whole account, to report each of its faults. */
static void
entry_read(struct reader *reader, const struct json_item *entry)
{
    struct account *account = reader->account;
    const unsigned given = document_read(&reader->document, entry, members,
                                         COUNT(members), reader);

    if ((given & 1U << BURST) != 0 && (given & 1U << RATE) == 0)
        (void)document_fault(&reader->document, entry->line, "burst",
                             "goes with rate");
    if (account->rate == 0)
        return;
    if (account->burst == 0)
        account->burst = account->rate;
    account->limit = limit_make(account->rate, account->burst);
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

/* Sets the account that faults concern; NULL: none. */
static void
where_set(struct reader *reader, const struct bytes *name)
{
    struct buf *where = &reader->document.where;

    buf_clear(where);
    if (name == NULL)
        return;
    buf_add_text(where, "account ");
    json_add_string(where, *name);
    buf_add_text(where, ": ");
}

static void
name_check(struct reader *reader, const struct json_item *entry)
{
    if (entry->name.length > ACCOUNT_NAME_MAX)
        (void)document_fault(&reader->document, entry->line, NULL,
                             "the name has more than %d bytes",
                             ACCOUNT_NAME_MAX);
    else if (json_has_control(entry->name))
        (void)document_fault(&reader->document, entry->line, NULL,
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

    reader->account = &account;
    where_set(reader, &entry->name);
    name_check(reader, entry);
    if (accounts->slots[slot] != 0)
        (void)document_fault(&reader->document, entry->line, NULL,
                             "is repeated");
    entry_read(reader, entry);
    where_set(reader, NULL);
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
        (void)document_fault(&reader->document, 1, NULL, "out of memory");
        reader->document.faults->failed = true;
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
        where_set(reader, &accounts->items[all[i].number].name);
        (void)document_fault(
            &reader->document, reader->lines[all[i].number], "salts",
            "one of them is a salt of the account of line %zu, too",
            reader->lines[all[i - 1].number]);
    }
    where_set(reader, NULL);
    free(all);
}

static void
file_read(struct reader *reader)
{
    struct document *document = &reader->document;
    struct accounts *accounts = reader->accounts;
    struct json_walk walk;
    struct json_item entry;

    if (!document_check(document,
                        (struct bytes){accounts->text, accounts->length}))
        return;
    walk = json_walk(accounts->text, accounts->length, 1);
    if (walk.closing != '}')
        (void)document_fault(document, walk.line, NULL,
                             "the file must be an object of accounts");
    while (walk.closing == '}' && json_walk_next(&walk, &entry)) {
        if (reader->entries++ == ACCOUNTS_MAX) {
            (void)document_fault(document, entry.line, NULL,
                                 "more than %d accounts", ACCOUNTS_MAX);
            return;
        }
        account_add(reader, &entry);
    }
    shared_check(reader);
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
        errors->failed = true;
        goto out;
    }
    reader->accounts = accounts;
    reader->admin_salts = admin_salts;
    reader->document.faults = errors;
    if (getentropy(&accounts->key, sizeof(accounts->key)) != 0)
        (void)document_fault(&reader->document, 1, NULL,
                             "the system has no random bytes");
    else
        file_read(reader);
    is_good = document_end(&reader->document);
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
