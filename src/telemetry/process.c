/*
 * Reads from /proc what the processes of the service use. Implements the
 * metrics process_... of S23 of docs/protocol.md. Source of the format:
 * proc(5).
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "telemetry/process.h"

#define PROCESS_STAT_MAX 1024
#define PROCESS_PATH_MAX 64

/*
 * Begins after the last ')', because the process's name may contain any byte.
 */
static bool
parse_stat(const char *text, struct process_usage *usage)
{
    const char *at = strrchr(text, ')');
    uint64_t own_user, own_system, user, system, pages;

    /* Begins with field 3. Fields 14 to 17 are times in ticks, 24 is pages. */
    if (at == NULL ||
        sscanf(at,
               ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64
               " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %*s %*s %*s %*s %*s %*s %" SCNu64,
               &own_user, &own_system, &user, &system, &pages) != 5)
        return false;
    usage->cpu_ms += (own_user + own_system + user + system) * MS_PER_S /
                     (uint64_t)sysconf(_SC_CLK_TCK);
    usage->memory_bytes += pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

static void
add_files(pid_t pid, struct process_usage *usage)
{
    char path[PROCESS_PATH_MAX];
    DIR *folder;
    const struct dirent *entry;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL)
        usage->files += entry->d_name[0] != '.';
    (void)closedir(folder);
}

struct process_usage
process_sum(const pid_t *pids, size_t count)
{
    struct process_usage usage = {0};

    for (size_t i = 0; i < count; i++) {
        char path[PROCESS_PATH_MAX], text[PROCESS_STAT_MAX];
        size_t length = 0;
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pids[i]);
        file = fopen(path, "re");
        if (file == NULL) /* it has ended */
            continue;
        length = fread(text, 1, sizeof(text) - 1, file);
        (void)fclose(file);
        text[length] = '\0';
        if (parse_stat(text, &usage))
            add_files(pids[i], &usage);
    }
    return usage;
}
