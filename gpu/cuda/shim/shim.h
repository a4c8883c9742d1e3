// The two libraries that the shim opens.
enum { SHIM_DRIVER, SHIM_CUDNN };

// Opens a library once, and returns NULL or why it cannot be used.
const char *shim_open(int library);

// Initializes the driver, and returns its answer, a CUresult.
int shim_init(void);

// Returns what the driver calls a CUresult, or NULL.
const char *shim_text(int code);

// Puts a function behind a name; 0 if the shim has no such name. For tests.
int shim_set(const char *name, void *function);

// Puts every name back to the function that refuses, as if no library were
// there, or, with again, had been looked for yet. For tests.
void shim_clear(int again);
