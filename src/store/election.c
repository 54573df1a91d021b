/*
 * Chooses the master from the votes of the sentinels. It implements S21.3 of
 * docs/protocol.md: the highest configuration epoch wins, and for equal epochs
 * the server with the most votes. A server that reports that it is not the
 * master is distrusted for a while. An older epoch wins only with the votes of
 * most sentinels, because a few may be cut off from the others. Without any
 * vote the last master stays.
 */
#include <string.h>

#include "store/election.h"

bool
master_is_same(const struct master *a, const struct master *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool
election_distrusts(const struct election *election, const struct master *master,
                   int64_t now_ms)
{
    return now_ms < election->distrust_until_ms &&
           master_is_same(&election->distrusted, master);
}

bool
election_has_master(const struct election *election, int64_t now_ms)
{
    return election->current.host[0] != '\0' &&
           !election_distrusts(election, &election->current, now_ms);
}

void
election_distrust(struct election *election, int64_t now_ms)
{
    const bool again =
        master_is_same(&election->distrusted, &election->current) &&
        election->distrusted.epoch == election->current.epoch;

    election->distrust_ms =
        again ? 2 * election->distrust_ms : ELECTION_DISTRUST_MS;
    if (election->distrust_ms > ELECTION_DISTRUST_MAX_MS)
        election->distrust_ms = ELECTION_DISTRUST_MAX_MS;
    election->distrust_until_ms = now_ms + election->distrust_ms;
    election->distrusted = election->current;
}

static size_t
votes_for(const struct master *votes, size_t count, const struct master *master)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += votes[i].epoch == master->epoch &&
               master_is_same(&votes[i], master);
    return sum;
}

/* Whether a wins over b; if all else is equal, the current master stays. */
static bool
wins_over(const struct election *election, const struct master *votes,
          size_t count, const struct master *a, const struct master *b)
{
    const size_t for_a = votes_for(votes, count, a);
    const size_t for_b = votes_for(votes, count, b);

    if (a->epoch != b->epoch)
        return a->epoch > b->epoch;
    if (for_a != for_b)
        return for_a > for_b;
    return master_is_same(a, &election->current) &&
           !master_is_same(b, &election->current);
}

bool
election_hold(struct election *election, const struct master *votes,
              size_t count, size_t known, int64_t now_ms)
{
    const bool is_free = !election_has_master(election, now_ms);
    const struct master *best = NULL;
    bool is_another;

    for (size_t i = 0; i < count; i++)
        if (!election_distrusts(election, &votes[i], now_ms) &&
            (best == NULL ||
             wins_over(election, votes, count, &votes[i], best)))
            best = &votes[i];
    if (best == NULL)
        return false;
    is_another = !master_is_same(best, &election->current);
    if (!is_free && best->epoch < election->current.epoch &&
        2 * votes_for(votes, count, best) <= known)
        return false;
    election->current = *best;
    return is_another;
}
