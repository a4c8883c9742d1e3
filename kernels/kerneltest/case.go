package kerneltest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"unsafe"

	"diaghess/gpu"
)

// Case is one kernel at one size.
type Case struct {
	Name string // the kernel's entry and the size: "gather/rows=3,values=31"

	build func(p *placer) gpu.Kernel
}

// seed is that of all cases' inputs.
const seed = 1

// Instance is a case placed in a device's memory.
type Instance struct {
	Case
	Kernel gpu.Kernel

	stream  gpu.Stream
	buffers []*buffer
}

// buffer is a kernel's tensor in memory, with guards around it.
type buffer struct {
	name    string
	memory  gpu.Slice[uint8]
	initial []byte // of the memory
	lo, hi  int    // the tensor's bytes in it
	// verify holds the tensor after a run against what is wanted; nil for an
	// input, which must not change.
	verify func(got []byte) error
}

// Run runs the case on a stream. Its error tells which guards, inputs or outputs are not
// as they must be.
func (c Case) Run(stream gpu.Stream) error {
	instance, err := c.Place(stream)
	if err != nil {
		return err
	}
	if err := runOp(stream, instance.Kernel); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	return instance.Verify()
}

// runOp compiles one op and runs it.
func runOp(stream gpu.Stream, op gpu.Op) error {
	var r gpu.Recorder
	r.Record(op)
	program, err := stream.Compile(r.Ops())
	if err != nil {
		return err
	}
	return program.Run()
}

// Place draws the case's inputs and uploads them to the stream's device.
func (c Case) Place(stream gpu.Stream) (*Instance, error) {
	p := &placer{
		stream: stream, random: rand.New(rand.NewPCG(seed, 0)),
		instance: &Instance{Case: c, stream: stream},
	}
	p.instance.Kernel = c.build(p)
	if p.err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, p.err)
	}
	return p.instance, p.instance.Reset()
}

// Reset uploads the inputs again and poisons the outputs.
func (i *Instance) Reset() error {
	for _, b := range i.buffers {
		if err := gpu.Upload(i.stream, b.memory, b.initial); err != nil {
			return fmt.Errorf("%s: upload %s: %w", i.Name, b.name, err)
		}
	}
	return nil
}

// Memory returns the bytes of all buffers, guards included: what two runs that
// must agree bit for bit are compared by.
func (i *Instance) Memory() ([]byte, error) {
	var all []byte
	for _, b := range i.buffers {
		got, err := i.download(b)
		if err != nil {
			return nil, err
		}
		all = append(all, got...)
	}
	return all, nil
}

func (i *Instance) download(b *buffer) ([]byte, error) {
	got := make([]byte, len(b.initial))
	if err := gpu.Download(i.stream, got, b.memory); err != nil {
		return nil, fmt.Errorf("%s: download %s: %w", i.Name, b.name, err)
	}
	return got, nil
}

// Verify returns an error that tells all that is wrong after a run.
func (i *Instance) Verify() error {
	var problems []error
	for _, b := range i.buffers {
		got, err := i.download(b)
		if err != nil {
			return err
		}
		for at, v := range got {
			if (at < b.lo || at >= b.hi) && v != b.initial[at] {
				problems = append(problems, fmt.Errorf("guard byte %d of %s is overwritten", at-b.lo, b.name))
				break
			}
		}
		switch tensor := got[b.lo:b.hi]; {
		case b.verify != nil:
			if err := b.verify(tensor); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", b.name, err))
			}
		case !slices.Equal(tensor, b.initial[b.lo:b.hi]):
			problems = append(problems, fmt.Errorf("%s is an input and has changed", b.name))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%s, seed %d: %w", i.Name, seed, errors.Join(problems...))
	}
	return nil
}

// placer places the buffers of a case.
type placer struct {
	stream   gpu.Stream
	random   *rand.Rand
	instance *Instance
	err      error // the first failure
}

// guardBytes keep a tensor at an alignment that a network's tensors have.
const guardBytes = 64

// poison fills guards and outputs: a NaN as a float32, and as an integer or a
// byte a value that no kernel writes.
var poison = [4]byte{0xa5, 0xa5, 0xc5, 0x7f}

// place puts n elements between guards. Nil values are poison.
func place[T gpu.Element](p *placer, name string, n int, values []T, verify func(got []T) error) gpu.Slice[T] {
	if p.err != nil {
		return gpu.Slice[T]{}
	}
	size := int(unsafe.Sizeof(*new(T)))
	whole := guardBytes + (n*size+3)/4*4 + guardBytes
	memory, err := p.stream.Alloc(whole)
	if err != nil {
		p.err = fmt.Errorf("%s: %w", name, err)
		return gpu.Slice[T]{}
	}
	b := &buffer{name: name, memory: gpu.View[uint8](memory), initial: make([]byte, whole), lo: guardBytes, hi: guardBytes + n*size}
	for i := range b.initial {
		b.initial[i] = poison[i%4]
	}
	if len(values) > 0 {
		copy(b.initial[b.lo:b.hi], unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), n*size))
	}
	if verify != nil {
		b.verify = func(got []byte) error {
			elements := make([]T, n)
			copy(unsafe.Slice((*byte)(unsafe.Pointer(&elements[0])), n*size), got)
			return verify(elements)
		}
	}
	p.instance.buffers = append(p.instance.buffers, b)
	return gpu.View[T](memory).Sub(guardBytes/size, guardBytes/size+n)
}

// input places values that the kernel must leave as they are.
func input[T gpu.Element](p *placer, name string, values []T) gpu.Slice[T] {
	return place(p, name, len(values), values, nil)
}

// output places a poisoned tensor that the kernel must fill.
func output(p *placer, name string, want []number) gpu.Slice[float32] {
	return update(p, name, nil, want)
}

// update places values that the kernel must change into others.
func update(p *placer, name string, values []float32, want []number) gpu.Slice[float32] {
	return place(p, name, len(want), values, func(got []float32) error {
		for i, w := range want {
			if w == unchanged {
				if math.Float32bits(got[i]) != math.Float32bits(values[i]) {
					return fmt.Errorf("element %d, to be left alone, is %v, was %v", i, got[i], values[i])
				}
				continue
			}
			if err := w.holds(got[i]); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
		return nil
	})
}

// outputExact and updateExact are output and update of values without error.
func outputExact[T gpu.Element](p *placer, name string, want []T) gpu.Slice[T] {
	return updateExact(p, name, nil, want)
}

func updateExact[T gpu.Element](p *placer, name string, values, want []T) gpu.Slice[T] {
	return place(p, name, len(want), values, func(got []T) error {
		for i, w := range want {
			if got[i] != w {
				return fmt.Errorf("element %d is %v, want %v", i, got[i], w)
			}
		}
		return nil
	})
}
