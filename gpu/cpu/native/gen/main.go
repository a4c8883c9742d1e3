// Command gen writes the assembly of package native, in whose folder it runs:
// go generate ./gpu/cpu/native.
package main

import (
	"log"
	"os"

	"diaghess/gpu/cpu/asm"
)

// target is the file that generate makes.
const target = "tiles_amd64.s"

func main() {
	if err := os.WriteFile(target, generate(), 0o644); err != nil {
		log.Fatal(err)
	}
}

func generate() []byte {
	f := asm.NewFile()
	product(f, asm.AVX512, 6, 4)
	product(f, asm.AVX512, 6, 2)
	product(f, asm.AVX2, 6, 2)
	outer(f, asm.AVX512, 12, 2)
	outer(f, asm.AVX512, 9, 2)
	outer(f, asm.AVX512, 6, 4)
	outer(f, asm.AVX512, 8, 2)
	outer(f, asm.AVX512, 4, 4)
	outer(f, asm.AVX2, 6, 2)
	outer(f, asm.AVX2, 3, 4)
	add(f, asm.AVX2)
	prefetch(f, "prefetchRead", "PREFETCHT1 (AX)")
	prefetch(f, "prefetchWrite", "BYTE $0x0f; BYTE $0x0d; BYTE $0x08 // PREFETCHW (AX)")
	for _, t := range transforms {
		t.write(f, asm.AVX512)
		t.write(f, asm.AVX2)
	}
	f.Literals()
	return f.Contents()
}
