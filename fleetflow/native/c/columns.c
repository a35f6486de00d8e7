#include "columns.h"

#include <stdlib.h>
#include <string.h>

int bytes_reserve(Bytes *bytes, int64_t more) {
    int64_t wanted = bytes->size + more;
    if (wanted <= bytes->room)
        return 1;
    int64_t room = bytes->room + bytes->room / 2 + 256;
    if (room < wanted)
        room = wanted;
    uint8_t *data = realloc(bytes->data, (size_t)room);
    if (!data)
        return 0;
    bytes->data = data;
    bytes->room = room;
    return 1;
}

void bytes_free(Bytes *bytes) {
    free(bytes->data);
    memset(bytes, 0, sizeof *bytes);
}

void column_open(Column *column, int kind) {
    memset(column, 0, sizeof *column);
    column->kind = kind;
}

void column_free(Column *column) {
    bytes_free(&column->values);
    bytes_free(&column->text);
    bytes_free(&column->ends);
}

int column_reserve(Column *column, int64_t rows) {
    if (column->kind == KIND_WORDS) {
        int64_t size = (rows + 1) * (int64_t)sizeof(int64_t);
        if (column->ends.room >= size)
            return 1;
        int begun = column->ends.data != NULL;
        if (!bytes_reserve(&column->ends, size - column->ends.size))
            return 0;
        if (!begun)
            *(int64_t *)column->ends.data = 0;
        return 1;
    }
    int64_t width = column->kind == KIND_TEXT ? (int64_t)sizeof(View) : 8;
    return column->values.room >= rows * width ||
           bytes_reserve(&column->values, rows * width - column->values.size);
}

int columns_reserve(Column *columns, int count, int64_t rows) {
    for (int i = 0; i < count; i++)
        if (!column_reserve(&columns[i], rows))
            return 0;
    return 1;
}

static int view_of(Column *column, const uint8_t *text, int64_t length, View *view) {
    if (column->last && length == column->last_length && !memcmp(text, column->last, (size_t)length)) {
        *view = column->last_view;
        return 1;
    }
    memset(view, 0, sizeof *view);
    view->brief.length = (int32_t)length;
    if (length <= 12) {
        memcpy(view->brief.inlined, text, (size_t)length);
    } else {
        if (column->text.size + length > INT32_MAX || !bytes_reserve(&column->text, length))
            return 0;
        memcpy(view->lengthy.prefix, text, 4);
        view->lengthy.offset = (int32_t)column->text.size;
        memcpy(column->text.data + column->text.size, text, (size_t)length);
        column->text.size += length;
    }
    column->last = text;
    column->last_length = length;
    column->last_view = *view;
    return 1;
}

int column_text(Column *column, int64_t row, const uint8_t *text, int64_t length) {
    return view_of(column, text, length, (View *)column->values.data + row);
}

int column_word(Column *column, const uint8_t *word, int64_t length) {
    if (!bytes_reserve(&column->values, sizeof(View)))
        return 0;
    if (!view_of(column, word, length, (View *)(column->values.data + column->values.size)))
        return 0;
    column->values.size += sizeof(View);
    return 1;
}

void column_end_words(Column *column, int64_t row) {
    ((int64_t *)column->ends.data)[row + 1] = column->values.size / (int64_t)sizeof(View);
}

/* What an array owns; freed as one when the array is released. */
typedef struct {
    const void *buffers[4];
    void *owned[3];
    int64_t text_size;
    struct ArrowArray child, *children[1];
} Owned;

static void release_array(struct ArrowArray *array) {
    Owned *owned = array->private_data;
    for (int64_t i = 0; i < array->n_children; i++)
        if (array->children[i]->release)
            array->children[i]->release(array->children[i]);
    for (int i = 0; i < 3; i++)
        free(owned->owned[i]);
    free(owned);
    array->release = NULL;
}

static void release_schema(struct ArrowSchema *schema) {
    for (int64_t i = 0; i < schema->n_children; i++)
        if (schema->children[i]->release)
            schema->children[i]->release(schema->children[i]);
    free(schema->private_data);
    schema->release = NULL;
}

