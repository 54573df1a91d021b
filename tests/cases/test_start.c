/*
 * A suite that does not come to its rows.
 */
#include "support/cases.h"

static int
refuse(void)
{
    return 1;
}

TEST_SUITE(.start = refuse);

TEST_SINGLE(row, "is never run")
{
}
