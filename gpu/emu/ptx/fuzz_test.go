package ptx

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse: whatever the text, Parse gives a module or a *SyntaxError, and the module's kernels run to an end, a fault or a
// refusal: never a panic, never a hang.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.ptx")
	if err != nil || len(files) == 0 {
		f.Fatalf("no PTX in testdata (%v)", err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	for _, p := range plantedFaults {
		f.Add([]byte(kernelOf(p.body)))
	}
	f.Add([]byte(snippet("prmt.b32.f4e %r0, 1, 2, 3; bfi.b64 %d0, 1, 2, 3, 4; mov.b64 {%r1, _}, %d0;", "%r0")))
	f.Add([]byte(header + ".global .align 4 .u32 a[2][2] = {{1, 2}, {3, -(4 + 1) * 2}};"))
	f.Fuzz(func(t *testing.T, source []byte) {
		m, err := Parse("fuzz.ptx", source)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		bytes := 0
		for _, v := range m.variables {
			if bytes += v.size; bytes > 1<<20 {
				t.Skip("large variables")
			}
		}
		for _, k := range m.Kernels() {
			if k.localBytes > 1<<12 {
				t.Skip("large local memory")
			}
			launch := Launch{Block: [3]int{min(33, k.MaxThreads)}, Options: Options{Check: CheckFull, Workers: 1, Budget: 20_000}}
			for _, p := range k.Parameters {
				launch.Arguments = append(launch.Arguments, make([]byte, p.Size))
			}
			if _, err := k.Run(context.Background(), NewMemory(), launch); err != nil {
				var fault *Fault
				var refused *LaunchError
				if !errors.As(err, &fault) && !errors.As(err, &refused) {
					t.Fatalf("%T: %v", err, err)
				}
			}
		}
	})
}
