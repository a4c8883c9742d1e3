// The state of a run on the device: see state.go.
#include "common.cuh"

// advance: see Advance. One thread counts a step.
//
//   state [4], updated
extern "C" __global__ void __launch_bounds__(1) advance(uint32 *__restrict__ state, uint32 rows) {
  state[stateStep]++;
  state[stateBatch]++;
  state[stateSample] += rows;
}
