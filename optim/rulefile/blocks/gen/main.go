// Command gen writes the vector functions of package blocks, in whose folder it runs:
// go generate ./optim/rulefile/blocks.
package main

import (
	"log"
	"os"

	"diaghess/gpu/cpu/asm"
)

// target is the file that generate makes.
const target = "vector_amd64.s"

func main() {
	if err := os.WriteFile(target, generate(), 0o644); err != nil {
		log.Fatal(err)
	}
}

func generate() []byte {
	f := asm.NewFile()
	for _, l := range loops() {
		l.write(f)
	}
	f.Literals()
	return f.Contents()
}
