//go:build cuda

package cuda

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gorgonia.org/cu"

	"diaghess/gpu/cuda/supplement"
)

// thread is an OS thread on which a device's context is current.
type thread struct {
	mutex   sync.Mutex // held for a call
	calls   chan func() error
	results chan error
	watch   *watch
	lost    error // of a call that did not return
}

// watch is what a device's threads have in common: how long a call may take, and whether one
// took longer. The driver may then block whoever frees something.
type watch struct {
	patience time.Duration
	hangs    atomic.Bool
}

// defaultPatience is much longer than the longest call takes: 64 steps of 32 runs at once are
// done in seconds.
const defaultPatience = 10 * time.Minute

// hang is the error of a call that did not return.
type hang struct{ patience time.Duration }

func (h *hang) Error() string {
	return fmt.Sprintf("the card did not answer within %v: a kernel does not end, or the driver hangs; nvidia-smi and the system's log (Xid) may say why, "+
		"CUDA_LAUNCH_BLOCKING=1 names the op; end this process before you use the card again", h.patience)
}

// Fault says that the card is of no more use to this process.
func (h *hang) Fault() bool { return true }

// startThread starts a thread; prepare makes the context current there.
func startThread(w *watch, prepare func() error) (*thread, error) {
	t := &thread{calls: make(chan func() error), results: make(chan error, 1), watch: w}
	go func() {
		// Never unlocked: the OS thread ends with the goroutine.
		runtime.LockOSThread()
		for call := range t.calls {
			t.results <- call()
		}
	}()
	if err := t.do(prepare); err != nil {
		t.stop()
		return nil, err
	}
	return t, nil
}

// do makes calls on the thread and returns their error, or a *hang where they do not return.
func (t *thread) do(calls func() error) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.lost != nil {
		return t.lost
	}
	t.calls <- calls
	timer := time.NewTimer(t.watch.patience)
	defer timer.Stop()
	select {
	case err := <-t.results:
		return err
	case <-timer.C:
		t.watch.hangs.Store(true)
		t.lost = &hang{t.watch.patience}
		return t.lost
	}
}

// free does the calls that free what is left, unless the device hangs: they would, too.
func (t *thread) free(calls func() error) error {
	if t.watch.hangs.Load() {
		return &hang{t.watch.patience}
	}
	return t.do(calls)
}

// stop ends the thread.
func (t *thread) stop() { close(t.calls) }

// makeCurrent makes a context that of the calling thread.
func makeCurrent(context cu.CUContext) error {
	return supplement.Wrap("cuCtxSetCurrent", cu.SetCurrentContext(context))
}
