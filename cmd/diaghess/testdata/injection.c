// A profiler as NVTX loads it: the library of NVTX_INJECTION64_PATH. It writes every range of a
// thread that begins or ends to the file of RANGES, a line each: thread, + or -, name.
#include <nvtx3/nvToolsExt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static FILE *ranges;
static __thread int depth;

static int push(const char *name) {
  fprintf(ranges, "%ld + %s\n", syscall(SYS_gettid), name);
  return depth++;
}

static int pop(void) {
  fprintf(ranges, "%ld -\n", syscall(SYS_gettid));
  fflush(ranges);
  return --depth;
}

// NVTX calls it before the first range, and asks it to fill the tables of its functions.
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t export) {
  const NvtxExportTableCallbacks *callbacks = export(NVTX_ETID_CALLBACKS);
  NvtxFunctionTable table;
  unsigned size;
  ranges = fopen(getenv("RANGES"), "w");
  if (!ranges || !callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size)) return 0;
  *table[NVTX_CBID_CORE_RangePushA] = (NvtxFunctionPointer)push;
  *table[NVTX_CBID_CORE_RangePop] = (NvtxFunctionPointer)pop;
  return 1;
}
