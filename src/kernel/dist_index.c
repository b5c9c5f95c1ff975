/*
 * dist_index.c
 *		Exact bucket boundaries; see dist_index.h.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "kernel/dist_index.h"

/* A number in [1, 2) in units of 2^-127. */
typedef struct DistPower
{
	uint64		high;
	uint64		low;
} DistPower;

#include "kernel/dist_table.h"

/* a * b, for a * b < 2, the last bit or two lost */
static uint128
power_multiply(uint128 a, DistPower b)
{
	uint64		high = (uint64) (a >> 64);
	uint64		low = (uint64) a;
	uint128		cross = ((uint128) high * b.low >> 64) + ((uint128) low * b.high >> 64);

	return ((uint128) high * b.high + cross) << 1;
}

/* 2^(k / 2^20), 0 <= k < 2^20, in units of 2^-127: a factor a base-32 digit. */
static uint128
power_of(int k)
{
	uint128		p = (uint128) 1 << 127;

	for (int digit = 0; digit < 4; digit++)
	{
		int			a = k >> (15 - 5 * digit) & 31;

		if (a)
			p = power_multiply(p, dist_power_table[digit][a]);
	}
	return p;
}

bool
dist_above_boundary(uint64 fraction, int k)
{
	if (k >= 1 << DIST_MAX_SCALE)
		return false;
	return (uint128) ((UINT64CONST(1) << FLOAT8_FRACTION_BITS) | fraction) << 75 > power_of(k);
}

double
dist_boundary(int64 index, int scale)
{
	int64		fine = index * ((int64) 1 << (DIST_MAX_SCALE - scale));
	int			exponent = (int) (fine >> DIST_MAX_SCALE);
	uint128		p;

	if (exponent >= 1024)
		return DBL_MAX;
	if (exponent < -1074)
		return 0;
	p = power_of((int) (fine & ((1 << DIST_MAX_SCALE) - 1)));
	return ldexp((double) (uint64) (p >> 64), exponent - 63);
}
