// Command gen writes the vector bodies of package kernels, in whose folder it runs:
// go generate ./kernels.
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
	for _, w := range []*walk{
		adamUpdate(), diagHessUpdate(), diagHessMinimum(), scaleBytes(), dropoutMask(), batchNormStats(),
		columnsSum(), columnsSquares(), columnsReduce(),
		epilogueForward(), epilogueReduce(), epilogueBackward(),
		epiloguePoolForward(), epiloguePoolBackward(),
		curvatureSum(), curvatureAverage(), square(), centeredSquare(), calibrateAverage(), calibrateBlend(), rademacher(), hutchinsonSample(),
		hesScaleSlope(), hesScaleSlopePair(), hesScaleBackward(),
		tangentStats(), tangentForward(), tangentPoolForward(),
		tangentReduce(), tangentReducePair(), tangentBackward(), tangentBackwardPair(),
	} {
		w.write(f)
	}
	f.Literals()
	return f.Contents()
}
