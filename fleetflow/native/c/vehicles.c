/* Rows sorted out by vehicle: of each the newest, and which shard a vehicle belongs to. */

#include "columns.h"
#include "crc.h"

#include <stdlib.h>
#include <string.h>

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

typedef struct {
    const uint8_t *bytes;
    int64_t length;
} Text;

/* Rows that follow each other and have the same text. */
typedef struct {
    Text text;
    uint32_t first, end;
} Run;

/* The runs of a column without nulls, and the arrays that hold their bytes. */
typedef struct {
    Run *runs;
    struct ArrowArray *arrays;
    int64_t count, room, rows, chunks;
} Runs;

static void runs_free(Runs *found) {
    for (int64_t i = 0; i < found->chunks; i++)
        if (found->arrays[i].release)
            found->arrays[i].release(&found->arrays[i]);
    free(found->arrays);
    free(found->runs);
    memset(found, 0, sizeof *found);
}

static int are_views(struct ArrowArrayStream *stream) {
    struct ArrowSchema schema;
    if (stream->get_schema(stream, &schema))
        return 0;
    int found = schema.format && !strcmp(schema.format, "vu");
    if (schema.release)
        schema.release(&schema);
    return found;
}

static Text text_of(const struct ArrowArray *array, const View *view) {
    Text text = {(const uint8_t *)view->brief.inlined, view->brief.length};
    if (text.length > (int64_t)sizeof view->brief.inlined)
        text.bytes = (const uint8_t *)array->buffers[2 + view->lengthy.buffer] + view->lengthy.offset;
    return text;
}

static int same(const Text *a, const Text *b) {
    return a->length == b->length && !memcmp(a->bytes, b->bytes, (size_t)a->length);
}

/* Add the rows of one array; returns 0 when there is no memory. */
static int add_rows(Runs *found, const struct ArrowArray *array) {
    const View *views = (const View *)array->buffers[1] + array->offset;
    for (int64_t i = 0; i < array->length;) {
        Text text = text_of(array, &views[i]);
        Run *last = found->count ? &found->runs[found->count - 1] : NULL;
        if (!last || !same(&text, &last->text)) {
            if (found->count == found->room) {
                int64_t room = found->room ? 2 * found->room : 1024;
                Run *runs = realloc(found->runs, (size_t)room * sizeof *runs);
                if (!runs)
                    return 0;
                found->runs = runs;
                found->room = room;
            }
            last = &found->runs[found->count++];
            *last = (Run){text, (uint32_t)(found->rows + i), 0};
        }
        /* mostly the text of a run is stored once, and all its views are the same */
        const View *view = &views[i];
        do
            i++;
        while (i < array->length && !memcmp(&views[i], view, sizeof *view));
        last->end = (uint32_t)(found->rows + i);
    }
    found->rows += array->length;
    return 1;
}

/* Take over all texts of a stream of `rows` views; returns 0 for anything else. */
static int runs_of(struct ArrowArrayStream *stream, int64_t rows, Runs *found) {
    memset(found, 0, sizeof *found);
    if (!are_views(stream))
        return 0;
    for (;;) {
        struct ArrowArray *arrays =
            realloc(found->arrays, (size_t)(found->chunks + 1) * sizeof(struct ArrowArray));
        if (!arrays)
            return 0;
        found->arrays = arrays;
        struct ArrowArray *array = &arrays[found->chunks];
        if (stream->get_next(stream, array))
            return 0;
        if (!array->release)
            /* the end */
            return found->rows == rows;
        found->chunks++;
        if (array->null_count || found->rows + array->length > rows || !add_rows(found, array))
            return 0;
    }
}

/* Eight bytes at a time, multiplied and folded: quick and good enough for keys of a table that is gone after
   this call. The seed is another one in each process, so that nobody can send VINs that all fall into one
   place. What is stored is told by CRC-32. */
