/* Pages, JSON arrays of flat objects, to columns: pages of the usual form are read, for all others nothing is
   said (RFC 8259 has the grammar).

   In the usual form texts are printable ASCII without escapes, numbers are as `read_float` and `read_int` say
   and without exponents, no name comes twice in an object, and what nobody asks for is a text, a number, a
   literal or an array of texts. Each page is followed by a zero byte, as the bytes of Python are: no token has one, so that every
   scan ends there. */

#include "columns.h"

#include <string.h>

typedef struct {
    const uint8_t *at, *end;
} Cursor;

static void skip_space(Cursor *cursor) {
    while (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\r' || *cursor->at == '\t')
        cursor->at++;
}

/* Skip one byte if it is the one that is wanted, and the space around it. */
static int skip(Cursor *cursor, uint8_t wanted) {
    skip_space(cursor);
    if (*cursor->at != wanted)
        return 0;
    cursor->at++;
    skip_space(cursor);
    return 1;
}

/* Find the text that begins at the cursor with its quote. */
static int find_text(Cursor *cursor, const uint8_t **text, int64_t *length) {
    const uint8_t *p = cursor->at;
    if (*p != '"')
        return 0;
    *text = ++p;
    while (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
        p++;
    if (*p != '"')
        return 0;
    *length = p - *text;
    cursor->at = p + 1;
    return 1;
}

static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/* Whether the number at `p` begins as JSON has it, without a zero that says nothing. */
static int is_begun(const uint8_t *p) {
    p += *p == '-';
    return is_digit(*p) && !(*p == '0' && is_digit(p[1]));
}

/* Whether a value ends at `p`. */
static int is_over(const uint8_t *p) {
    return *p == ',' || *p == '}' || *p == ']' || *p == ' ' || *p == '\n' || *p == '\r' || *p == '\t';
}

static int is_text(const Cursor *cursor, const char *text, int64_t length) {
    return cursor->end - cursor->at >= length && !memcmp(cursor->at, text, (size_t)length);
}

/* Read an array of texts, each to the column unless that is NULL. */
static int read_words(Cursor *cursor, Column *column) {
    const uint8_t *text;
    int64_t length;
    if (!skip(cursor, '['))
        return 0;
    if (*cursor->at == ']') {
        cursor->at++;
        return 1;
    }
    do {
        if (!find_text(cursor, &text, &length) || (column && !column_word(column, text, length)))
            return 0;
    } while (skip(cursor, ','));
    if (*cursor->at != ']')
        return 0;
    cursor->at++;
    return 1;
}

/* Skip a value that nobody asks for. */
static int skip_value(Cursor *cursor) {
    const uint8_t *text;
    int64_t length;
    if (*cursor->at == '"')
        return find_text(cursor, &text, &length);
    if (*cursor->at == '[')
        return read_words(cursor, NULL);
    if (is_text(cursor, "true", 4) || is_text(cursor, "null", 4)) {
        cursor->at += 4;
    } else if (is_text(cursor, "false", 5)) {
        cursor->at += 5;
    } else {
        double number;
        if (!is_begun(cursor->at) || !read_float(&cursor->at, &number))
            return 0;
    }
    return is_over(cursor->at);
}

enum { WHOLE_DIGITS = 15 };

static int is_negative_zero(const uint8_t *text, int64_t length) {
    return length == 2 && text[0] == '-' && text[1] == '0';
}

static int read_value(Cursor *cursor, Column *column, int64_t row) {
    const uint8_t *text = cursor->at;
    int64_t length;
    switch (column->kind) {
    case KIND_TEXT:
        return find_text(cursor, &text, &length) && column_text(column, row, text, length);
    case KIND_INT:
        return is_begun(text) && read_int(&cursor->at, (int64_t *)column->values.data + row) &&
               is_over(cursor->at);
    case KIND_FLOAT:
        if (!is_begun(text) || !read_float(&cursor->at, (double *)column->values.data + row) ||
            !is_over(cursor->at))
            return 0;
        /* without a fraction zero has no sign, and what does not fit may be rounded in another way */
        length = cursor->at - text;
        return memchr(text, '.', (size_t)length) || (length <= WHOLE_DIGITS && !is_negative_zero(text, length));
    default:
        return read_words(cursor, column);
    }
}

typedef struct {
    const uint8_t *name;
    int64_t length;
} Name;

/* Find which field is named at the cursor, -1 for none of them; `likely` is what the object before had. */
static int find_field(Cursor *cursor, const Name *names, int fields, int likely, int *field) {
    const uint8_t *text;
    int64_t length;
    if (likely >= 0) {
        length = names[likely].length;
        if (*cursor->at == '"' && cursor->end - cursor->at > length + 1 &&
            !memcmp(cursor->at + 1, names[likely].name, (size_t)length) && cursor->at[length + 1] == '"') {
            cursor->at += length + 2;
            *field = likely;
            return 1;
        }
    }
    if (!find_text(cursor, &text, &length))
        return 0;
    for (*field = fields - 1; *field >= 0; (*field)--)
        if (names[*field].length == length && !memcmp(names[*field].name, text, (size_t)length))
            break;
    return 1;
}

enum { MOST_MEMBERS = 64 };

/* Read one object as `row`; `order` has which field each member of the object before was. */
static int read_object(Cursor *cursor, Column *columns, const Name *names, int fields, uint32_t required,
                       int8_t *order, int64_t row) {
    uint32_t seen = 0;
    if (!skip(cursor, '{'))
        return 0;
    if (*cursor->at != '}') {
        int member = 0;
        do {
            int field, likely = member < MOST_MEMBERS ? order[member] : -1;
            if (!find_field(cursor, names, fields, likely, &field) || !skip(cursor, ':'))
                return 0;
            if (member < MOST_MEMBERS)
                order[member++] = (int8_t)field;
            if (field < 0) {
                if (!skip_value(cursor))
                    return 0;
                continue;
            }
            if (seen >> field & 1 || !read_value(cursor, &columns[field], row))
                return 0;
            seen |= (uint32_t)1 << field;
        } while (skip(cursor, ','));
    }
    if (*cursor->at != '}' || (seen & required) != required)
        return 0;
    cursor->at++;
    return 1;
}

/* Read pages of objects that have the fields `names` (each ended by a zero byte), those of the bits in
   `required` always. `records` gets the number of objects per page. Returns NULL when one of the pages is
   not of the usual form, or there is no memory. */
Table *fleetflow_read_pages(const uint8_t *const *data, const int64_t *sizes, int64_t pages,
                            const uint8_t *kinds, const char *const *names, int fields, uint32_t required,
                            int64_t *records) {
    Column columns[MOST_COLUMNS];
    Name sought[MOST_COLUMNS];
    int8_t order[MOST_MEMBERS];
    Bytes strange = {0};
    int64_t rows = 0, room = 0;
    for (int i = 0; i < fields; i++) {
        column_open(&columns[i], kinds[i]);
        sought[i] = (Name){(const uint8_t *)names[i], (int64_t)strlen(names[i])};
    }
    memset(order, -1, sizeof order);
    for (int64_t page = 0; page < pages; page++) {
        Cursor cursor = {data[page], data[page] + sizes[page]};
        int64_t before = rows;
        if (!skip(&cursor, '['))
            goto failed;
        if (*cursor.at != ']') {
            do {
                if (rows == room) {
                    room = room * 2 + 256;
                    if (!columns_reserve(columns, fields, room))
                        goto failed;
                }
                if (!read_object(&cursor, columns, sought, fields, required, order, rows))
                    goto failed;
                for (int i = 0; i < fields; i++)
                    if (columns[i].kind == KIND_WORDS)
                        column_end_words(&columns[i], rows);
                rows++;
            } while (skip(&cursor, ','));
        }
        if (!skip(&cursor, ']') || cursor.at != cursor.end)
            goto failed;
        records[page] = rows - before;
    }
    return table_of(columns, fields, rows, &strange);
failed:
    for (int i = 0; i < fields; i++)
        column_free(&columns[i]);
    return NULL;
}
