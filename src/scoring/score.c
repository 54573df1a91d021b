/*
 * The arithmetic of a score, and nothing else: no JSON, clock or network.
 * Implements the table of docs/protocol.md, "online_score".
 */
#include <stddef.h>

#include "scoring/score.h"

int
score_tenths(const struct score_facts *facts)
{
    const struct {
        bool is_given;
        int tenths;
    } weights[] = {
        {facts->phone, 15},
        {facts->email, 15},
        {facts->birthday && facts->gender, 15},
        {facts->first_name && facts->last_name, 5},
    };
    int tenths = 0;

    for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
        if (weights[i].is_given)
            tenths += weights[i].tenths;
    }
    return tenths;
}
