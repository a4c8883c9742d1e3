//go:build cuda

package supplement

// #include <cuda.h>
// CUresult cuProfilerStart(void);
// CUresult cuProfilerStop(void);
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// AllocPinned makes page-locked host memory, outside Go's heap, that the device
// copies from and to while the host goes on; cu.MemFreeHost frees it.
func AllocPinned(bytes int) ([]byte, error) {
	var memory unsafe.Pointer
	if err := driverError("cuMemHostAlloc", C.cuMemHostAlloc(&memory, C.size_t(bytes), C.CU_MEMHOSTALLOC_PORTABLE)); err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(memory), bytes), nil
}

// Capture records what body queues on the stream as a graph, instead of doing it,
// and makes the graph ready to be launched; nodes is how many there are. What body
// queues must not wait for the device nor allocate. cu.ExecGraph.Destroy frees the
// graph.
func Capture(s cu.Stream, body func() error) (graph cu.ExecGraph, nodes int, err error) {
	err = driverError("cuStreamBeginCapture", C.cuStreamBeginCapture(streamOf(s), C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL))
	if err != nil {
		return graph, 0, err
	}
	bodyErr := body()
	var captured C.CUgraph
	// Ends also after an error: it takes the stream back into use.
	err = driverError("cuStreamEndCapture", C.cuStreamEndCapture(streamOf(s), &captured))
	if captured != nil {
		defer C.cuGraphDestroy(captured)
	}
	if bodyErr != nil {
		return graph, 0, bodyErr
	}
	if err != nil {
		return graph, 0, err
	}
	var n C.size_t
	if err := driverError("cuGraphGetNodes", C.cuGraphGetNodes(captured, nil, &n)); err != nil {
		return graph, 0, err
	}
	var ready C.CUgraphExec
	if err := driverError("cuGraphInstantiateWithFlags", C.cuGraphInstantiateWithFlags(&ready, captured, 0)); err != nil {
		return graph, 0, err
	}
	// cu.ExecGraph holds this handle alone, which a test makes sure of.
	*(*C.CUgraphExec)(unsafe.Pointer(&graph)) = ready
	return graph, int(n), nil
}

// Launch queues a graph on a stream.
func Launch(graph cu.ExecGraph, s cu.Stream) error {
	return driverError("cuGraphLaunch", C.cuGraphLaunch(C.CUgraphExec(handle(graph)), streamOf(s)))
}

// RecordInGraph records an event on a stream whose work is being captured: each launch
// of the graph records it anew, for Event.Elapsed.
func RecordInGraph(e cu.Event, s cu.Stream) error {
	return driverError("cuEventRecordWithFlags", C.cuEventRecordWithFlags(C.CUevent(handle(e)), streamOf(s), C.CU_EVENT_RECORD_EXTERNAL))
}

// StartProfiler begins the range that a waiting profiler records (nsys profile -c
// cudaProfilerApi --capture-range-end=stop).
func StartProfiler() error { return driverError("cuProfilerStart", C.cuProfilerStart()) }

// StopProfiler ends the range of StartProfiler.
func StopProfiler() error { return driverError("cuProfilerStop", C.cuProfilerStop()) }
