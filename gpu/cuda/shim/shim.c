//go:build cuda

// Every function of the CUDA driver and of cuDNN that the program may call is a
// jump through a pointer here. The pointers lead to functions that refuse until
// the library is opened by dlopen.
#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Not cuda.h and cudnn.h: they declare, and rename by macro, what is defined here.
#include <cudnn_version.h>

// The answers of functions whose library is not there: numbers of CUresult and
// cudnnStatus_t.
enum { SUCCESS = 0, NO_DEVICE = 100, NOT_FOUND = 500, CUDNN_NOT_INITIALIZED = CUDNN_MAJOR >= 9 ? 1001 : 1 };

static int noDriver(void) { return NO_DEVICE; }
static int olderDriver(void) { return NOT_FOUND; }
static int noCuDNN(void) { return CUDNN_NOT_INITIALIZED; }
static size_t noVersion(void) { return 0; }
static const char *noText(int status) { return "cuDNN is not loaded"; }
static void noLastError(char *text, size_t size) { if (size > 0) *text = 0; }

// FUNCTION defines a name as a jump through shim_to_name, which starts at initial.
// The names are hidden: what the libraries call in each other is not diverted.
#if defined(__x86_64__)
#define JUMP(name) "jmp *shim_to_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name) "adrp x16, shim_to_" #name "\nldr x16, [x16, :lo12:shim_to_" #name "]\nbr x16\n"
#else
#error "the shim needs a jump for this processor"
#endif
#define FUNCTION(name, initial) \
  __attribute__((visibility("hidden"))) void *shim_to_##name = (void *)initial; \
  __asm__(".pushsection .text\n.balign 16\n.globl " #name "\n.hidden " #name "\n.type " #name ",%function\n" #name ":\n" \
          JUMP(name) ".size " #name ",.-" #name "\n.popsection\n");

#define X(name) FUNCTION(name, noDriver)
#include "driver_names.h"
#undef X
#define X(name) FUNCTION(name, noCuDNN)
#include "cudnn_names.h"
#undef X
FUNCTION(cudnnGetVersion, noVersion)
FUNCTION(cudnnGetErrorString, noText)
FUNCTION(cudnnGetLastErrorString, noLastError)

// A name, its pointer and the function that refuses.
struct function { const char *name; void **to; void *refuse; };

#define X(name) {#name, &shim_to_##name, (void *)noDriver},
static int (*driverInit)(unsigned int);
static const struct function driverFunctions[] = {
#include "driver_names.h"
    {"cuInit", (void **)&driverInit, NULL}, // the name itself is defined below
};
#undef X
#define X(name) {#name, &shim_to_##name, (void *)noCuDNN},
static const struct function cudnnFunctions[] = {
#include "cudnn_names.h"
    {"cudnnGetVersion", &shim_to_cudnnGetVersion, (void *)noVersion},
    {"cudnnGetErrorString", &shim_to_cudnnGetErrorString, (void *)noText},
    {"cudnnGetLastErrorString", &shim_to_cudnnGetLastErrorString, (void *)noLastError},
};
#undef X

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x
#define COUNT(a) (int)(sizeof(a) / sizeof *(a))
static struct library {
  const char *variable, *file; // that names the library's path; its name in the system
  const struct function *functions;
  int count;
  int tried, loaded;
  char problem[1024];
} libraries[] = {
    [SHIM_DRIVER] = {"CUDA_DRIVER_LIB", "libcuda.so.1", driverFunctions, COUNT(driverFunctions)},
    [SHIM_CUDNN] = {"CUDNN_LIB", "libcudnn.so." TEXT(CUDNN_MAJOR), cudnnFunctions, COUNT(cudnnFunctions)},
};

// CUDA 13's headers ask for two functions by a name that older drivers lack; the
// older name has the same parameters.
static const char *olderName(const char *name) {
  if (!strcmp(name, "cuEventElapsedTime_v2")) return "cuEventElapsedTime";
  if (!strcmp(name, "cuDeviceGetUuid_v2")) return "cuDeviceGetUuid";
  return name;
}

// The libraries that libcudnn.so opens when one of our calls needs them. Where one is
// missing it may end the process, even when it is asked for its version. A library
// stands behind those that it is linked to.
static const char *const cudnnParts[] = {
#if CUDNN_MAJOR >= 9
    "graph", "ops", "cnn", "engines_precompiled", "engines_runtime_compiled", "heuristic",
#else
    "ops_infer", "ops_train", "cnn_infer", "cnn_train",
#endif
};

// openParts opens them where cuDNN will find them: beside it, else in the system. They
// stay open for it.
static int openParts(struct library *l, void *cudnn) {
  char folder[4096], path[8192];
  if (dlinfo(cudnn, RTLD_DI_ORIGIN, folder)) *folder = 0;
  for (int i = 0; i < COUNT(cudnnParts); i++) {
    snprintf(path, sizeof path, "%s/libcudnn_%s.so." TEXT(CUDNN_MAJOR), folder, cudnnParts[i]);
    if (dlopen(access(path, F_OK) == 0 ? path : strrchr(path, '/') + 1, RTLD_LAZY | RTLD_LOCAL)) continue;
    snprintf(l->problem, sizeof l->problem, "%s; cuDNN needs this part", dlerror());
    return 0;
  }
  return 1;
}

// load opens the file that the variable names (or the one in the folder that it
// names, or the system's) and points the functions to it.
static void load(struct library *l) {
  char path[4096];
  const char *given = getenv(l->variable);
  struct stat status;
  if (!given || !*given)
    snprintf(path, sizeof path, "%s", l->file);
  else if (stat(given, &status) == 0 && S_ISDIR(status.st_mode))
    snprintf(path, sizeof path, "%s/%s", given, l->file);
  else
    snprintf(path, sizeof path, "%s", given);
  l->tried = 1;
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    snprintf(l->problem, sizeof l->problem, "%s", dlerror());
    return;
  }
  if (l == &libraries[SHIM_CUDNN] && !openParts(l, handle)) return;
  for (int i = 0; i < l->count; i++) {
    const struct function *f = &l->functions[i];
    void *found = dlsym(handle, f->name);
    if (!found) found = dlsym(handle, olderName(f->name));
    if (!found && l == &libraries[SHIM_DRIVER]) found = (void *)olderDriver;
    *f->to = found ? found : f->refuse;
  }
  l->loaded = l != &libraries[SHIM_DRIVER] || (void *)driverInit != (void *)olderDriver;
  if (!l->loaded) snprintf(l->problem, sizeof l->problem, "%s has no function cuInit", path);
}

