//go:build onednn

package onednn

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

const (
	benchBatch   = 64
	benchWorkers = 2
)

// team is goroutines that live as long as the benchmark, each locked to an operating system thread of its own: without the lock a
// step takes 12 % longer.
type team struct {
	work [benchWorkers]chan func(id int)
	busy sync.WaitGroup
}

func newTeam(b *testing.B) *team {
	t := new(team)
	for id := range t.work {
		work := make(chan func(id int))
		t.work[id] = work
		go func() {
			runtime.LockOSThread()
			for f := range work {
				f(id)
				t.busy.Done()
			}
		}()
		b.Cleanup(func() { close(work) })
	}
	return t
}

// run calls f on every member and waits for all.
func (t *team) run(f func(id int)) {
	t.busy.Add(len(t.work))
	for _, work := range t.work {
		work <- f
	}
	t.busy.Wait()
}

// benchLayer is one convolution of the network, cut into slices, with its activations for the whole batch.
type benchLayer struct {
	team               *team
	convolutions       []*Convolution // one a worker
	shape              Shape          // of a slice
	x, w, y, dx, dw    []float32
	forward, backward  []float32   // packed filters
	partials           [][]float32 // packed filter gradients, one a slice
	wantsInputGradient bool
}

func newBenchLayers(b *testing.B, slice int) []*benchLayer {
	random := rand.New(rand.NewPCG(6, 0))
	var workers []*Worker
	team := newTeam(b)
	for range benchWorkers {
		workers = append(workers, newWorker(b))
	}
	var layers []*benchLayer
	for i, shape := range networkShapes(slice) {
		count := benchBatch / slice
		l := &benchLayer{
			team: team, shape: shape, wantsInputGradient: i > 0,
			x: draw(random, count*shape.inputLen()), dx: make([]float32, count*shape.inputLen()), y: draw(random, count*shape.outputLen()),
			w: draw(random, shape.filterLen()), dw: make([]float32, shape.filterLen()),
		}
		for _, worker := range workers {
			l.convolutions = append(l.convolutions, newConvolution(b, worker, shape))
		}
		c := l.convolutions[0]
		l.forward, l.backward = make([]float32, c.PackedLen(Forward)), make([]float32, c.PackedLen(BackwardData))
		for range count {
			l.partials = append(l.partials, make([]float32, c.PackedLen(BackwardFilter)))
		}
		layers = append(layers, l)
	}
	return layers
}

// run does one pass of one layer over the batch: what is once a step, and the slices on two threads.
func (l *benchLayer) run(b *testing.B, pass Pass) {
	first := l.convolutions[0]
	switch pass {
	case Forward:
		must(b, first.Pack(Forward, l.w, l.forward))
	case BackwardData:
		must(b, first.Pack(BackwardData, l.w, l.backward))
	}
	l.team.run(func(id int) {
		c := l.convolutions[id]
		for slice := id; slice < len(l.partials); slice += benchWorkers {
			input := func(values []float32) []float32 {
				return values[slice*l.shape.inputLen() : (slice+1)*l.shape.inputLen()]
			}
			output := l.y[slice*l.shape.outputLen() : (slice+1)*l.shape.outputLen()]
			switch pass {
			case Forward:
				must(b, c.Forward(input(l.x), l.forward, output))
			case BackwardData:
				must(b, c.BackwardData(output, l.backward, input(l.dx)))
			case BackwardFilter:
				must(b, c.BackwardFilter(input(l.x), output, l.partials[slice]))
			}
		}
	})
	if pass == BackwardFilter {
		sum := l.partials[0]
		for _, partial := range l.partials[1:] {
			for i, value := range partial {
				sum[i] += value
			}
		}
		must(b, first.Unpack(sum, l.dw))
	}
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Error(err)
	}
}

// step does all passes in the order of a training step.
func step(b *testing.B, layers []*benchLayer) {
	for _, l := range layers {
		l.run(b, Forward)
	}
	for i := len(layers) - 1; i >= 0; i-- {
		layers[i].run(b, BackwardFilter)
		if layers[i].wantsInputGradient {
			layers[i].run(b, BackwardData)
		}
	}
}

// BenchmarkConvolution times each pass of each layer of the network for a batch of 64, cut into slices of 16, on two threads.
func BenchmarkConvolution(b *testing.B) {
	layers := newBenchLayers(b, 16)
	for i, l := range layers {
		for _, pass := range []Pass{Forward, BackwardData, BackwardFilter} {
			if pass == BackwardData && !l.wantsInputGradient {
				continue
			}
			b.Run(fmt.Sprintf("%d-%dto%d/%v", i+1, l.shape.In, l.shape.Out, pass), func(b *testing.B) {
				for b.Loop() {
					l.run(b, pass)
				}
				operations := 2 * 9 * float64(l.shape.In) * float64(l.shape.outputLen()) * float64(len(l.partials))
				b.ReportMetric(operations*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// BenchmarkStep times all the convolutions of a training step for several sizes of a slice.
func BenchmarkStep(b *testing.B) {
	for _, slice := range []int{4, 8, 16, 32} {
		b.Run(fmt.Sprintf("slice%d", slice), func(b *testing.B) {
			layers := newBenchLayers(b, slice)
			step(b, layers)
			for b.Loop() {
				step(b, layers)
			}
		})
	}
}

// BenchmarkGemm times the three passes of the network's dense layers for a batch of 64, on two threads: outputs and gradients
// of the input are cut in two by columns, which is 5 to 10 % faster than by rows, gradients of the filter by rows.
func BenchmarkGemm(b *testing.B) {
	random := rand.New(rand.NewPCG(7, 0))
	team := newTeam(b)
	for _, size := range [][2]int{{2048, 512}, {512, 512}, {512, 10}} {
		in, out := size[0], size[1]
		x, w, y := draw(random, benchBatch*in), draw(random, in*out), draw(random, benchBatch*out)
		passes := map[Pass]func(half int) error{
			Forward: func(half int) error { // y = x w
				from := half * out / 2
				return Gemm(false, false, benchBatch, out/2, in, x, in, w[from:], out, y[from:], out)
			},
			BackwardData: func(half int) error { // dx = dy w'
				from := half * in / 2
				return Gemm(false, true, benchBatch, in/2, out, y, out, w[from*out:], out, x[from:], in)
			},
			BackwardFilter: func(half int) error { // dw = x' dy
				from := half * in / 2
				return Gemm(true, false, in/2, out, benchBatch, x[from:], in, y, out, w[from*out:], out)
			},
		}
		for _, pass := range []Pass{Forward, BackwardData, BackwardFilter} {
			b.Run(fmt.Sprintf("%dto%d/%v", in, out, pass), func(b *testing.B) {
				for b.Loop() {
					team.run(func(id int) { must(b, passes[pass](id)) })
				}
			})
		}
	}
}
