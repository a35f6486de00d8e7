/* CSV lines to columns: the usual form of a line is read, all others are left to whoever asks.

   Payloads end with a newline, so that every scan ends there: of a line no byte behind its newline is looked
   at. In the usual form all bytes are printable ASCII, numbers are as `read_float` and `read_int` say, and
   the fields that are required come first. */

#include "columns.h"

#include <string.h>

enum { FEW_STRANGE = 64, STRANGE_SHARE = 4, USUAL_LINE = 48 };

static int is_printable(uint8_t byte) { return byte >= 0x20 && byte < 0x7f; }

/* Read a cell of text up to a comma or the end of the line. */
static const uint8_t *read_text(const uint8_t *p, Column *column, int64_t row, int *memory) {
    const uint8_t *from = p;
    if (column->last && column->last_length > 0) {
        /* most often it is the text of the line before, which was looked at */
        int64_t i = 0, length = column->last_length;
        while (i < length && p[i] == column->last[i])
            i++;
        if (i == length && p[i] == ',') {
            ((View *)column->values.data)[row] = column->last_view;
            return p + length;
        }
    }
    while (is_printable(*p) && *p != ',')
        p++;
    if (*p != ',' && *p != '\n')
        return NULL;
    *memory = column_text(column, row, from, p - from);
    return *memory ? p : NULL;
}

/* Read a cell of words separated by spaces. */
static const uint8_t *read_words(const uint8_t *p, Column *column, int *memory) {
    for (;;) {
        while (*p == ' ')
            p++;
        const uint8_t *word = p;
        while (is_printable(*p) && *p != ',' && *p != ' ')
            p++;
        if (p == word)
            return p;
        *memory = column_word(column, word, p - word);
        if (!*memory)
            return NULL;
    }
}

static const uint8_t *read_cell(const uint8_t *p, Column *column, int64_t row, int *memory) {
    switch (column->kind) {
    case KIND_FLOAT:
        return read_float(&p, (double *)column->values.data + row) ? p : NULL;
    case KIND_INT:
        return read_int(&p, (int64_t *)column->values.data + row) ? p : NULL;
    case KIND_TEXT:
        return read_text(p, column, row, memory);
    default:
        return read_words(p, column, memory);
    }
}

/* Read one line from `p`; returns what follows it, NULL when it is a strange one. */
static const uint8_t *read_line(const uint8_t *p, Column *columns, int fields, int required, int64_t row,
                                int *memory) {
    int field = 0;
    for (;;) {
        p = read_cell(p, &columns[field], row, memory);
        if (!p)
            return NULL;
        field++;
        if (*p == ',' && field < fields) {
            p++;
            continue;
        }
        break;
    }
    if (field < required)
        return NULL;
    /* further columns are ignored */
    if (*p == ',')
        while (is_printable(*p))
            p++;
    if (*p == '\r' && columns[field - 1].kind != KIND_TEXT)
        p++;
    return *p == '\n' ? p + 1 : NULL;
}

/* Read `payloads` pieces of whole lines into a column per field and one for where each line starts, counted
   from `starts`. The first `required` of `fields` have to be there, the others are words. `records` gets the
   number of lines per payload. Returns NULL when there is no memory, or so much is strange that another
   reader is the better one. */
Table *fleetflow_read_lines(const uint8_t *const *data, const int64_t *sizes, const int64_t *starts,
                            int64_t payloads, const uint8_t *kinds, int fields, int required,
                            int64_t *records) {
    Column columns[MOST_COLUMNS];
    Bytes strange = {0};
    int64_t rows = 0, room = 0, lines = 0, left = 0;
    int memory = 1;
    for (int i = 0; i < fields; i++)
        column_open(&columns[i], kinds[i]);
    column_open(&columns[fields], KIND_INT);
    for (int64_t payload = 0; payload < payloads; payload++)
        left += sizes[payload];
    for (int64_t payload = 0; payload < payloads; payload++) {
        const uint8_t *from = data[payload], *p = from, *end = from + sizes[payload];
        int64_t before = lines;
        while (p < end) {
            if (rows == room) {
                /* as many as would fit if all are as long as those so far, and some more */
                int64_t length = lines > before ? (p - from) / (lines - before) : USUAL_LINE;
                room = rows + rows / 8 + (left - (p - from)) / length + 64;
                if (!columns_reserve(columns, fields + 1, room))
                    goto failed;
            }
            int64_t words[MOST_COLUMNS];
            for (int i = required; i < fields; i++)
                words[i] = columns[i].values.size;
            const uint8_t *next = read_line(p, columns, fields, required, rows, &memory);
            if (!memory)
                goto failed;
            if (next) {
                ((int64_t *)columns[fields].values.data)[rows] = starts[payload] + (p - from);
                for (int i = required; i < fields; i++)
                    column_end_words(&columns[i], rows);
                rows++;
            } else {
                for (int i = required; i < fields; i++)
                    columns[i].values.size = words[i];
                next = (const uint8_t *)memchr(p, '\n', (size_t)(end - p)) + 1;
                int64_t place[4] = {payload, p - from, next - from, lines};
                if (!bytes_reserve(&strange, sizeof place))
                    goto failed;
                memcpy(strange.data + strange.size, place, sizeof place);
                strange.size += sizeof place;
                int64_t count = strange.size / (int64_t)sizeof place;
                if (count > FEW_STRANGE && count * STRANGE_SHARE > lines)
                    goto failed;
            }
            lines++;
            p = next;
        }
        records[payload] = lines - before;
        left -= sizes[payload];
    }
    return table_of(columns, fields + 1, rows, &strange);
failed:
    for (int i = 0; i <= fields; i++)
        column_free(&columns[i]);
    bytes_free(&strange);
    return NULL;
}
