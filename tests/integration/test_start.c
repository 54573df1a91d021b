#include "suites.h"
void
suite_start(void)
{
}
