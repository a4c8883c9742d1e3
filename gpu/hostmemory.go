package gpu

import (
	"fmt"
	"runtime"
	"runtime/metrics"
)

// largeBuffer is the size in bytes from which on CheckBuffer looks.
const largeBuffer = 1 << 20

// CheckBuffer is [CheckMemory] for a buffer of a device in host memory. It lets small
// buffers pass: to look takes longer than to make them.
func CheckBuffer(bytes int) error {
	if bytes < largeBuffer {
		return nil
	}
	return CheckMemory(int64(bytes))
}

// CheckMemory returns an [OutOfMemory] error where this process cannot get so many bytes
// more of the host's memory. The runtime ends the process where the system refuses it
// memory, so code that makes large buffers asks first. It returns nil where the system does
// not tell.
func CheckMemory(bytes int64) error {
	free, limit := HostMemory()
	if limit > 0 && bytes > free {
		runtime.GC() // what has been closed may still be there
		free, limit = HostMemory()
	}
	if limit == 0 || bytes <= free {
		return nil
	}
	held, _ := heap()
	return &OutOfMemory{Bytes: bytes, Free: free, Total: limit, Held: held}
}

// HostMemory returns how many bytes of the host's memory this process can still use for
// large buffers, and out of how many, by the tightest of its limits. Both are 0 where the
// system does not tell.
func HostMemory() (free, limit int64) { return hostMemory(heap()) }

// CheckProduct multiplies sizes and checks the product, in bytes, as [CheckMemory] does.
func CheckProduct(sizes ...int64) (int64, error) {
	product := int64(1)
	for _, n := range sizes {
		if n < 0 || n > 0 && product > 1<<62/n {
			return 0, fmt.Errorf("%v multiplied are more bytes than any memory has", sizes)
		}
		product *= n
	}
	return product, CheckMemory(product)
}

// heap returns the bytes that this process has taken for objects, written to or not, and
// those that it has in addition and does not use.
func heap() (objects, idle int64) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	var bytes [3]int64
	for i, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			bytes[i] = int64(s.Value.Uint64())
		}
	}
	return bytes[0], bytes[1] + bytes[2]
}
