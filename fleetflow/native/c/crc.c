/* CRC-32 of the polynomial 0x04c11db7, reflected, as in zlib, gzip and PNG (ISO 3309).

   Portable: slicing by 16, after Kounavis and Berry, "A Systematic Approach to Building High Performance
   Software-Based CRC Generators" (2005). On x86-64 with the instructions: folding by carry-less products,
   after Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel,
   2009), whose constants for this polynomial are used. */

#include "crc.h"

#include <pthread.h>
#include <string.h>

enum { SLICES = 16 };

static uint32_t table[SLICES][256];
static pthread_once_t table_made = PTHREAD_ONCE_INIT;

static void make_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
        table[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int slice = 1; slice < SLICES; slice++) {
            uint32_t before = table[slice - 1][byte];
            table[slice][byte] = (before >> 8) ^ table[0][before & 0xff];
        }
}

/* `crc` is the complement of what is handed around outside. */
static uint32_t sliced(uint32_t crc, const uint8_t *at, size_t length) {
    pthread_once(&table_made, make_table);
    while (length >= SLICES) {
        /* byte by byte, so that the order of bytes in this machine does not matter */
        uint32_t next = 0;
        for (int place = 0; place < SLICES; place++) {
            uint8_t byte = at[place];
            if (place < 4) byte ^= (uint8_t)(crc >> (8 * place));
            next ^= table[SLICES - 1 - place][byte];
        }
        crc = next;
        at += SLICES;
        length -= SLICES;
    }
    while (length--) crc = (crc >> 8) ^ table[0][(crc ^ *at++) & 0xff];
    return crc;
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define FOLDING 1
#include <immintrin.h>

/* `length` is a multiple of 16, at least 64. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t folded(uint32_t crc, const uint8_t *at,
                                                                size_t length) {
    /* x^n mod P, reflected, for the n that the paper names: 4 * 128 +- 32, 128 +- 32, 64; then P and mu */
    const __m128i by_four = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i by_one = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by_half = _mm_set_epi64x(0, 0x0163cd6124);
    const __m128i reduce = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low = _mm_setr_epi32(~0, 0, ~0, 0);
    __m128i lane[4];
    for (int i = 0; i < 4; i++) lane[i] = _mm_loadu_si128((const __m128i *)(at + 16 * i));
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi32_si128((int)crc));
    at += 64;
    length -= 64;
    while (length >= 64) {
        for (int i = 0; i < 4; i++) {
            __m128i lower = _mm_clmulepi64_si128(lane[i], by_four, 0x00);
            __m128i upper = _mm_clmulepi64_si128(lane[i], by_four, 0x11);
            __m128i next = _mm_loadu_si128((const __m128i *)(at + 16 * i));
            lane[i] = _mm_xor_si128(_mm_xor_si128(lower, upper), next);
        }
        at += 64;
        length -= 64;
    }
    __m128i sum = lane[0];
    for (int i = 1; i < 4; i++) {
        __m128i lower = _mm_clmulepi64_si128(sum, by_one, 0x00);
        __m128i upper = _mm_clmulepi64_si128(sum, by_one, 0x11);
        sum = _mm_xor_si128(_mm_xor_si128(lower, upper), lane[i]);
    }
    for (; length >= 16; at += 16, length -= 16) {
        __m128i lower = _mm_clmulepi64_si128(sum, by_one, 0x00);
        __m128i upper = _mm_clmulepi64_si128(sum, by_one, 0x11);
        __m128i next = _mm_loadu_si128((const __m128i *)at);
        sum = _mm_xor_si128(_mm_xor_si128(lower, upper), next);
    }
    /* 128 bits to 64, and those, by Barrett's reduction, to 32 */
    sum = _mm_xor_si128(_mm_clmulepi64_si128(sum, by_one, 0x10), _mm_srli_si128(sum, 8));
    __m128i upper = _mm_srli_si128(sum, 4);
    sum = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(sum, low), by_half, 0x00), upper);
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(sum, low), reduce, 0x10);
    quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low), reduce, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(sum, quotient), 1);
}
#endif

uint32_t fleetflow_crc32(uint32_t crc, const void *data, size_t length) {
    const uint8_t *at = data;
    crc = ~crc;
#ifdef FOLDING
    if (length >= 64 && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) {
        size_t most = length & ~(size_t)15;
        crc = folded(crc, at, most);
        at += most;
        length -= most;
    }
#endif
    return ~sliced(crc, at, length);
}

/* For the tests: never by folding. */
uint32_t fleetflow_crc32_portable(uint32_t crc, const void *data, size_t length) {
    return ~sliced(~crc, data, length);
}
