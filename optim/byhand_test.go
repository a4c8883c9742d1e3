package optim_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/optim"
)

// byHand is a run of a rule that once had kernels written by hand, and is a rule file now. The
// kernels made it, in Go and in CUDA alike; see the README in folder testdata.
type byHand struct {
	Spec string `json:"spec"`
	// H is the curvature: none, signed or nonnegative.
	H string `json:"h"`
	// Arrays are w and the slots after the last step: the bits of the small tensor in base64,
	// and the SHA-256 of those of all tensors.
	Arrays map[string]struct {
		Small string `json:"small"`
		All   string `json:"all"`
	} `json:"arrays"`
}

// The tensors lie apart, as in a network: one of several chunks, whose last has a tail, and a
// small one.
var byHandTensors = optim.Tensors{Offsets: []int{0, 9280}, Lengths: []int{9254, 37}}

const byHandElements, byHandSteps = 9328, 20

// given fills a buffer with numbers over four decades, of which two percent are 0. Their
// computation rounds nowhere, so they are the same on every machine.
func given(purpose, step int) []float32 {
	r := rand.New(rand.NewPCG(uint64(purpose), uint64(step)))
	x := make([]float32, byHandElements)
	for i := range x {
		v := math.Ldexp(float64(r.IntN(1<<24)-1<<23), -23-r.IntN(14))
		if r.IntN(50) > 0 {
			x[i] = float32(v)
		}
	}
	return x
}

// bits returns those of an array's tensor, with one pattern for all NaN.
func bits(x []float32, tensor int) (all []byte) {
	for _, v := range x[byHandTensors.Offsets[tensor]:][:byHandTensors.Lengths[tensor]] {
		b := math.Float32bits(v)
		if v != v {
			b = 0x7fc00000
		}
		all = binary.LittleEndian.AppendUint32(all, b)
	}
	return all
}

// run returns w and the slots after the last step on a device.
func (c byHand) run(t *testing.T, device gpu.Device) map[string][]float32 {
	t.Helper()
	stream, err := device.NewStream()
	check(t, err)
	defer func() { check(t, stream.Close()) }()
	tensors := byHandTensors
	tensors.Values, tensors.Gradients = values(t, stream, given(0, 0)), values(t, stream, given(1, 0))
	var h gpu.Slice[float32]
	if c.H != "none" {
		h = values(t, stream, given(2, 0))
	}
	o, err := optim.New(stream, parse(t, c.Spec), tensors, optim.Length{Steps: byHandSteps, StepsPerEpoch: 5}, h, c.H == "nonnegative")
	check(t, err)
	var r gpu.Recorder
	check(t, o.Record(&r))
	r.Record(&kernels.Advance{State: o.State})
	step, err := stream.Compile(r.Ops())
	check(t, err)
	for i := range byHandSteps {
		check(t, gpu.Upload(stream, tensors.Gradients, given(1, i)))
		if c.H != "none" {
			diagonal := given(2, i)
			for j, v := range diagonal {
				if c.H == "nonnegative" {
					diagonal[j] = float32(math.Abs(float64(v)))
				}
			}
			check(t, gpu.Upload(stream, h, diagonal))
		}
		check(t, step.Run())
	}
	arrays := map[string][]float32{"w": make([]float32, byHandElements)}
	check(t, gpu.Download(stream, arrays["w"], tensors.Values))
	for _, slot := range o.Rule.Slots() {
		arrays[slot] = make([]float32, byHandElements)
		check(t, gpu.Download(stream, arrays[slot], o.Slot(slot)))
	}
	return arrays
}

// Rule files in the place of kernels by hand give the same bits.
func TestByHand(t *testing.T) {
	text, err := os.ReadFile("testdata/byhand.json")
	check(t, err)
	var all []byHand
	check(t, json.Unmarshal(text, &all))
	if len(all) < 12 {
		t.Fatalf("%d runs, want at least 12", len(all))
	}
	processor, err := cpu.New(cpu.Options{Threads: 2})
	check(t, err)
	emulator, err := emu.New(emu.Options{Source: kernels.Module, Check: ptx.CheckFull, Library: "gonum"})
	check(t, err)
	for _, c := range all {
		for _, device := range []gpu.Device{processor, emulator} {
			t.Run(c.Spec+" "+c.H+" "+device.Name(), func(t *testing.T) {
				got := c.run(t, device)
				if len(got) != len(c.Arrays) {
					t.Errorf("%d arrays, by hand %d", len(got), len(c.Arrays))
				}
				for name, want := range c.Arrays {
					small := bits(got[name], 1)
					wanted, err := base64.StdEncoding.DecodeString(want.Small)
					if err != nil || len(wanted) != len(small) {
						t.Fatalf("%s has %d bytes in the small tensor, by hand %d, %v", name, len(small), len(wanted), err)
					}
					for i := 0; i < len(small); i += 4 {
						x, y := binary.LittleEndian.Uint32(small[i:]), binary.LittleEndian.Uint32(wanted[i:])
						if x != y {
							t.Fatalf("%s, element %d of the small tensor: %g, by hand %g", name, i/4, math.Float32frombits(x), math.Float32frombits(y))
						}
					}
					if sum := fmt.Sprintf("%x", sha256.Sum256(append(bits(got[name], 0), small...))); sum != want.All {
						t.Errorf("%s: the elements have the SHA-256 %s, by hand %s", name, sum, want.All)
					}
				}
			})
		}
	}
}
