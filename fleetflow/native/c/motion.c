/* What `fleetflow.motion` does with the fixes of vehicles, one after the other instead of column by column.

   Each function does the operations of its counterpart in Python, in the same order, and so has the same
   result to the last bit: nothing here may be contracted or reordered. */

#include <math.h>
#include <stdint.h>

/* Added to a number of less than 2^51 and taken away again, it leaves the nearest whole one, the even one of
   two: the spacing of doubles is 1 there. */
static const double ROUNDS = 6755399441055744.0;

static double rounded(double number) { return (number + ROUNDS) - ROUNDS; }

/* Times in whole milliseconds from times in seconds, of rows that stand vehicle by vehicle, each from
   `first`. Returns -1 when a time, latitude or longitude is none that can be used, else whether every row is
   later than the one of its vehicle before it. */
int64_t fleetflow_fixes(int64_t rows, const double *time, const double *latitude, const double *longitude,
                        const int64_t *first, int64_t vehicles, int64_t most_ms, int64_t *time_ms) {
    int good = 1, rising = 1;
    for (int64_t row = 0; row < rows; row++) {
        double ms = rounded(time[row] * 1000);
        /* of what is not a number no comparison is true */
        good &= (ms >= 0) & (ms <= (double)most_ms) & (latitude[row] >= -90) & (latitude[row] <= 90) &
                (longitude[row] >= -180) & (longitude[row] <= 180);
        time_ms[row] = good ? (int64_t)ms : 0;
    }
    if (!good)
        return -1;
    for (int64_t vehicle = 0; vehicle < vehicles; vehicle++) {
        int64_t end = vehicle + 1 < vehicles ? first[vehicle + 1] : rows;
        for (int64_t row = first[vehicle] + 1; row < end; row++)
            rising &= time_ms[row] > time_ms[row - 1];
    }
    return rising;
}

/* Loops over columns are compiled for processors that take four and eight numbers at a time, too, where the
   compiler knows them. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && __GNUC__ >= 12 && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define WIDE
#endif

/* Cosines and sines of all multiples of 1/`per_degree` from -180 to 180 degrees. */
typedef struct {
    const double *cosines, *sines;
    double per_degree, radians, middle, last;
} Nodes;

static Nodes nodes_of(const double *cosines, const double *sines, int32_t per_degree) {
    double many = per_degree;
    return (Nodes){cosines, sines, many, 3.141592653589793 / 180 / many, 180 * many, 360 * many};
}

typedef struct {
    double x, y, z;
} Point;

/* Fixes that are worked on together: their columns stay in the processor's nearest cache. */
enum { BLOCK = 256 };

typedef struct {
    double x[BLOCK + 1], y[BLOCK + 1], z[BLOCK + 1];
} Points;

/* Cosines and sines of angles between -180 and 180 degrees: those of the nearest node, turned by the rest. */
static inline void turn(const Nodes *nodes, int rows, const double *degrees, double *cosines, double *sines) {
    double rests[BLOCK];
    int32_t places[BLOCK];
    for (int i = 0; i < rows; i++) {
        double rest = degrees[i] * nodes->per_degree;
        double nearest = rounded(rest);
        rests[i] = (rest - nearest) * nodes->radians;
        nearest += nodes->middle;
        nearest = nearest >= 0 ? nearest : 0;
        places[i] = (int32_t)(nearest <= nodes->last ? nearest : nodes->last);
    }
    for (int i = 0; i < rows; i++) {
        cosines[i] = nodes->cosines[places[i]];
        sines[i] = nodes->sines[places[i]];
    }
    for (int i = 0; i < rows; i++) {
        double rest = rests[i], cosine = cosines[i], sine = sines[i];
        double versine = rest * rest;
        double cubic = versine * (-1.0 / 6) + 1;
        rest *= cubic;
        versine *= 0.5;
        cosines[i] = cosine - (cosine * versine + sine * rest);
        sines[i] = sine + (rest * cosine - versine * sine);
    }
}

/* Points on the unit sphere, from the second on, and the squared chord to each from the one before it. */
WIDE static void drive(const Nodes *nodes, int rows, const double *latitude, const double *longitude,
                       Points *points, double *chords) {
    double cos_phi[BLOCK], cos_lam[BLOCK], sin_lam[BLOCK];
    double *x = points->x, *y = points->y, *z = points->z;
    turn(nodes, rows, latitude, cos_phi, z + 1);
    turn(nodes, rows, longitude, cos_lam, sin_lam);
    for (int i = 0; i < rows; i++) {
        x[i + 1] = cos_phi[i] * cos_lam[i];
        y[i + 1] = cos_phi[i] * sin_lam[i];
    }
    for (int i = 0; i < rows; i++) {
        double dx = x[i + 1] - x[i], dy = y[i + 1] - y[i], dz = z[i + 1] - z[i];
        chords[i] = dx * dx + dy * dy + dz * dz;
    }
}

/* Which legs between the fixes of vehicles count, see fleetflow/motion/travel.py. `latest`, `counted` and
   `latest_ms` have what is remembered of each vehicle, and get what is to be. Writes the row that each
   counting leg leads to and its squared chord; returns how many there are. */
