package ptx

import (
	"fmt"
	"strings"
)

// FaultKind is the kind of a fault.
type FaultKind uint8

const (
	FaultOutOfBounds           FaultKind = iota + 1 // an access out of bounds
	FaultUseAfterFree                               // an access to freed memory
	FaultMisaligned                                 // a misaligned access
	FaultUninitializedMemory                        // a read of memory that was never written
	FaultUninitializedRegister                      // a read of a register that was never written
	FaultDivergentBarrier                           // a barrier reached by some lanes of a warp only
	FaultExitedBarrier                              // a barrier waits for threads that have left
	FaultWarpMask                                   // a shuffle or vote whose mask does not fit the active lanes
	FaultSharedRace                                 // a data race in shared memory
	FaultGlobalRace                                 // a data race in global memory
	FaultBudget                                     // the launch ran more instructions than allowed
)

var faultNames = [...]string{"", "access out of bounds", "use after free", "misaligned access", "read of memory never written",
	"read of a register never written", "barrier in divergent code", "barrier waits for exited threads",
	"bad warp mask", "race in shared memory", "race in global memory", "instruction budget spent"}

func (k FaultKind) String() string { return faultNames[k] }

// Fault is what Kernel.Run returns for a kernel that did something wrong. The first fault of a launch ends it.
type Fault struct {
	Kind        FaultKind
	Kernel      string
	File        string
	Line        int    // of the PTX file, from 1
	Instruction string // opcode
	Block       int
	Thread      int    // in the block: the first thread concerned
	Address     uint64 // within its space; 0 where memory is not the matter
	Size        int    // bytes of the access
	Space       string // state space of the access, empty where memory is not the matter
	Allocation  string // the allocation or variable space concerned, and where in it
	OtherLine   int    // the line of the access raced with
	Detail      string
}

func (f *Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "kernel %s: %s:%d: %s: %v", f.Kernel, f.File, f.Line, f.Instruction, f.Kind)
	if f.Size > 0 {
		fmt.Fprintf(&b, ": %d bytes of %s memory at %#x", f.Size, f.Space, f.Address)
	}
	if f.Allocation != "" {
		fmt.Fprintf(&b, " (%s)", f.Allocation)
	}
	if f.Detail != "" {
		fmt.Fprintf(&b, ": %s", f.Detail)
	}
	fmt.Fprintf(&b, ": block %d thread %d", f.Block, f.Thread)
	return b.String()
}

// LaunchError is what Kernel.Run returns for a launch that a GPU would refuse.
type LaunchError struct {
	Kernel  string
	Message string
}

func (e *LaunchError) Error() string {
	return fmt.Sprintf("launch of kernel %s: %s", e.Kernel, e.Message)
}

// fail records a fault of a lane at the current instruction; the first fault of a warp stands.
func (w *warp) fail(kind FaultKind, lane int, format string, arguments ...any) *Fault {
	if w.fault == nil {
		k, in := w.block.kernel, w.current
		w.fault = &Fault{Kind: kind, Kernel: k.Name, File: k.file, Line: int(in.line), Instruction: in.opcode,
			Block: int(w.block.number) - 1, Thread: w.index*lanes + lane, Detail: fmt.Sprintf(format, arguments...)}
	}
	return w.fault
}