static uint32_t hash_of(const Text *text, uint64_t seed) {
    uint64_t hash = seed ^ (uint64_t)text->length, word;
    const uint8_t *p = text->bytes;
    int64_t left = text->length;
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    if (left) {
        word = 0;
        memcpy(&word, p, (size_t)left);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    hash *= 0xc4ceb9fe1a85ec53u;
    return (uint32_t)(hash >> 32);
}

/* The newest row of one vehicle, with all that is compared. */
typedef struct {
    uint32_t hash;
    uint32_t row; /* from 1; 0: empty */
    Text text;
    double time;
    int64_t sequence;
    int tied; /* another row is just as new */
} Slot;

enum { FEWEST_SLOTS = 1024, AHEAD = 16 };

typedef struct {
    Slot *slots;
    uint64_t size, used;
} Slots;

static Slot *slots_of(uint64_t size) {
    Slot *slots = aligned_alloc(64, size * sizeof *slots);
    if (slots)
        memset(slots, 0, size * sizeof *slots);
    return slots;
}

static int grow(Slots *table) {
    uint64_t size = table->size * 4;
    Slot *slots = slots_of(size);
    if (!slots)
        return 0;
    for (uint64_t i = 0; i < table->size; i++) {
        if (!table->slots[i].row)
            continue;
        uint64_t at = table->slots[i].hash & (size - 1);
        while (slots[at].row)
            at = (at + 1) & (size - 1);
        slots[at] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->size = size;
    return 1;
}

/* Return the slot of a vehicle, an empty one for a vehicle that is not there yet. */
static Slot *find(const Slots *table, uint32_t hash, const Text *text) {
    uint64_t at = hash & (table->size - 1);
    for (;; at = (at + 1) & (table->size - 1)) {
        Slot *slot = &table->slots[at];
        if (!slot->row || (slot->hash == hash && same(&slot->text, text)))
            return slot;
    }
}

/* Compare the rows of a run with what is in its vehicle's slot; returns 0 for a time that is not a number. */
static int take_run(Slot *slot, const Run *run, uint32_t hash, const double *time, const int64_t *sequence) {
    uint32_t row = run->first;
    if (!slot->row) {
        if (time[row] != time[row])
            return 0;
        *slot = (Slot){hash, row + 1, run->text, time[row], sequence[row], 0};
        row++;
    }
    uint32_t best = slot->row;
    double latest = slot->time;
    int64_t last = slot->sequence;
    int tied = slot->tied;
    for (; row < run->end; row++) {
        if (time[row] < latest)
            continue;
        if (time[row] == latest && sequence[row] <= last) {
            tied |= sequence[row] == last;
            continue;
        }
        if (time[row] != time[row])
            return 0;
        best = row + 1;
        latest = time[row];
        last = sequence[row];
        tied = 0;
    }
    slot->row = best;
    slot->time = latest;
    slot->sequence = last;
    slot->tied = tied;
    return 1;
}

/* Write the newest row of each vehicle to `rows`, by time and then sequence, and return how many there are;
   -1 when that does not decide, or there is no memory. */
static int64_t newest_rows(const Runs *given, const double *time, const int64_t *sequence, uint64_t seed,
                           uint32_t *rows) {
    Slots table = {slots_of(FEWEST_SLOTS), FEWEST_SLOTS, 0};
    uint32_t *hashes = malloc((size_t)(given->count + AHEAD) * sizeof *hashes);
    uint8_t *chosen = calloc((size_t)given->rows + 1, 1);
    int64_t count = -1;
    if (!table.slots || !hashes || !chosen)
        goto done;
    for (int64_t i = 0; i < given->count + AHEAD; i++)
        hashes[i] = i < given->count ? hash_of(&given->runs[i].text, seed) : 0;
    for (int64_t i = 0; i < given->count; i++) {
        /* the memory that is needed soon is on its way meanwhile */
        __builtin_prefetch(&table.slots[hashes[i + AHEAD] & (table.size - 1)]);
        __builtin_prefetch(table.slots[hashes[i + AHEAD / 2] & (table.size - 1)].text.bytes);
        Slot *slot = find(&table, hashes[i], &given->runs[i].text);
        table.used += !slot->row;
        if (!take_run(slot, &given->runs[i], hashes[i], time, sequence) ||
            (table.used * 2 > table.size && !grow(&table)))
            goto done;
    }
    /* in their order, so that whoever takes them goes through memory once */
    for (uint64_t i = 0; i < table.size; i++) {
        if (table.slots[i].tied)
            goto done;
        if (table.slots[i].row)
            chosen[table.slots[i].row - 1] = 1;
    }
    count = 0;
    for (int64_t row = 0; row < given->rows; row++)
        if (chosen[row])
            rows[count++] = (uint32_t)row;
done:
    free(chosen);
    free(hashes);
    free(table.slots);
    return count;
}

/* Sort rows, which rise, by the shard of their vehicle, each shard's in their order; `counts` gets their
   numbers. */
static int by_shard(const Runs *given, uint32_t shards, uint32_t *rows, int64_t count, int64_t *counts) {
    uint32_t *found = malloc((size_t)count * sizeof *found + 1);
    uint32_t *sorted = malloc((size_t)count * sizeof *sorted + 1);
    int64_t *next = malloc((size_t)shards * sizeof *next);
    int done = found && sorted && next;
    if (done) {
        memset(counts, 0, (size_t)shards * sizeof *counts);
        const Run *run = given->runs;
        for (int64_t i = 0; i < count;) {
            while (run->end <= rows[i])
                run++;
            uint32_t shard = fleetflow_crc32(0, run->text.bytes, (size_t)run->text.length) % shards;
            for (; i < count && rows[i] < run->end; i++) {
                found[i] = shard;
                counts[shard]++;
            }
        }
        int64_t begin = 0;
        for (uint32_t shard = 0; shard < shards; shard++) {
            next[shard] = begin;
            begin += counts[shard];
        }
        for (int64_t i = 0; i < count; i++)
            sorted[next[found[i]]++] = rows[i];
        memcpy(rows, sorted, (size_t)count * sizeof *rows);
    }
    free(found);
    free(sorted);
    free(next);
    return done;
}

/* Choose and sort the rows of a column of VINs: with `time` and `sequence` only the newest of each vehicle
   (both NULL: all), shard after shard. Returns the number of rows written to `rows`, which has room for all,
   and per shard to `counts`; -1 when others have to decide. */
int64_t fleetflow_sort_out(struct ArrowArrayStream *vins, int64_t rows_given, const double *time,
                           const int64_t *sequence, uint32_t shards, uint64_t seed, uint32_t *rows,
                           int64_t *counts) {
    Runs given;
    int64_t count = -1;
    if (rows_given >= INT32_MAX)
        return count;
    if (runs_of(vins, rows_given, &given)) {
        if (time) {
            count = newest_rows(&given, time, sequence, seed, rows);
        } else {
            count = rows_given;
            for (int64_t i = 0; i < count; i++)
                rows[i] = (uint32_t)i;
        }
        if (shards == 1)
            counts[0] = count;
        else if (count >= 0 && !by_shard(&given, shards, rows, count, counts))
            count = -1;
    }
    runs_free(&given);
    return count;
}

/* Write to `first` where each run of equal VINs begins, of at most `most` runs, and return how many there are;
   -1 when others have to decide. */
int64_t fleetflow_runs(struct ArrowArrayStream *vins, int64_t rows, int64_t most, int64_t *first) {
    Runs given;
    int64_t count = -1;
    if (rows >= INT32_MAX)
        return count;
    if (runs_of(vins, rows, &given) && given.count <= most) {
        count = given.count;
        for (int64_t i = 0; i < count; i++)
            first[i] = given.runs[i].first;
    }
    runs_free(&given);
    return count;
}

/* Write the least and the greatest number of bytes of a VIN to `sizes`; -1 when others have to decide. */
int64_t fleetflow_text_sizes(struct ArrowArrayStream *vins, int64_t rows, int64_t *sizes) {
    Runs given;
    int64_t found = -1;
    if (rows >= INT32_MAX)
        return found;
    if (runs_of(vins, rows, &given) && given.count) {
        found = 0;
        sizes[0] = sizes[1] = given.runs[0].text.length;
        for (int64_t i = 1; i < given.count; i++) {
            int64_t size = given.runs[i].text.length;
            sizes[0] = size < sizes[0] ? size : sizes[0];
            sizes[1] = size > sizes[1] ? size : sizes[1];
        }
    }
    runs_free(&given);
    return found;
}

/* Write the rows of a column of lists that are not empty to `found`, which has room for all, and return how
   many there are; -1 when others have to decide. */
int64_t fleetflow_filled(struct ArrowArrayStream *lists, int64_t rows, int64_t *found) {
    struct ArrowSchema schema;
    if (lists->get_schema(lists, &schema))
        return -1;
    int known = schema.format && !strcmp(schema.format, "+L");
    if (schema.release)
        schema.release(&schema);
    int64_t count = 0, done = 0;
    while (known) {
        struct ArrowArray array;
        if (lists->get_next(lists, &array))
            return -1;
        if (!array.release)
            return done == rows ? count : -1;
        known = !array.null_count && done + array.length <= rows;
        const int64_t *ends = (const int64_t *)array.buffers[1] + array.offset;
        for (int64_t i = 0; known && i < array.length; i++) {
            found[count] = done + i;
            count += ends[i + 1] > ends[i];
        }
        done += array.length;
        array.release(&array);
    }
    return -1;
}
