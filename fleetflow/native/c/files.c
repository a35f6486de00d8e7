/* Many files opened, looked at and read in one call.

   Only the plain case is done here: a regular file that goes on where it was left. Of any other one it is
   said that it is STRANGE, and nothing of it is kept. */

#define _GNU_SOURCE

#include "crc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef __APPLE__
#define st_mtim st_mtimespec
#define st_ctim st_ctimespec
#endif

/* At most so many bytes of a file's beginning, and of what precedes the offset, are compared. */
enum { EDGE = 4096 };
/* Reading and summing so many bytes takes the processor some 10 us. */
enum { LONG = 1 << 15 };
enum { SAME, OTHER, STRANGE };

/* As files.py writes it: what is known of a file, and how many bytes are wanted. */
typedef struct {
    int64_t inode, searched, offset, want, crc, head_bytes, head_crc, tail_bytes, tail_crc;
} Known;

typedef struct {
    int64_t inode, size, mtime_ns, ctime_ns;
} Look;

/* As files.py reads it. `length` bytes are to be read, `got` were, the whole lines of them have `cut` bytes.
   The checksums are those behind these lines. `descriptor` is -1 unless the file is open. */
typedef struct {
    int64_t descriptor;
    Look look;
    int64_t length, got, cut, crc, head_bytes, head_crc, tail_bytes, tail_crc, wait_ns;
} Found;

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Time since `since`, which is moved to now. To open, or to look, takes the processor little: all of it is
   waiting. The processor's own clock costs a system call, half of what a look does. */
static int64_t waited(int64_t *since) {
    int64_t now = clock_ns(CLOCK_MONOTONIC), wait_ns = now - *since;
    *since = now;
    return wait_ns;
}

/* True for a regular file whose numbers fit. */
static int look_of(const struct stat *found, Look *look) {
    if (!S_ISREG(found->st_mode) || (uint64_t)found->st_ino > INT64_MAX) return 0;
    look->inode = (int64_t)found->st_ino;
    look->size = found->st_size;
    look->mtime_ns = found->st_mtim.tv_sec * INT64_C(1000000000) + found->st_mtim.tv_nsec;
    look->ctime_ns = found->st_ctim.tv_sec * INT64_C(1000000000) + found->st_ctim.tv_nsec;
    return 1;
}

/* Read up to `length` bytes, as one call does: -1 when it fails. */
static ssize_t read_some(int fd, void *into, int64_t length, int64_t offset) {
    ssize_t got;
    do got = pread(fd, into, (size_t)length, offset);
    while (got < 0 && errno == EINTR);
    return got;
}

/* True when all `length` bytes were read. */
static int read_all(int fd, uint8_t *into, int64_t length, int64_t offset) {
    while (length) {
        ssize_t got = read_some(fd, into, length, offset);
        if (got <= 0) return 0;
        into += got;
        offset += got;
        length -= got;
    }
    return 1;
}

static void shut(Found *found) {
    /* not again after EINTR: the descriptor is gone then, and may be another thread's by now */
    if (found->descriptor >= 0) close((int)found->descriptor);
    found->descriptor = -1;
}

static int in_order(const Known *known) {
    return known->offset >= 0 && known->searched >= known->offset && known->want > 0 && known->head_bytes >= 0 &&
           known->head_bytes <= EDGE && known->head_bytes <= known->offset && known->tail_bytes >= 0 &&
           known->tail_bytes <= EDGE && known->tail_bytes <= known->offset;
}

/* Open `count` files, whose paths follow each other, each with its NUL. Begins no other one after
   `most_ns`. Returns how many were looked at: at least one. */
