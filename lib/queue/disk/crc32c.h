/* CRC-32C (Castagnoli), the one of iSCSI and ext4: reflected polynomial 0x82f63b78. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Continues crc (0 at the start) over len bytes. crc32c(0, "123456789", 9) is 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
