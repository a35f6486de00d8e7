/* Reads random and mutated bytes, and columns of odd numbers, from buffers of exactly their size, to be run
   with sanitizers: ROUNDS. */

#include "columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Stream {
    int (*get_schema)(struct Stream *, struct ArrowSchema *);
    int (*get_next)(struct Stream *, struct ArrowArray *);
    const char *(*get_last_error)(struct Stream *);
    void (*release)(struct Stream *);
    struct ArrowArray *array;
};

Table *fleetflow_read_lines(const uint8_t *const *, const int64_t *, const int64_t *, int64_t, const uint8_t *,
                            int, int, int64_t *);
Table *fleetflow_read_pages(const uint8_t *const *, const int64_t *, int64_t, const uint8_t *,
                            const char *const *, int, uint32_t, int64_t *);
int64_t fleetflow_sort_out(struct Stream *, int64_t, const double *, const int64_t *, uint32_t, uint64_t,
                           uint32_t *, int64_t *);

int64_t fleetflow_runs(struct Stream *, int64_t, int64_t, int64_t *);
int64_t fleetflow_text_sizes(struct Stream *, int64_t, int64_t *);
int64_t fleetflow_filled(struct Stream *, int64_t, int64_t *);
int64_t fleetflow_fixes(int64_t, const double *, const double *, const double *, const int64_t *, int64_t,
                        int64_t, int64_t *);
int64_t fleetflow_travel(int64_t, const int64_t *, const double *, const double *, const int64_t *, int64_t,
                         const double *, const double *, int32_t, double, double, double *, double *,
                         int64_t *, int64_t *, double *);
int64_t fleetflow_millimetres(int64_t, const double *, double, double, int64_t *);
int64_t fleetflow_fast_legs(int64_t, const int64_t *, const double *, const double *, const int64_t *, int64_t,
                            const int64_t *, const double *, const double *, const double *, double, double,
                            int64_t *);
typedef struct {
    float scale, offset;
} Axis;
int64_t fleetflow_look_up(int64_t, const double *, const double *, Axis, Axis, const int32_t *, int32_t,
                          int64_t *, int32_t *);

static uint64_t state = 88172645463325252u;

/* Xorshift (Marsaglia, Xorshift RNGs, 2003): the same numbers everywhere. */
static uint32_t below(uint32_t limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % limit;
}

static const char *const LINES[] = {
    "5FL00000000000902,37.7219308,-104.5526403,1750000013.5\n",
    "5FL00000000000902,37.7219308,-104.5526403,1750000013.5,P0171 P0300\r\n",
    "A,1,2,3,averylongcodeofmanyletters B0001,more\n",
    "B,12345678901234567890,2,3\n",
    "\n",
    ",,,,\n",
};
static const char *const PAGES[] = {
    "{\"vin\":\"5FL00000000000902\",\"latitude\":37.7219308,\"longitude\":-104.5,\"time\":1.5,\"sequence\":7}",
    "{ \"sequence\" : 12 , \"vin\" : \"A\", \"latitude\":1,\"longitude\":2,\"time\":3,\"obd_codes\":[\"P0171\",\"\"]}",
    "{\"more\":[\"a\"],\"x\":null,\"vin\":\"\",\"latitude\":0,\"longitude\":0,\"time\":0,\"sequence\":-1}",
    "{}",
};
static const char BYTES[] = "{}[]\",:\\ 0123456789.-eE\n\r\tnulltrue\x7f\x80\xff";

static char *text_of(const char *const *parts, uint32_t count, const char *between, int64_t *size) {
    char *text = calloc(1, 1);
    size_t length = 0;
    for (uint32_t left = below(6); left; left--) {
        const char *part = parts[below(count)];
        text = realloc(text, length + strlen(part) + strlen(between) + 1);
        strcpy(text + length, part);
        length += strlen(part);
        if (left > 1) {
            strcpy(text + length, between);
            length += strlen(between);
        }
    }
    *size = (int64_t)length;
    return text;
}

