/* Columns that grow row by row and are handed over to Arrow without a copy.

   The layouts are those of the Arrow columnar format, the structures those of the Arrow C data interface
   (both at arrow.apache.org/docs/format): "g" float64, "l" int64, "vu" UTF-8 views, "+L" large lists. */

#ifndef FLEETFLOW_COLUMNS_H
#define FLEETFLOW_COLUMNS_H

#include <stdint.h>

enum { KIND_TEXT, KIND_FLOAT, KIND_INT, KIND_WORDS };
enum { MOST_COLUMNS = 32 };

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

/* A text: up to 12 bytes in place, else its first 4 bytes and where all of them stand in the text buffer. */
typedef union {
    struct {
        int32_t length;
        char inlined[12];
    } brief;
    struct {
        int32_t length;
        char prefix[4];
        int32_t buffer, offset;
    } lengthy;
} View;

/* A growing buffer of bytes. */
typedef struct {
    uint8_t *data;
    int64_t size, room;
} Bytes;

/* One column. `values` holds doubles, int64 or views; of words `values` are the words' views and `ends`
   tells per row how many words there are up to its end. Texts that follow each other and are equal are
   stored once. */
typedef struct {
    int kind;
    Bytes values, text, ends;
    const uint8_t *last; /* the bytes of the last text, in the input */
    int64_t last_length;
    View last_view;
} Column;

/* What a reader found: columns, and `strange` records that it does not judge (four numbers each: payload,
   start and end in the payload, number of the record among all). The arrays are taken over by whoever
   imports them. */
typedef struct {
    int64_t columns, strange;
    int64_t *strange_places;
    struct ArrowSchema schemas[MOST_COLUMNS];
    struct ArrowArray arrays[MOST_COLUMNS];
} Table;

/* Make room for `more` bytes; returns 0 when there is no memory. */
int bytes_reserve(Bytes *bytes, int64_t more);
void bytes_free(Bytes *bytes);

void column_open(Column *column, int kind);
void column_free(Column *column);
/* Make room for `rows` rows in all, none of which needs a check of its own then. */
int column_reserve(Column *column, int64_t rows);
int columns_reserve(Column *columns, int count, int64_t rows);
/* Store a text of `length` bytes as `row`; returns 0 when there is no memory. */
int column_text(Column *column, int64_t row, const uint8_t *text, int64_t length);
/* Add a word to the row that is being written, and end a row of words. */
int column_word(Column *column, const uint8_t *word, int64_t length);
void column_end_words(Column *column, int64_t row);

/* Make a table of columns, which are empty then; NULL, and all freed, when there is no memory. */
Table *table_of(Column *columns, int count, int64_t rows, Bytes *strange);
void fleetflow_table_free(Table *table);

/* Read a number of ASCII digits: true when it is one that every reader takes for the same, then `at` is
   behind it. */
int read_float(const uint8_t **at, double *out);
int read_int(const uint8_t **at, int64_t *out);

#endif
