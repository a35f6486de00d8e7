/* Numbers of ASCII digits.

   A quotient of an integer below 2^53 and a power of ten up to 10^22 is rounded correctly, because both are
   exact as doubles (Clinger, How to Read Floating Point Numbers Accurately, 1990). All other numbers go
   through the C library, which rounds correctly too. */

#define _GNU_SOURCE
#include "columns.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIGITS = 19 };

static const double POWERS[MOST_DIGITS + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                               1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

static locale_t plain;
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

static int slowly(const uint8_t *from, int64_t length, double *out) {
    char text[MOST_DIGITS + 3]; /* a sign, a point and a zero */
    pthread_once(&made, make_plain);
    if (!plain || length >= (int64_t)sizeof text)
        return 0;
    memcpy(text, from, (size_t)length);
    text[length] = 0;
    char *end;
    *out = strtod_l(text, &end, plain);
    return end == text + length;
}

int read_float(const uint8_t **at, double *out) {
    const uint8_t *p = *at;
    int negative = *p == '-';
    p += negative;
    const uint8_t *digits = p;
    uint64_t mantissa = 0;
    unsigned digit;
    /* more than 19 digits overflow the mantissa, and are sorted out by their number */
    while ((digit = *p - (unsigned)'0') < 10) {
        mantissa = mantissa * 10 + digit;
        p++;
    }
    int64_t before = p - digits, after = 0;
    if (!before)
        return 0;
    if (*p == '.') {
        digits = ++p;
        while ((digit = *p - (unsigned)'0') < 10) {
            mantissa = mantissa * 10 + digit;
            p++;
        }
        after = p - digits;
        if (!after)
            return 0;
    }
    if (before + after > MOST_DIGITS)
        return 0;
    if (mantissa >> 53) {
        if (!slowly(*at, p - *at, out))
            return 0;
    } else {
        double value = (double)mantissa / POWERS[after];
        *out = negative ? -value : value;
    }
    *at = p;
    return 1;
}

int read_int(const uint8_t **at, int64_t *out) {
    const uint8_t *p = *at;
    int negative = *p == '-';
    p += negative;
    const uint8_t *digits = p;
    uint64_t value = 0;
    unsigned digit;
    while ((digit = *p - (unsigned)'0') < 10) {
        value = value * 10 + digit;
        p++;
    }
    /* 18 digits fit whatever they are */
    if (p == digits || p - digits > MOST_DIGITS - 1)
        return 0;
    *out = negative ? -(int64_t)value : (int64_t)value;
    *at = p;
    return 1;
}
