/*
 * The file of accounts: an accepted file keeps all limits, and its accounts are
 * found; a refused one has errors in whole lines. The input is the file.
 */
#include "base/json.h"
#include "fuzz.h"
#include "scoring/accounts.h"

static const struct auth_salts admin_salts = {1, {{"42", 2}}};

static void
check_account(const struct accounts *accounts, size_t number)
{
    const struct account *account = accounts_get(accounts, number);
    const struct auth_salts *salts;

    FUZZ_CHECK(accounts_find(accounts, account->name, &salts) == account);
    FUZZ_CHECK(salts == &account->salts);
    FUZZ_CHECK(account->name.length <= ACCOUNT_NAME_MAX);
    FUZZ_CHECK(!json_has_control(account->name));
    FUZZ_CHECK(salts->count >= 1 && salts->count <= AUTH_SALTS_MAX);
    for (size_t i = 0; i < salts->count; i++) {
        FUZZ_CHECK(salts->item[i].length > 0);
        FUZZ_CHECK(!auth_salt_clashes(salts->item[i], &admin_salts));
        FUZZ_CHECK(accounts_with_salt(accounts, salts->item[i]) == account);
    }
    FUZZ_CHECK(account->rate >= 0 && account->rate <= LIMIT_MAX);
    FUZZ_CHECK((account->burst > 0) == (account->rate > 0));
    FUZZ_CHECK((account->limit.interval_ns > 0) == (account->rate > 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes text = {(const char *)data, size};
    const struct auth_salts *salts = NULL;
    struct buf errors = {0};
    struct accounts *accounts = accounts_read(text, &admin_salts, &errors);

    FUZZ_CHECK((accounts == NULL) == (errors.length > 0));
    if (accounts == NULL) {
        FUZZ_CHECK(errors.data[errors.length - 1] == '\n');
    } else {
        FUZZ_CHECK(accounts_count(accounts) <= ACCOUNTS_MAX);
        for (size_t i = 0; i < accounts_count(accounts); i++)
            check_account(accounts, i);
        (void)accounts_find(accounts, text, &salts);
        FUZZ_CHECK(salts != NULL && salts->count > 0);
    }
    accounts_free(accounts);
    buf_free(&errors);
    return 0;
}
