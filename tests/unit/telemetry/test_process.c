/*
 * The resources that processes use. Source: docs/protocol.md, S23.
 */
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "support/cases.h"
#include "telemetry/process.h"

TEST_SINGLE(own, "is found, and grows by a file")
{
    const pid_t pids[] = {getpid()};
    const struct process_usage before = process_sum(pids, 1);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const struct process_usage after = process_sum(pids, 1);

    CU_ASSERT_TRUE(fd >= 0);
    CU_ASSERT_EQUAL(after.files, before.files + 1);
    CU_ASSERT_TRUE(before.memory_bytes > 100000);
    CU_ASSERT_TRUE(after.cpu_ms >= before.cpu_ms);
    (void)close(fd);
}

TEST_SINGLE(several, "are added up, and who has ended counts nothing")
{
    const pid_t pids[] = {getpid(), INT32_MAX, getpid()};
    const struct process_usage one = process_sum(pids, 1);
    const struct process_usage two = process_sum(pids, 2);
    const struct process_usage three = process_sum(pids, 3);

    CU_ASSERT_EQUAL(two.files, one.files);
    CU_ASSERT_EQUAL(three.files, 2 * one.files);
    CU_ASSERT_EQUAL(process_sum(pids, 0).memory_bytes, 0);
}
