/*
 * Reads JSON files by tables of members, and reports their faults. Used for
 * S11.7, S15.2 and S19.2 of docs/protocol.md.
 */
#include <stdarg.h>
#include <stdio.h>

#include "scoring/document.h"

#define FAULT_SIZE 256 /* the text of one fault */
#define FAULTS_MAX 20  /* reported one by one; then counted */

#define SHOWN_MAX 32 /* bytes of an unknown member's name in a fault */

bool
document_fault(struct document *document, size_t line, const char *member,
               const char *format, ...)
{
    char words[FAULT_SIZE];
    va_list args;

    if (++document->fault_count > FAULTS_MAX)
        return false;
    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    buf_printf(document->faults, "line %zu: ", line);
    buf_add_bytes(document->faults, buf_bytes(&document->where));
    document->faults->failed |= document->where.failed;
    if (member != NULL)
        buf_printf(document->faults, "%s: ", member);
    buf_printf(document->faults, "%s\n", words);
    return false;
}

bool
document_check(struct document *document, struct bytes text)
{
    struct json_fault fault;

    if (json_check(text, &fault))
        return true;
    return document_fault(document, json_line(text, fault.offset), NULL, "%s",
                          json_error_text(fault.error));
}

enum document_next
document_next(struct document_members *members, struct json_item *ret_item,
              size_t *ret_row)
{
    size_t i = 0;
    bool is_repeated;

    if (!json_walk_next(&members->walk, ret_item))
        return DOCUMENT_END;
    while (i < members->count &&
           !bytes_equal(ret_item->name, bytes_of(members->rows[i].name)))
        i++;
    if (i == members->count)
        return DOCUMENT_UNKNOWN;
    is_repeated = (members->given >> i & 1U) != 0;
    members->given |= 1U << i;
    *ret_row = i;
    return is_repeated ? DOCUMENT_REPEATED : DOCUMENT_MEMBER;
}

/* The beginning of a name, cut after a whole character of UTF-8. */
static struct bytes
shown(struct bytes name)
{
    if (name.length <= SHOWN_MAX)
        return name;
    name.length = SHOWN_MAX;
    while (name.length > 0 && (name.at[name.length] & 0xc0) == 0x80)
        name.length--;
    return name;
}

static void
fault_unknown(struct document *document, const struct json_item *item)
{
    struct buf name = {0};

    json_add_string(&name, shown(item->name));
    buf_add(&name, "", 1);
    (void)document_fault(document, item->line, name.failed ? NULL : name.data,
                         "there is no such member");
    buf_free(&name);
}

unsigned
document_read(struct document *document, const struct json_item *object,
              const struct document_row *rows, size_t count, void *reader)
{
    struct document_members members = {
        rows, count, json_walk(object->value, object->length, object->line), 0};
    const size_t line = members.walk.line;
    enum document_next next;
    struct json_item item;
    size_t i = 0;

    if (members.walk.closing != '}') {
        (void)document_fault(document, line, NULL, "must be an object");
        return 0;
    }
    while ((next = document_next(&members, &item, &i)) != DOCUMENT_END) {
        if (next == DOCUMENT_MEMBER)
            rows[i].read(reader, &item);
        else if (next == DOCUMENT_REPEATED)
            (void)document_fault(document, item.line, rows[i].name,
                                 "is repeated");
        else
            fault_unknown(document, &item);
    }
    for (i = 0; i < count; i++) {
        if (rows[i].is_required && (members.given >> i & 1U) == 0)
            (void)document_fault(document, line, rows[i].name, "is required");
    }
    return members.given;
}

bool
document_end(struct document *document)
{
    if (document->fault_count > FAULTS_MAX)
        buf_printf(document->faults, "%zu more faults\n",
                   document->fault_count - FAULTS_MAX);
    buf_free(&document->where);
    return document->fault_count == 0;
}
