/*
 * short_text.c
 *		Texts from outside as values of columns.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "kernel/short_text.h"
#include "kernel/value.h"

#define ELLIPSIS "\xe2\x80\xa6"
#define ELLIPSIS_LEN 3
#define HASH_DIGITS 16

/*
 * The beginning of a text, an ellipsis and 16 digits of a hash of all of it.
 * The room must have been zeroed once, and texts must stay where they are as
 * long as it is used.
 */
Bytes
shortened(Bytes text, ShortText *room)
{
	if (room->whole.data != text.data || room->whole.len != text.len)
	{
		int			kept = utf8_clip(text, SHORT_TEXT_MAX - ELLIPSIS_LEN - HASH_DIGITS);
		char		tail[ELLIPSIS_LEN + HASH_DIGITS + 1];

		snprintf(tail, sizeof(tail), ELLIPSIS "%016llx", (unsigned long long)
				 hash_bytes_extended((const unsigned char *) text.data, (int) text.len, 0));
		memcpy(room->room, text.data, kept);
		memcpy(room->room + kept, tail, ELLIPSIS_LEN + HASH_DIGITS);
		room->len = kept + ELLIPSIS_LEN + HASH_DIGITS;
		room->whole = text;
	}
	return (Bytes) {room->room, room->len};
}