int64_t fleetflow_travel(int64_t rows, const int64_t *time_ms, const double *latitude, const double *longitude,
                         const int64_t *first, int64_t vehicles, const double *cosines, const double *sines,
                         int32_t per_degree, double noise_squared, double speed_per_ms, Point *latest,
                         Point *counted, int64_t *latest_ms, int64_t *end, double *squared) {
    Nodes nodes = nodes_of(cosines, sines, per_degree);
    Points points;
    double chords[BLOCK];
    int64_t count = 0;
    for (int64_t vehicle = 0; vehicle < vehicles; vehicle++) {
        int64_t stop = vehicle + 1 < vehicles ? first[vehicle + 1] : rows;
        Point before = latest[vehicle], start = counted[vehicle];
        int64_t before_ms = latest_ms[vehicle];
        /* whether `start` is the point before: then the leg from there is known */
        int there = start.x == before.x && start.y == before.y && start.z == before.z;
        for (int64_t row = first[vehicle]; row < stop; row += BLOCK) {
            int some = stop - row < BLOCK ? (int)(stop - row) : BLOCK;
            points.x[0] = before.x;
            points.y[0] = before.y;
            points.z[0] = before.z;
            drive(&nodes, some, latitude + row, longitude + row, &points, chords);
            for (int i = 0; i < some; i++) {
                double reach = (double)(time_ms[row + i] - before_ms) * speed_per_ms;
                before_ms = time_ms[row + i];
                if (chords[i] <= reach * reach) {
                    double leg = chords[i];
                    if (!there) {
                        double dx = points.x[i + 1] - start.x, dy = points.y[i + 1] - start.y;
                        double dz = points.z[i + 1] - start.z;
                        leg = dx * dx + dy * dy + dz * dz;
                    }
                    there = leg >= noise_squared;
                    if (there) {
                        end[count] = row + i;
                        squared[count++] = leg;
                    }
                } else {
                    /* a jump, or the first fix of all: `before` is not a number then */
                    there = 1;
                }
                if (there)
                    start = (Point){points.x[i + 1], points.y[i + 1], points.z[i + 1]};
            }
            before = (Point){points.x[some], points.y[some], points.z[some]};
        }
        latest[vehicle] = before;
        counted[vehicle] = start;
        latest_ms[vehicle] = before_ms;
    }
    return count;
}

/* Whole millimetres of squared chords on the earth; of those that are too long for a series nothing is
   written. Returns how many these are. */
int64_t fleetflow_millimetres(int64_t rows, const double *squared, double largest, double diameter_m,
                              int64_t *millimetres) {
    int64_t large = 0;
    for (int64_t row = 0; row < rows; row++) {
        double square = squared[row] / 4;
        if (square >= largest) {
            large++;
            continue;
        }
        double arc = square * (15.0 / 336);
        arc += 3.0 / 40;
        arc *= square;
        arc += 1.0 / 6;
        arc *= square;
        arc += 1;
        arc *= sqrt(square);
        arc *= diameter_m;
        double whole = rounded(arc * 1000);
        millimetres[row] = whole == whole ? (int64_t)whole : 0;
    }
    return large;
}

/* Rows whose leg, from the row before, may be faster than a limit, see fleetflow_speed/legs.py; what begins
   with `before_` is where each vehicle was before. `width` is the squared width of a degree of longitude. */
int64_t fleetflow_fast_legs(int64_t rows, const int64_t *time_ms, const double *latitude,
                            const double *longitude, const int64_t *first, int64_t vehicles,
                            const int64_t *before_ms, const double *before_latitude,
                            const double *before_longitude, const double *width, double reach_per_ms,
                            double slack, int64_t *found) {
    int64_t count = 0;
    for (int64_t vehicle = 0; vehicle < vehicles; vehicle++) {
        int64_t stop = vehicle + 1 < vehicles ? first[vehicle + 1] : rows;
        int64_t last_ms = before_ms[vehicle];
        double last_latitude = before_latitude[vehicle], last_longitude = before_longitude[vehicle];
        for (int64_t row = first[vehicle]; row < stop; row++) {
            double east = longitude[row] - last_longitude, north = latitude[row] - last_latitude;
            double reach = (double)(time_ms[row] - last_ms) * reach_per_ms;
            double leg = east * east * width[vehicle] + north * north;
            found[count] = row;
            count += leg > reach * reach - slack;
            last_ms = time_ms[row];
            last_latitude = latitude[row];
            last_longitude = longitude[row];
        }
    }
    return count;
}

/* Where a direction of a grid is cut: a cell per whole number of degrees * scale + offset. */
typedef struct {
    float scale, offset;
} Axis;

static int32_t cell_of(const Axis *axis, double degrees, float last) {
    float cell = (float)degrees;
    cell *= axis->scale;
    cell += axis->offset;
    /* of what is not a number neither is true */
    return (int32_t)(cell >= 0 ? cell <= last ? cell : last : 0);
}

/* Rows whose cell of a grid, `width` cells wide and high, holds something, and what. */
int64_t fleetflow_look_up(int64_t rows, const double *latitude, const double *longitude, Axis south_north,
                          Axis west_east, const int32_t *cells, int32_t width, int64_t *found, int32_t *held) {
    int64_t count = 0;
    for (int64_t row = 0; row < rows; row++) {
        float last = (float)(width - 1);
        int64_t cell = (int64_t)cell_of(&south_north, latitude[row], last) * width +
                       cell_of(&west_east, longitude[row], last);
        found[count] = row;
        held[count] = cells[cell];
        count += cells[cell] != 0;
    }
    return count;
}
