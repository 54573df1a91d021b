#ifndef UNITS_H
#define UNITS_H

/* S_PER_MS is for libev, whose times are seconds in double. */
#define MS_PER_S     1000
#define US_PER_S     1000000
#define US_PER_MS    1000
#define NS_PER_S     1000000000
#define NS_PER_MS    1000000
#define NS_PER_US    1000
#define S_PER_MS     0.001
#define S_PER_MINUTE 60
#define S_PER_HOUR   3600

#define BYTES_PER_KIB 1024

#endif
