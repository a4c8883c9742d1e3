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
	f.Add([]byte(snippet("prmt.b32 %r0, 1, 2, 3; bfi.b32 %r1, 1, 2, 3, 4; mov.b64 {%r1, _}, %d0;", "%r0")))
	f.Fuzz(func(t *testing.T, source []byte) {
		m, err := Parse("fuzz.ptx", source)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		for _, k := range m.kernels {
			launch := Launch{Threads: min(33, max(1, k.MaxThreads)), Options: Options{Check: CheckFull, Workers: 1, Budget: 20_000}}
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