// cuInit is what package cu calls when the program starts; cu ends the program if
// it does not succeed.
__attribute__((visibility("hidden"))) int cuInit(unsigned int flags) { return SUCCESS; }

int shim_init(void) { return driverInit ? driverInit(0) : NOT_FOUND; }

const char *shim_text(int code) {
  const char *text = NULL;
  int (*errorString)(int, const char **) = (int (*)(int, const char **))shim_to_cuGetErrorString;
  return errorString(code, &text) == SUCCESS ? text : NULL;
}

static const char *openCuDNN(struct library *l) {
  const size_t version = ((size_t(*)(void))shim_to_cudnnGetVersion)();
  const size_t major = version >= 90000 ? version / 10000 : version / 1000;
  if (major == CUDNN_MAJOR) return NULL;
  snprintf(l->problem, sizeof l->problem, "it is version %zu, and this program was built for cuDNN %d", version, CUDNN_MAJOR);
  return l->problem;
}

const char *shim_open(int library) {
  struct library *l = &libraries[library];
  if (!l->tried) load(l);
  if (!l->loaded) return l->problem;
  return library == SHIM_DRIVER ? NULL : openCuDNN(l);
}

int shim_set(const char *name, void *function) {
  for (int i = 0; i < COUNT(libraries); i++)
    for (int j = 0; j < libraries[i].count; j++)
      if (!strcmp(libraries[i].functions[j].name, name)) {
        *libraries[i].functions[j].to = function;
        libraries[i].tried = libraries[i].loaded = 1;
        return 1;
      }
  return 0;
}

void shim_clear(int again) {
  for (int i = 0; i < COUNT(libraries); i++) {
    struct library *l = &libraries[i];
    for (int j = 0; j < l->count; j++) *l->functions[j].to = l->functions[j].refuse;
    l->tried = !again;
    l->loaded = 0;
    snprintf(l->problem, sizeof l->problem, "no library");
  }
}
