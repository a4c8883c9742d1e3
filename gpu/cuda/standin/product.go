//go:build cuda

package standin

import (
	"fmt"
	"math"
	"unsafe"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
)

// products computes on the cpu device with gonum's convolutions.
type products struct {
	device   *cpu.Device
	stream   gpu.Stream
	programs map[productKey]*productProgram
}

type productKey struct {
	shape     gpu.ConvolutionShape
	direction gpu.Direction
}

// productProgram is a pass between host tensors in NHWC and HWIO.
type productProgram struct {
	x, w, y gpu.Slice[float32]
	program gpu.Program
}

func (p *products) close() {
	if p.stream != nil {
		p.stream.Close()
	}
}

// program returns the program of a pass.
func (p *products) program(key productKey) (*productProgram, error) {
	if found, ok := p.programs[key]; ok {
		return found, nil
	}
	var err error
	if p.stream == nil {
		if p.device, err = cpu.New(cpu.Options{Threads: 1, Library: "gonum"}); err != nil {
			return nil, err
		}
		if p.stream, err = p.device.NewStream(); err != nil {
			return nil, err
		}
		p.programs = map[productKey]*productProgram{}
	}
	made := &productProgram{}
	for to, n := range map[*gpu.Slice[float32]]int{&made.x: key.shape.Input(), &made.w: key.shape.Filter(), &made.y: key.shape.Output()} {
		if *to, err = gpu.Alloc[float32](p.stream, n); err != nil {
			return nil, err
		}
	}
	convolution, err := p.stream.Convolution(key.shape)
	if err != nil {
		return nil, err
	}
	var r gpu.Recorder
	r.Record(gpu.NewConvolutionPass(convolution, key.direction, made.x, made.w, made.y))
	if made.program, err = p.stream.Compile(r.Ops()); err != nil {
		return nil, err
	}
	p.programs[key] = made
	return made, nil
}

// compute does a job: result = alpha product + beta result.
func (p *products) compute(j *convolutionJob) error {
	s := j.geometry.shape
	program, err := p.program(productKey{s, j.direction})
	if err != nil {
		return err
	}
	// From the card's layout to the cpu's and back.
	picture := func(channels int) []int { return pictureIndex(s.Batch, s.Height, s.Width, channels, j.geometry.nhwc) }
	tensors := [...]struct {
		device window
		host   []float32
		at     []int // of the host's elements, on the device
	}{
		{j.x, program.x.Host(), picture(s.In)}, {j.w, program.w.Host(), filterIndex(s, j.geometry.nhwc)}, {j.y, program.y.Host(), picture(s.Out)},
	}
	written := j.direction.Written()
	for i, t := range tensors {
		device := floats(t.device)
		for k, from := range t.at {
			v := device[from]
			if j.tf32 && i != written {
				v = toTF32(v)
			}
			t.host[k] = v
		}
	}
	if err := program.program.Run(); err != nil {
		return fmt.Errorf("%v of %v: %w", j.direction, s, err)
	}
	result := tensors[written]
	device := floats(result.device)
	for k, to := range result.at {
		v := j.alpha * result.host[k]
		if j.beta != 0 {
			v += j.beta * device[to]
		}
		device[to] = v
	}
	result.device.written()
	return nil
}

func floats(w window) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(&w.data()[0])), w.bytes/4)
}

// toTF32 rounds to the 10 bits of fraction that a tensor core takes.
func toTF32(v float32) float32 {
	return math.Float32frombits((math.Float32bits(v) + 1<<12) &^ (1<<13 - 1))
}

// pictureIndex returns where each element of an NHWC tensor is on the device.
func pictureIndex(n, h, w, c int, nhwc bool) []int {
	at := make([]int, 0, n*h*w*c)
	for i := range n {
		for pixel := range h * w {
			for channel := range c {
				if nhwc {
					at = append(at, (i*h*w+pixel)*c+channel)
				} else {
					at = append(at, (i*c+channel)*h*w+pixel)
				}
			}
		}
	}
	return at
}

// filterIndex returns where each element of an HWIO filter is on the device: KRSC,
// or KCRS where the layout is NCHW.
func filterIndex(s gpu.ConvolutionShape, nhwc bool) []int {
	taps := s.Kernel * s.Kernel
	at := make([]int, 0, s.Filter())
	for tap := range taps {
		for i := range s.In {
			for o := range s.Out {
				if nhwc {
					at = append(at, (o*taps+tap)*s.In+i)
				} else {
					at = append(at, (o*s.In+i)*taps+tap)
				}
			}
		}
	}
	return at
}
