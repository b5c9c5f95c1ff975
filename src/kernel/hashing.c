/*
 * hashing.c
 *		Hashes for tables in memory.
 */
#include "postgres.h"

#include <sys/time.h>
#include <unistd.h>

#include "kernel/hashing.h"

/*
 * A number that others cannot know: from the clock, the process and where
 * memory happens to lie.
 */
uint64
hash_seed(void)
{
	static uint64 seed = 0;

	if (unlikely(seed == 0))
	{
		struct
		{
			struct timeval time;
			pid_t		pid;
			void	   *stack;
			void	   *heap;
		}			noise;

		memset(&noise, 0, sizeof(noise));
		gettimeofday(&noise.time, NULL);
		noise.pid = getpid();
		noise.stack = &noise;
		noise.heap = palloc(1);
		seed = hash_bytes_extended((unsigned char *) &noise, sizeof(noise), 0) | 1;
		pfree(noise.heap);
	}
	return seed;
}
