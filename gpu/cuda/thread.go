//go:build cuda

package cuda

import (
	"runtime"
	"sync"

	"gorgonia.org/cu"

	"diaghess/gpu/cuda/supplement"
)

// thread is an OS thread on which a device's context is current.
type thread struct {
	mutex   sync.Mutex // held for a call
	calls   chan func() error
	results chan error
}

// startThread starts a thread; prepare makes the context current there.
func startThread(prepare func() error) (*thread, error) {
	t := &thread{calls: make(chan func() error), results: make(chan error)}
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

// do makes calls on the thread and returns their error.
func (t *thread) do(calls func() error) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.calls <- calls
	return <-t.results
}

// stop ends the thread.
func (t *thread) stop() { close(t.calls) }

// makeCurrent makes a context that of the calling thread.
func makeCurrent(context cu.CUContext) error {
	return supplement.Wrap("cuCtxSetCurrent", cu.SetCurrentContext(context))
}