static int schema_of(struct ArrowSchema *schema, const char *format, int children) {
    memset(schema, 0, sizeof *schema);
    schema->format = format;
    schema->name = "";
    schema->release = release_schema;
    if (!children)
        return 1;
    struct {
        struct ArrowSchema child, *children[1];
    } *inner = calloc(1, sizeof *inner);
    if (!inner) {
        schema->release = NULL;
        return 0;
    }
    inner->children[0] = &inner->child;
    schema->private_data = inner;
    schema->n_children = 1;
    schema->children = inner->children;
    schema_of(&inner->child, "vu", 0);
    inner->child.name = "item";
    return 1;
}

static Owned *array_of(struct ArrowArray *array, int64_t length, int buffers) {
    memset(array, 0, sizeof *array);
    Owned *owned = calloc(1, sizeof *owned);
    if (!owned)
        return NULL;
    array->length = length;
    array->n_buffers = buffers;
    array->buffers = owned->buffers;
    array->private_data = owned;
    array->release = release_array;
    return owned;
}

static void *taken(Bytes *bytes) {
    void *data = bytes->data;
    memset(bytes, 0, sizeof *bytes);
    return data;
}

/* Views: validity (none: all are valid), the views, the bytes of the longer ones, the sizes of the latter. */
static int views_of(struct ArrowArray *array, int64_t length, Bytes *views, Bytes *text) {
    Owned *owned = array_of(array, length, 4);
    if (!owned)
        return 0;
    owned->text_size = text->size;
    owned->buffers[1] = owned->owned[0] = taken(views);
    owned->buffers[2] = owned->owned[1] = taken(text);
    owned->buffers[3] = &owned->text_size;
    return 1;
}

static int export_column(Column *column, int64_t rows, struct ArrowSchema *schema, struct ArrowArray *array) {
    /* Arrow wants a buffer even for no bytes */
    if (!bytes_reserve(&column->values, 16) || !bytes_reserve(&column->text, 16))
        return 0;
    if (column->kind == KIND_TEXT)
        return schema_of(schema, "vu", 0) && views_of(array, rows, &column->values, &column->text);
    if (column->kind == KIND_WORDS) {
        if (!schema_of(schema, "+L", 1))
            return 0;
        Owned *owned = array_of(array, rows, 2);
        if (!owned)
            return 0;
        int64_t words = column->values.size / (int64_t)sizeof(View);
        owned->buffers[1] = owned->owned[0] = taken(&column->ends);
        if (!views_of(&owned->child, words, &column->values, &column->text))
            return 0;
        owned->children[0] = &owned->child;
        array->children = owned->children;
        array->n_children = 1;
        return 1;
    }
    if (!schema_of(schema, column->kind == KIND_FLOAT ? "g" : "l", 0))
        return 0;
    Owned *owned = array_of(array, rows, 2);
    if (!owned)
        return 0;
    owned->buffers[1] = owned->owned[0] = taken(&column->values);
    return 1;
}

Table *table_of(Column *columns, int count, int64_t rows, Bytes *strange) {
    Table *table = calloc(1, sizeof *table);
    int good = table != NULL;
    for (int i = 0; i < count; i++) {
        if (good) {
            table->columns = i + 1;
            good = column_reserve(&columns[i], rows) &&
                   export_column(&columns[i], rows, &table->schemas[i], &table->arrays[i]);
        }
        column_free(&columns[i]);
    }
    if (!good) {
        bytes_free(strange);
        if (table)
            fleetflow_table_free(table);
        return NULL;
    }
    table->strange = strange->size / (4 * (int64_t)sizeof(int64_t));
    table->strange_places = (int64_t *)strange->data;
    return table;
}

void fleetflow_table_free(Table *table) {
    for (int64_t i = 0; i < table->columns; i++) {
        if (table->schemas[i].release)
            table->schemas[i].release(&table->schemas[i]);
        if (table->arrays[i].release)
            table->arrays[i].release(&table->arrays[i]);
    }
    free(table->strange_places);
    free(table);
}
