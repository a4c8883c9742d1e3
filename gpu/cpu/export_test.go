package cpu

import "diaghess/gpu"

// NewAt opens a device whose assembly uses a level of vectors that the processor
// must have.
var NewAt = newAt

// Threads is the number of a stream's workers.
func Threads(s gpu.Stream) int { return s.(*stream).device.threads }
