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

/* The texts of a column without nulls, and the arrays that hold their bytes. */
typedef struct {
    Text *texts;
    struct ArrowArray *arrays;
    int64_t rows, chunks;
} Texts;

static void texts_free(Texts *texts) {
    for (int64_t i = 0; i < texts->chunks; i++)
        if (texts->arrays[i].release)
            texts->arrays[i].release(&texts->arrays[i]);
    free(texts->arrays);
    free(texts->texts);
    memset(texts, 0, sizeof *texts);
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

/* Take over all texts of a stream of `rows` views; returns 0 for anything else. */
static int texts_of(struct ArrowArrayStream *stream, int64_t rows, Texts *texts) {
    memset(texts, 0, sizeof *texts);
    if (!are_views(stream) || !(texts->texts = malloc((size_t)(rows + 1) * sizeof(Text))))
        return 0;
    for (;;) {
        struct ArrowArray *arrays =
            realloc(texts->arrays, (size_t)(texts->chunks + 1) * sizeof(struct ArrowArray));
        if (!arrays)
            break;
        texts->arrays = arrays;
        struct ArrowArray *array = &arrays[texts->chunks];
        if (stream->get_next(stream, array))
            break;
        if (!array->release)
            /* the end */
            return texts->rows == rows;
        texts->chunks++;
        if (array->null_count || texts->rows + array->length > rows)
            break;
        const View *views = (const View *)array->buffers[1] + array->offset;
        for (int64_t i = 0; i < array->length; i++) {
            const View *view = &views[i];
            Text *text = &texts->texts[texts->rows + i];
            text->length = view->brief.length;
            text->bytes = text->length <= 12 ? (const uint8_t *)view->brief.inlined
                                             : (const uint8_t *)array->buffers[2 + view->lengthy.buffer] +
                                                   view->lengthy.offset;
        }
        texts->rows += array->length;
    }
    return 0;
}

static int same(const Text *a, const Text *b) {
    return a->length == b->length && !memcmp(a->bytes, b->bytes, (size_t)a->length);
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

/* The newest row of one vehicle, with all that is compared: one line of the processor's cache holds two. */
typedef struct {
    uint32_t hash;
    uint32_t row; /* from 1; 0: empty */
    const uint8_t *bytes;
    double time;
    int64_t sequence;
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
static Slot *find(const Slots *table, const Text *texts, uint32_t hash, const Text *text) {
    uint64_t at = hash & (table->size - 1);
    for (;; at = (at + 1) & (table->size - 1)) {
        Slot *slot = &table->slots[at];
        if (!slot->row)
            return slot;
        if (slot->hash == hash && texts[slot->row - 1].length == text->length &&
            !memcmp(slot->bytes, text->bytes, (size_t)text->length))
            return slot;
    }
}

/* Write the newest row of each vehicle to `rows`, by time and then sequence, and return how many there are;
   -1 when that does not decide, or there is no memory. */
static int64_t newest_rows(const Texts *texts, const double *time, const int64_t *sequence, uint64_t seed,
                           uint32_t *rows) {
    Slots table = {slots_of(FEWEST_SLOTS), FEWEST_SLOTS, 0};
    uint32_t *hashes = malloc((size_t)(texts->rows + AHEAD) * sizeof *hashes);
    int64_t count = -1;
    if (!table.slots || !hashes)
        goto done;
    for (int64_t row = 0; row < texts->rows; row++)
        hashes[row] = row && same(&texts->texts[row], &texts->texts[row - 1]) ? hashes[row - 1]
                                                                             : hash_of(&texts->texts[row], seed);
    for (int64_t row = texts->rows; row < texts->rows + AHEAD; row++)
        hashes[row] = 0;
    for (int64_t row = 0; row < texts->rows; row++) {
        /* the memory that is needed soon is on its way meanwhile */
        __builtin_prefetch(&table.slots[hashes[row + AHEAD] & (table.size - 1)]);
        __builtin_prefetch(table.slots[hashes[row + AHEAD / 2] & (table.size - 1)].bytes);
        Slot *slot = find(&table, texts->texts, hashes[row], &texts->texts[row]);
        if (time[row] != time[row])
            goto done;
        if (slot->row) {
            if (time[row] == slot->time && sequence[row] == slot->sequence)
                goto done;
            if (time[row] < slot->time || (time[row] == slot->time && sequence[row] < slot->sequence))
                continue;
        } else {
            table.used++;
        }
        *slot = (Slot){hashes[row], (uint32_t)row + 1, texts->texts[row].bytes, time[row], sequence[row]};
        if (table.used * 2 > table.size && !grow(&table))
            goto done;
    }
    /* in their order, so that whoever takes them goes through memory once */
    memset(hashes, 0, (size_t)texts->rows * sizeof *hashes);
    for (uint64_t i = 0; i < table.size; i++)
        if (table.slots[i].row)
            hashes[table.slots[i].row - 1] = 1;
    count = 0;
    for (int64_t row = 0; row < texts->rows; row++)
        if (hashes[row])
            rows[count++] = (uint32_t)row;
done:
    free(hashes);
    free(table.slots);
    return count;
}

/* Sort rows by the shard of their vehicle, each shard's in their order; `counts` gets their numbers. */
static int by_shard(const Texts *texts, uint32_t shards, uint32_t *rows, int64_t count, int64_t *counts) {
    uint32_t *found = malloc((size_t)count * sizeof *found + 1);
    uint32_t *sorted = malloc((size_t)count * sizeof *sorted + 1);
    int64_t *next = malloc((size_t)shards * sizeof *next);
    if (!found || !sorted || !next) {
        free(found);
        free(sorted);
        free(next);
        return 0;
    }
    memset(counts, 0, (size_t)shards * sizeof *counts);
    for (int64_t i = 0; i < count; i++) {
        const Text *text = &texts->texts[rows[i]];
        found[i] = i && same(text, &texts->texts[rows[i - 1]])
                       ? found[i - 1]
                       : fleetflow_crc32(0, text->bytes, (size_t)text->length) % shards;
        counts[found[i]]++;
    }
    int64_t begin = 0;
    for (uint32_t shard = 0; shard < shards; shard++) {
        next[shard] = begin;
        begin += counts[shard];
    }
    for (int64_t i = 0; i < count; i++)
        sorted[next[found[i]]++] = rows[i];
    memcpy(rows, sorted, (size_t)count * sizeof *rows);
    free(found);
    free(sorted);
    free(next);
    return 1;
}

/* Choose and sort the rows of a column of VINs: with `time` and `sequence` only the newest of each vehicle
   (both NULL: all), shard after shard. Returns the number of rows written to `rows`, which has room for all,
   and per shard to `counts`; -1 when others have to decide. */
int64_t fleetflow_sort_out(struct ArrowArrayStream *vins, int64_t rows_given, const double *time,
                           const int64_t *sequence, uint32_t shards, uint64_t seed, uint32_t *rows,
                           int64_t *counts) {
    Texts texts;
    int64_t count = -1;
    if (rows_given < INT32_MAX && texts_of(vins, rows_given, &texts)) {
        if (time) {
            count = newest_rows(&texts, time, sequence, seed, rows);
        } else {
            count = rows_given;
            for (int64_t i = 0; i < count; i++)
                rows[i] = (uint32_t)i;
        }
        if (shards == 1)
            counts[0] = count;
        else if (count >= 0 && !by_shard(&texts, shards, rows, count, counts))
            count = -1;
        texts_free(&texts);
    } else if (rows_given < INT32_MAX) {
        texts_free(&texts);
    }
    return count;
}