/* Change some bytes, and cut the end off now and then. */
static void mutate(char *text, int64_t *size) {
    for (uint32_t left = below(4); left && *size; left--)
        text[below((uint32_t)*size)] = BYTES[below(sizeof BYTES)];
    if (*size && !below(4))
        *size = below((uint32_t)*size + 1);
}

static uint8_t *exactly(const char *text, int64_t size, int ended) {
    uint8_t *data = malloc((size_t)size + (ended ? 1 : 0) + (size + ended == 0));
    memcpy(data, text, (size_t)size);
    if (ended)
        data[size] = 0;
    return data;
}

static int schema(struct Stream *stream, struct ArrowSchema *into) {
    (void)stream;
    memset(into, 0, sizeof *into);
    into->format = "vu";
    return 0;
}

static int next(struct Stream *stream, struct ArrowArray *into) {
    memset(into, 0, sizeof *into);
    if (stream->array) {
        *into = *stream->array;
        stream->array->release = NULL;
        stream->array = NULL;
    }
    return 0;
}

static void sort_out(Table *table, int newest) {
    struct ArrowArray *vins = &table->arrays[0];
    int64_t rows = vins->length, counts[3] = {0};
    struct Stream stream = {schema, next, NULL, NULL, vins};
    uint32_t *found = malloc((size_t)(rows + 1) * sizeof *found);
    const double *time = newest ? table->arrays[3].buffers[1] : NULL;
    const int64_t *sequence = newest ? table->arrays[table->columns - 1].buffers[1] : NULL;
    int64_t many = fleetflow_sort_out(&stream, rows, time, sequence, 3, state, found, counts);
    if (many > rows || (many >= 0 && counts[0] + counts[1] + counts[2] != many))
        abort();
    for (int64_t i = 0; i < many; i++)
        if (found[i] >= rows)
            abort();
    free(found);
}

static void runs(Table *table) {
    struct ArrowArray *vins = &table->arrays[0];
    int64_t rows = vins->length, most = 1 + below(3), first[3];
    struct Stream stream = {schema, next, NULL, NULL, vins};
    if (below(2) ? fleetflow_runs(&stream, rows, most, first) > most : fleetflow_text_sizes(&stream, rows, first) > 0)
        abort();
}

static int list_schema(struct Stream *stream, struct ArrowSchema *into) {
    (void)stream;
    memset(into, 0, sizeof *into);
    into->format = "+L";
    return 0;
}

static void filled(Table *table, int column) {
    struct ArrowArray *lists = &table->arrays[column];
    int64_t rows = lists->length, *found = malloc((size_t)rows * sizeof *found + 1);
    struct Stream stream = {list_schema, next, NULL, NULL, lists};
    if (fleetflow_filled(&stream, rows, found) > rows)
        abort();
    free(found);
}

static double number(void) {
    static const double odd[] = {0, -0.0, 90, -180, 1e18, -1e300, HUGE_VAL, -HUGE_VAL, NAN};
    return below(4) ? (double)below(3600000) / 1e4 - 180 : odd[below(sizeof odd / sizeof *odd)];
}

static double *numbers(int64_t count) {
    double *found = malloc((size_t)count * sizeof *found + 1);
    for (int64_t i = 0; i < count; i++)
        found[i] = number();
    return found;
}

static int64_t *integers(int64_t count) {
    int64_t *found = malloc((size_t)count * sizeof *found + 1);
    for (int64_t i = 0; i < count; i++)
        found[i] = below(100000);
    return found;
}

