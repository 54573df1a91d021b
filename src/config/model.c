/*
 * Reads the file of a model, and makes each fault an error in the settings.
 * Implements S15.2 of docs/protocol.md.
 */
#include <string.h>

#include "config/config.h"
#include "config/error.h"
#include "config/text.h"

bool
config_read_model(const char *setting, const char *path,
                  struct model *ret_model, struct buf *errors)
{
    const char *name = setting != NULL ? setting : path;
    const char *given = setting != NULL ? path : NULL;
    struct buf faults = {0};
    char *text = NULL;
    const char *problem = config_text_read(path, CONFIG_TEXT_JSON, &text);
    bool is_good;

    if (problem != NULL)
        return config_text_error(errors, name, given, problem);
    is_good = model_read(text, strlen(text), ret_model, &faults);
    config_text_free(text);
    if (!is_good)
        config_error_lines(errors, name, given, &faults);
    buf_free(&faults);
    return is_good;
}
