#include "suites.h"
void
suite_log(void)
{
}
