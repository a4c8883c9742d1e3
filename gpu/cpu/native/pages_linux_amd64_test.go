package native

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// Nothing is read behind the end of a tensor, where a page may be that faults.
func TestReadsNothingBehindTensors(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	all := levels(t)
	eachPass(t, shapes, func(p *pass) {
		for i, values := range p.tensors {
			if i != p.direction.Written() {
				p.tensors[i] = beforeFault(t, values)
			}
		}
		for _, level := range all {
			p.run(level)
		}
	})
}

// beforeFault copies values to the end of memory that is followed by a page that
// cannot be read.
func beforeFault(t *testing.T, values []float32) []float32 {
	page := os.Getpagesize()
	size := roundUp(4*len(values), page)
	memory, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	result := unsafe.Slice((*float32)(unsafe.Pointer(&memory[size-4*len(values)])), len(values))
	copy(result, values)
	return result
}
