//go:build cuda

package cuda

import (
	"sync"

	"gorgonia.org/cu"

	"diaghess/gpu"
	"diaghess/gpu/cuda/supplement"
)

// allocation is a piece of the card's memory.
type allocation struct {
	address cu.DevicePtr
	bytes   int
}

// memory is the allocation as cuDNN takes it.
func (a allocation) memory() supplement.Memory { return supplement.Memory(a.address) }

// lanes are those of closed streams.
type lanes struct {
	mutex sync.Mutex
	idle  []*lane
}

// take returns the lane of the stream that was closed last, or nil.
func (l *lanes) take() *lane {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	n := len(l.idle)
	if n == 0 {
		return nil
	}
	last := l.idle[n-1]
	l.idle = l.idle[:n-1]
	return last
}

func (l *lanes) give(idle *lane) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.idle = append(l.idle, idle)
}

// empty takes the memory of all idle lanes.
func (l *lanes) empty() (all []allocation) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, idle := range l.idle {
		all = append(all, idle.spare...)
		idle.spare = nil
	}
	return all
}

// alloc makes memory, on a thread of the device. Where the card has too little it frees what a
// lane and the idle ones keep.
func (d *Device) alloc(bytes int, own *lane) (allocation, error) {
	address, err := cu.MemAlloc(int64(bytes))
	if supplement.IsOutOfMemory(supplement.Wrap("cuMemAlloc", err)) && d.spare.Load() > 0 {
		spare := append(d.lanes.empty(), own.spare...)
		own.spare = nil
		if err := d.release(spare); err != nil {
			return allocation{}, err
		}
		address, err = cu.MemAlloc(int64(bytes))
	}
	if err != nil {
		return allocation{}, d.noRoom(bytes, supplement.Wrap("cuMemAlloc", err))
	}
	return allocation{address, bytes}, nil
}

// release frees spare memory, which may wait for all that the card has been given to do.
func (d *Device) release(spare []allocation) error {
	var failed []error
	for _, a := range spare {
		d.spare.Add(-int64(a.bytes))
		failed = append(failed, a.free())
	}
	return supplement.First(failed...)
}

func (a allocation) free() error { return supplement.Wrap("cuMemFree", cu.MemFree(a.address)) }

// noRoom turns an error for want of so many bytes, 0 if nobody says how many, into a
// *gpu.OutOfMemory, on a thread of the device.
func (d *Device) noRoom(bytes int, err error) error {
	if !supplement.IsOutOfMemory(err) {
		return err
	}
	free, total, infoErr := cu.MemInfo()
	if infoErr != nil {
		return err
	}
	return &gpu.OutOfMemory{Bytes: int64(bytes), Free: free, Total: total, Held: d.allocated.Load()}
}
