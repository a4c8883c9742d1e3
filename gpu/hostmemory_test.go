package gpu

import (
	"errors"
	"math"
	"runtime"
	"testing"
)

// A little is there; more than any machine has is refused, with what there is.
func TestCheckMemory(t *testing.T) {
	if err := CheckMemory(1 << 20); err != nil {
		t.Errorf("1 MB: %v", err)
	}
	if runtime.GOOS == "linux" {
		var full *OutOfMemory
		if err := CheckMemory(1 << 60); !errors.As(err, &full) || full.Bytes != 1<<60 || full.Total <= 0 || full.Total > 1<<60 {
			t.Errorf("an exabyte: %v", err)
		}
	}
	if n, err := CheckProduct(3, 5, 7); n != 105 || err != nil {
		t.Errorf("3 x 5 x 7 is %d, %v", n, err)
	}
	for _, sizes := range [][]int64{{math.MaxInt64, 2}, {1 << 40, 1 << 40}, {-1, 2}} {
		if n, err := CheckProduct(sizes...); err == nil {
			t.Errorf("%v is %d, want an error", sizes, n)
		}
	}
}
