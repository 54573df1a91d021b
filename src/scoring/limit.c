/*
 * The rate of an account: the generic cell rate algorithm on one atomic number,
 * which all workers of a host share. Implements S11.5 and S11.6 of
 * docs/protocol.md.
 */
#include <assert.h>

#include "base/units.h"
#include "scoring/limit.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2,
               "atomics must work between processes");

struct limit
limit_make(int64_t rate, int64_t burst)
{
    assert(rate >= 1 && rate <= LIMIT_MAX && burst >= 1 && burst <= LIMIT_MAX);
    return (struct limit){NS_PER_S / rate, burst};
}

/* A time in the past means the same as now: the whole burst is available. */
static int64_t
not_before(int64_t used_ns, int64_t now_ns)
{
    return used_ns > now_ns ? used_ns : now_ns;
}

int64_t
limit_take(const struct limit *limit, limit_used *used, int64_t now_ns)
{
    const int64_t last_ns = now_ns + (limit->burst - 1) * limit->interval_ns;
    int64_t before_ns = atomic_load_explicit(used, memory_order_relaxed);
    int64_t from_ns;

    if (limit->interval_ns == 0)
        return 0;
    do {
        from_ns = not_before(before_ns, now_ns);
        if (from_ns > last_ns)
            return from_ns - last_ns;
    } while (!atomic_compare_exchange_weak_explicit(
        used, &before_ns, from_ns + limit->interval_ns, memory_order_relaxed,
        memory_order_relaxed));
    return 0;
}

void
limit_take_more(const struct limit *limit, limit_used *used, int64_t count,
                int64_t now_ns)
{
    int64_t before_ns = atomic_load_explicit(used, memory_order_relaxed);

    while (limit->interval_ns > 0 &&
           !atomic_compare_exchange_weak_explicit(
               used, &before_ns,
               not_before(before_ns, now_ns) + count * limit->interval_ns,
               memory_order_relaxed, memory_order_relaxed))
        continue;
}

void
limit_carry(const struct limit *from, const struct limit *to, limit_used *used,
            int64_t now_ns)
{
    int64_t before_ns = atomic_load_explicit(used, memory_order_relaxed);
    int64_t after_ns;

    if (from->interval_ns == to->interval_ns || from->interval_ns == 0 ||
        to->interval_ns == 0)
        return;
    do {
        const double count = (double)(not_before(before_ns, now_ns) - now_ns) /
                             (double)from->interval_ns;

        after_ns = now_ns + (int64_t)(count * (double)to->interval_ns);
    } while (!atomic_compare_exchange_weak_explicit(used, &before_ns, after_ns,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed));
}
