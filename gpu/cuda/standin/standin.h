#pragma once

#include <stddef.h>
#include <stdint.h>

// A function of the driver or cuDNN and the one that stands in for it.
struct standin_function { const char *name; void *function; };

// Returns the functions and their number.
const struct standin_function *standin_functions(int *count);

// The current context of the calling thread, and a number that no other living
// thread has.
uintptr_t standin_current(void);
void standin_make_current(uintptr_t context);
uintptr_t standin_thread(void);

// Returns how many pointers the block of malloc has room for that they start.
size_t standin_room(void *pointers);

// Memory that is page-aligned, as pinned memory is.
void *standin_pinned(size_t bytes);
