/* Time zones: a name that libc would take as UTC is refused. */
#include <stdio.h>
#include <string.h>

#include "config/zone.h"
#include "support/cases.h"

struct zone_case {
    const char *name; /* the zone, except in the row of the empty one */
    bool want;
};

static const struct zone_case zone_rows[] = {
    {"UTC", true},
    {"Europe/Moscow", true},
    {":Europe/Moscow", true},
    {ZONE_FOLDER "/Europe/Moscow", true},
    {":" ZONE_FOLDER "/Europe/Moscow", true},
    {"Europe/../Europe/Moscow", true},
    {"Europe/Nowhere", false},
    {"europe/berlin", false},
    {"Asia", false},
    {"Europe/Moscow/", false},
    {" Europe/Moscow", false},
    {"Europe/Moscow ", false},
    {"zone.tab", false},
    {"../../../etc/passwd", false},
    {"/etc/passwd", false},
    {"/etc", false},
    {"/dev/null", false},
    {"/nonexistent", false},
    {":", false},
    {"", false},
    {"CET-1", true},
    {"CET-1CEST", true},
    {"CET-1CEST,M3.5.0,M10.5.0/3", true},
    {"XXX+5:30", true},
    {"XXX5:30:15", true},
    {"<+03>-3", true},
    {"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", true},
    {"AAA0BBB,J1,J365", true},
    {"AAA0BBB,0,365/23:59:59", true},
    {"AAA24", true},
    {"AAA25", false},
    {"AAA-24:59:59BBB+24", true},
    {"AAA0BBB25", false},
    {"AAA1:60", false},
    {"AAA1:0:60", false},
    {"AAA1:", false},
    {"AAA1:1:1:1", false},
    {"AAA0BBB,J0,J365", false},
    {"AAA0BBB,J1,J366", false},
    {"AAA0BBB,0,366", false},
    {"AAA0BBB,M1.1.0/167,M12.1.0", true},
    {"AAA0BBB,M1.1.0/168,M12.1.0", false},
    {"AAA0BBB,M1.1.6,M12.5.6", true},
    {"AAA0BBB,M1.1.0,M12.1.0/168", false},
    {"AAA0BBB,M1.0.0,M12.1.0", false},
    {"AAA0BBB,M1.1,M12.1.0", false},
    {"AAA0BBB,M1.1.0,M12.1.0,", false},
    {"AAA0BBB,M1.1.0,M12.1.0/", false},
    {"AAA0BB", false},
    {"AAA0000", false},
    {"AA1", false},
    {"<A>1", false},
    {"<+03-3", false},
    {"MSK", false},
    {"MSK+", false},
    {"CET-1CEST,M3.5.0", false},
    {"CET-1CEST,M13.5.0,M10.5.0", false},
    {"CET-1CEST,M3.6.0,M10.5.0", false},
    {"CET-1CEST,M3.5.7,M10.5.0", false},
    {"CET-1CEST,M0.5.0,M10.5.0", false},
    {"CET-1x", false},
    {"CET-1\n", false},
};

TEST_CASES(zone, struct zone_case, zone_rows)
{
    CU_ASSERT_EQUAL(zone_is_known(c->name), c->want);
}

TEST_SINGLE(long_zone, "that no path has room for")
{
    char zone[8192];

    memset(zone, 'x', sizeof(zone));
    zone[sizeof(zone) - 1] = '\0';
    CU_ASSERT_FALSE(zone_is_known(zone));
}
