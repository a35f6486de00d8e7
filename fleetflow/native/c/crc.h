/* CRC-32 as zlib computes it. */

#ifndef FLEETFLOW_CRC_H
#define FLEETFLOW_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Go on with `crc`, 0 in the beginning, over `length` bytes. */
uint32_t fleetflow_crc32(uint32_t crc, const void *data, size_t length);

#endif