/* Whatever positions and times are, and however far apart. */
static void move(void) {
    enum { PER_DEGREE = 2, CELLS = 7 };
    int64_t vehicles = 1 + below(4), first[4], rows = 0;
    for (int64_t i = 0; i < vehicles; i++) {
        first[i] = rows;
        rows += 1 + below(i ? 5 : 600);
    }
    double *latitude = numbers(rows), *longitude = numbers(rows), *time = numbers(rows);
    double *points = numbers(3 * vehicles), *counted = numbers(3 * vehicles);
    double *nodes = numbers(360 * PER_DEGREE + 1), *squared = malloc((size_t)rows * sizeof *squared);
    int64_t *ms = integers(rows), *before = integers(vehicles), *found = malloc((size_t)rows * sizeof *found);
    int32_t *held = malloc((size_t)rows * sizeof *held), *cells = calloc(CELLS * CELLS, sizeof *cells);
    cells[below(CELLS * CELLS)] = 1;
    Axis axis = {(float)number(), (float)number()};
    int64_t counts[] = {
        fleetflow_travel(rows, ms, latitude, longitude, first, vehicles, nodes, nodes, PER_DEGREE, 1e-5, 1e-5,
                         points, counted, before, found, squared),
        fleetflow_millimetres(rows, time, 1e-6, 2e7, found),
        fleetflow_fast_legs(rows, ms, latitude, longitude, first, vehicles, before, points, counted, counted,
                            1e-5, 1e-9, found),
        fleetflow_look_up(rows, latitude, longitude, axis, axis, cells, CELLS, found, held),
        fleetflow_fixes(rows, time, latitude, longitude, first, vehicles, (int64_t)1 << 43, ms),
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i] > rows)
            abort();
    void *all[] = {latitude, longitude, time, points, counted, nodes, squared, ms, before, found, held, cells};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static int read_lines(void) {
    uint8_t kinds[] = {KIND_TEXT, KIND_FLOAT, KIND_FLOAT, KIND_FLOAT, KIND_WORDS}, *data[3];
    int64_t sizes[3], starts[3] = {0, 100, 7}, records[3], count = 1 + below(3);
    for (int64_t i = 0; i < count; i++) {
        char *text = text_of(LINES, sizeof LINES / sizeof *LINES, "", &sizes[i]);
        mutate(text, &sizes[i]);
        /* whoever calls gives whole lines */
        if (sizes[i])
            text[sizes[i] - 1] = '\n';
        data[i] = exactly(text, sizes[i], 0);
        free(text);
    }
    Table *table = fleetflow_read_lines((const uint8_t *const *)data, sizes, starts, count, kinds, 5, 4, records);
    for (int64_t i = 0; i < count; i++)
        free(data[i]);
    if (!table)
        return 0;
    if (below(4))
        sort_out(table, (int)below(2));
    else
        runs(table);
    filled(table, 4);
    fleetflow_table_free(table);
    return 1;
}

static int read_pages(void) {
    static const char *const names[] = {"vin", "latitude", "longitude", "time", "sequence", "obd_codes"};
    uint8_t kinds[] = {KIND_TEXT, KIND_FLOAT, KIND_FLOAT, KIND_FLOAT, KIND_INT, KIND_WORDS}, *data[2];
    int64_t sizes[2], records[2], count = 1 + below(2);
    for (int64_t i = 0; i < count; i++) {
        int64_t size;
        char *text = text_of(PAGES, sizeof PAGES / sizeof *PAGES, ",", &size);
        char *page = malloc((size_t)size + 3);
        sprintf(page, "[%s]", text);
        sizes[i] = size + 2;
        if (below(2))
            mutate(page, &sizes[i]);
        data[i] = exactly(page, sizes[i], 1);
        free(page);
        free(text);
    }
    Table *table = fleetflow_read_pages((const uint8_t *const *)data, sizes, count, kinds, names, 6, 31, records);
    for (int64_t i = 0; i < count; i++)
        free(data[i]);
    if (!table)
        return 0;
    fleetflow_table_free(table);
    return 1;
}

int main(int count, char **arguments) {
    long lines = 0, pages = 0, rounds = count > 1 ? atol(arguments[1]) : 1000;
    for (long round = 0; round < rounds; round++) {
        lines += read_lines();
        pages += read_pages();
        move();
    }
    printf("%ld %ld\n", lines, pages);
    return 0;
}
