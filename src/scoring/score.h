#ifndef SCORE_H
#define SCORE_H

#include <stdbool.h>

/* What is known of a person; an empty value is not known. */
struct score_facts {
    bool phone, email, first_name, last_name, birthday;
    bool gender; /* known and not 0 */
};

/*
 * The score in tenths of a point, 0 to 50: whole numbers, so that 5.0 is
 * exact. Source: docs/protocol.md, "online_score".
 */
int score_tenths(const struct score_facts *facts);

#endif