int64_t fleetflow_files_open(const char *paths, const Known *known, Found *found, int64_t count,
                             int64_t most_ns) {
    int64_t since = clock_ns(CLOCK_MONOTONIC), end_ns = since + most_ns, done = 0;
    for (; done < count && (!done || since < end_ns); done++, known++, found++) {
        struct stat status;
        memset(found, 0, sizeof *found);
        found->cut = -1;
        do found->descriptor = open(paths, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        while (found->descriptor < 0 && errno == EINTR);
        paths += strlen(paths) + 1;
        if (found->descriptor >= 0) {
            if (in_order(known) && fstat((int)found->descriptor, &status) == 0 && look_of(&status, &found->look) &&
                found->look.inode == known->inode && found->look.size >= known->searched) {
                found->length = found->look.size - known->offset;
                if (found->length > known->want) found->length = known->want;
            } else
                shut(found);
        }
        found->wait_ns = waited(&since);
    }
    return done;
}

void fleetflow_files_close(Found *found, int64_t count) {
    for (; count--; found++) shut(found);
}

/* The checksums behind the `cut` bytes that follow what is known; `tail` is what precedes them. */
static void sum(const Known *known, Found *found, const uint8_t *data, const uint8_t *tail) {
    int64_t length = found->cut, missing = EDGE - known->head_bytes;
    found->head_bytes = known->head_bytes;
    found->head_crc = known->head_crc;
    if (missing > length) missing = length;
    if (missing > 0) {
        found->head_crc = fleetflow_crc32((uint32_t)known->head_crc, data, (size_t)missing);
        found->head_bytes += missing;
    }
    if (known->offset == 0)
        /* the head's is where that of all goes on */
        found->crc = fleetflow_crc32((uint32_t)found->head_crc, data + missing, (size_t)(length - missing));
    else
        found->crc = fleetflow_crc32((uint32_t)known->crc, data, (size_t)length);
    if (length >= EDGE) {
        found->tail_bytes = EDGE;
        found->tail_crc = fleetflow_crc32(0, data + length - EDGE, EDGE);
        return;
    }
    int64_t kept = EDGE - length;
    if (kept > known->tail_bytes) kept = known->tail_bytes;
    found->tail_bytes = kept + length;
    found->tail_crc = fleetflow_crc32(0, tail + known->tail_bytes - kept, (size_t)kept);
    found->tail_crc = fleetflow_crc32((uint32_t)found->tail_crc, data, (size_t)length);
}

/* True for a file that goes on as expected. What precedes is compared after reading what follows: the lines
   then belong to the same content, even if the file was overwritten at that very moment. */
static int goes_on(const Known *known, Found *found, uint8_t *data) {
    int fd = (int)found->descriptor;
    uint8_t head[EDGE], tail[EDGE];
    const uint8_t *before = tail;
    int64_t cut = 0;
    if (found->length) {
        found->got = read_some(fd, data, found->length, known->offset);
        if (found->got <= 0) return 0;
        for (cut = found->got; cut && data[cut - 1] != '\n'; cut--) {}
        if (!cut) return 0;
    }
    if (known->head_bytes) {
        if (!read_all(fd, head, known->head_bytes, 0)) return 0;
        if (fleetflow_crc32(0, head, (size_t)known->head_bytes) != (uint32_t)known->head_crc) return 0;
    }
    if (known->head_bytes && known->head_bytes == known->offset)
        before = head + known->head_bytes - known->tail_bytes;
    else if (known->tail_bytes) {
        if (!read_all(fd, tail, known->tail_bytes, known->offset - known->tail_bytes)) return 0;
        if (fleetflow_crc32(0, tail, (size_t)known->tail_bytes) != (uint32_t)known->tail_crc) return 0;
    }
    found->cut = cut;
    if (cut) sum(known, found, data, before);
    return 1;
}

/* Read what follows in files that were opened, each into its own buffer of `length` bytes, and close them.
   `cut` stays -1 for those that do not go on as expected. Begins no other file after `most_ns`: returns how
   many were done, at least one. */
int64_t fleetflow_files_read(const Known *known, Found *found, uint8_t *const *buffers, int64_t count,
                             int64_t most_ns) {
    int64_t since = clock_ns(CLOCK_MONOTONIC), end_ns = since + most_ns, done = 0;
    for (; done < count && (!done || since < end_ns); done++) {
        /* only a long read keeps the processor busy for long */
        int busy = found[done].length > LONG;
        int64_t cpu_ns = busy ? clock_ns(CLOCK_THREAD_CPUTIME_ID) : 0;
        if (found[done].descriptor >= 0) {
            if (!goes_on(&known[done], &found[done], buffers[done])) found[done].cut = -1;
            shut(&found[done]);
        }
        found[done].wait_ns += waited(&since) - (busy ? clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns : 0);
    }
    fleetflow_files_close(found + done, count - done);
    return done;
}

/* Look at `count` files of a directory, whose names follow each other, each with its NUL. `states` says which
   are the SAME as `looks`, and which look OTHER: as `looks` tells then. Begins no other one after `most_ns`:
   returns how many were looked at, at least one. */
int64_t fleetflow_files_look(int directory, const char *names, Look *looks, uint8_t *states,
                             int64_t *waits_ns, int64_t count, int64_t most_ns) {
    int64_t since = clock_ns(CLOCK_MONOTONIC), end_ns = since + most_ns, done = 0;
    for (; done < count && (!done || since < end_ns); done++) {
        struct stat status;
        Look look;
        states[done] = STRANGE;
        if (fstatat(directory, names, &status, 0) == 0 && look_of(&status, &look)) {
            states[done] = memcmp(&look, &looks[done], sizeof look) ? OTHER : SAME;
            looks[done] = look;
        }
        names += strlen(names) + 1;
        waits_ns[done] = waited(&since);
    }
    return done;
}
