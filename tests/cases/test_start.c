/*
 * A suite whose start fails, so that no row runs.
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
