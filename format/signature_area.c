// SPDX-License-Identifier: Apache-2.0
#include "format/signature_area.h"

#include "base/cursor.h"

#include <assert.h>
#include <inttypes.h>

enum { TYPE_END = 0 };

// The area is not signed, so that a signature can be attached later; zeros behind the last record
// keep it from carrying anything else.
static enum err check_rest(struct cursor *c, struct error *e)
{
    size_t off = c->pos;
    if (!cursor_zeros(c, cursor_left(c))) {
        return fail(e, ERR_FORMAT, 0,
                    "signature area: corrupt: bytes other than zero behind the last record, at "
                    "offset %zu",
                    off);
    }
    return OK;
}

static enum err read_record(struct cursor *c, struct signature_list *list, struct error *e)
{
    struct signature_record record = {0};
    uint16_t flags = 0;
    size_t off = c->pos;
    bool fits = cursor_u16(c, &record.type) && cursor_u16(c, &flags) && cursor_u32(c, &record.len);
    assert(fits); // at_end() saw a whole record header
    (void)fits;
    if (flags != 0) {
        return fail(e, ERR_FORMAT, 0,
                    "signature area: unsupported flags 0x%04x in the record at offset %zu", flags,
                    off);
    }
    if (!cursor_bytes(c, record.len, &record.data)) {
        return fail(e, ERR_FORMAT, 0,
                    "signature area: corrupt: the record at offset %zu has %" PRIu32
                    " bytes, only %zu are left",
                    off, record.len, cursor_left(c));
    }
    if (list->count == SIGNATURE_RECORDS_MAX) {
        return fail(e, ERR_FORMAT, 0, "signature area: corrupt: more than %d records",
                    SIGNATURE_RECORDS_MAX);
    }
    list->records[list->count++] = record;
    return OK;
}

// Fewer bytes than a record header can only be padding; so is a record of type 0.
static bool at_end(const struct cursor *c)
{
    struct cursor ahead = *c;
    uint16_t type;
    if (cursor_left(c) < SIGNATURE_RECORD_HEADER) {
        return true;
    }
    return cursor_u16(&ahead, &type) && type == TYPE_END;
}

enum err signature_area_parse(const uint8_t *area, size_t len, struct signature_list *ret,
                              struct error *e)
{
    struct cursor c = cursor_over(area, len);
    struct signature_list list = {0};
    while (!at_end(&c)) {
        enum err err = read_record(&c, &list, e);
        if (err != OK) {
            return err;
        }
    }
    list.used_bytes = c.pos;
    enum err err = check_rest(&c, e);
    if (err != OK) {
        return err;
    }
    *ret = list;
    return OK;
}

enum err signature_area_append(uint8_t *area, size_t len, const struct signature_list *list,
                               uint16_t type, const uint8_t *data, size_t data_len, struct error *e)
{
    if (type == TYPE_END || list->used_bytes > len) {
        return fail(e, ERR_INTERNAL, 0, "signature area: record of type %u at %zu of %zu bytes",
                    type, list->used_bytes, len);
    }
    if (list->count == SIGNATURE_RECORDS_MAX) {
        return fail(e, ERR_FORMAT, 0,
                    "signature area: it already holds %d records, the most "
                    "there may be",
                    SIGNATURE_RECORDS_MAX);
    }
    size_t room = len - list->used_bytes;
    // An area is at most SIGNATURE_AREA_MAX, so a length that fits also fits its u32 field.
    if (room < SIGNATURE_RECORD_HEADER || data_len > room - SIGNATURE_RECORD_HEADER) {
        return fail(e, ERR_FORMAT, 0,
                    "signature area: %zu bytes of room are missing for a signature of %zu bytes; "
                    "build the image with a larger --sig-reserve",
                    data_len + SIGNATURE_RECORD_HEADER - room, data_len);
    }
    struct out_cursor c = out_cursor_over(area + list->used_bytes, room);
    bool fits = put_u16(&c, type) && put_u16(&c, 0) && put_u32(&c, (uint32_t)data_len) &&
                put_bytes(&c, data, data_len);
    assert(fits);
    (void)fits;
    return OK;
}
