/*
 * The choice of the master. Votes are texts: "A5" is the master A of epoch 5.
 */
#include <stdio.h>
#include <string.h>

#include "store/election.h"
#include "support/cases.h"

#define VOTES_MAX 5

struct election_case {
    const char *name;
    const char *current; /* before; "": none */
    const char *distrusted;
    const char *votes;
    size_t known;
    const char *want;
};

static const struct election_case election_rows[] = {
    {"the only one", "", "", "A0", 1, "A0"},
    {"nobody names one", "", "", "", 3, ""},
    {"the highest epoch", "", "", "A5 B6 A5", 3, "B6"},
    {"the highest epoch goes before any number", "B6", "", "A5 A5 B6", 3, "B6"},
    {"a new one at the word of one", "A5", "", "A5 B6 A5", 3, "B6"},
    {"the same epoch: most sentinels", "", "", "A5 B5 B5", 3, "B5"},
    {"the same epoch, likewise against the current one", "A5", "", "A5 B5 B5",
     3, "B5"},
    {"the same epoch, as many: the current one", "B5", "", "A5 B5", 2, "B5"},
    {"the same epoch, as many: the first", "", "", "A5 B5", 2, "A5"},
    {"votes of another epoch do not count", "", "", "A5 A4 A4 B5 B5", 5, "B5"},
    {"all gone: the last one stays", "A5", "", "", 3, "A5"},
    {"a higher epoch of the same one", "A5", "", "A7", 3, "A7"},
    {"an older epoch, by a minority", "B6", "", "A5", 3, "B6"},
    {"an older epoch, by half of them", "B6", "", "A5 A5", 4, "B6"},
    {"an older epoch, by most: they began anew", "B6", "", "A0 A0", 3, "A0"},
    {"an older epoch of the same one", "A6", "", "A5", 3, "A6"},
    {"who is no master is not believed", "A5", "A5", "A5 A5 B4", 3, "B4"},
    {"nor if there is no other", "A5", "A5", "A5 A5", 3, "A5"},
    {"nor at the word of few for another", "A5", "A5", "A5 B3", 9, "B3"},
    {"a new epoch of another one", "A5", "A5", "A5 B6", 3, "B6"},
};

static struct master
master_of(const char *text)
{
    struct master master = {.port = 1};

    if (*text == '\0')
        return master;
    master.host[0] = text[0];
    master.epoch = text[1] - '0';
    return master;
}

static size_t
read_votes(const char *text, struct master votes[VOTES_MAX])
{
    size_t count = 0;

    for (; *text != '\0'; text += text[2] == ' ' ? 3 : 2)
        votes[count++] = master_of(text);
    return count;
}

TEST_CASES(election, struct election_case, election_rows)
{
    struct master votes[VOTES_MAX], want = master_of(c->want);
    const struct master before = master_of(c->current);
    struct election election = {.current = before};
    size_t count = read_votes(c->votes, votes);
    bool is_another;

    if (c->distrusted[0] != '\0') {
        election.current = master_of(c->distrusted);
        election_distrust(&election, 0);
        election.current = before;
    }
    is_another = election_hold(&election, votes, count, c->known, 1);
    CU_ASSERT_STRING_EQUAL(election.current.host, want.host);
    CU_ASSERT_EQUAL(election.current.epoch, want.epoch);
    CU_ASSERT_EQUAL(is_another, strcmp(before.host, want.host) != 0);
}

struct distrust_case {
    const char *name;
    const char *who[VOTES_MAX]; /* the votes, one election after the other */
    int64_t
        until_ms; /* how long the last one, distrusted at 0, stays distrusted */
};

static const struct distrust_case distrust_rows[] = {
    {"half a second", {"A5"}, 500},
    {"again: a second", {"A5", "A5"}, 1000},
    {"and again", {"A5", "A5", "A5"}, 2000},
    {"of a new epoch", {"A5", "A6"}, 500},
    {"another one", {"A5", "B5"}, 500},
};

TEST_CASES(distrust, struct distrust_case, distrust_rows)
{
    struct election election = {0};

    for (size_t i = 0; i < VOTES_MAX && c->who[i] != NULL; i++) {
        election.current = master_of(c->who[i]);
        election_distrust(&election, 0);
        CU_ASSERT_FALSE(election_has_master(&election, 0));
    }
    CU_ASSERT_FALSE(election_has_master(&election, c->until_ms - 1));
    CU_ASSERT_TRUE(election_has_master(&election, c->until_ms));
}

TEST_SINGLE(distrust_end, "distrust is never for longer than half a minute")
{
    struct election election = {.current = {.host = "A", .port = 1}};

    for (int i = 0; i < 20; i++)
        election_distrust(&election, 0);
    CU_ASSERT_TRUE(election_has_master(&election, ELECTION_DISTRUST_MAX_MS));
}

TEST_SINGLE(nobody, "nobody is no master")
{
    const struct election election = {.current = {.host = ""}};

    CU_ASSERT_FALSE(election_has_master(&election, 0));
}
