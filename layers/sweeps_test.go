package layers

import (
	"strings"
	"testing"

	"diaghess/gpu/cpu"
)

// plain is a layer with nothing but forward and backward.
type plain struct{ unit }

// bind returns a chain bound to batches of 2 pictures of 3x2, with all gradients.
func bind(t *testing.T, chain ...Layer) *Batch {
	t.Helper()
	device, err := cpu.New(cpu.Options{})
	check(t, err)
	stream, err := device.NewStream()
	check(t, err)
	t.Cleanup(func() { check(t, stream.Close()) })
	n, err := New(stream, Shape{Height: 3, Width: 2, Channels: 1}, chain, 1)
	check(t, err)
	n.Retain = true
	batch, err := n.Bind(2)
	check(t, err)
	return batch
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A network with a layer that does not have a sweep does not get it: the error names the
// layer and the sweep.
func TestMissingSweeps(t *testing.T) {
	for sweep, bound := range map[string]func(*Batch) error{
		"product with the Hessian":    func(b *Batch) error { _, err := b.BindTangent(); return err },
		"sweep of HesScale":           func(b *Batch) error { _, err := b.BindHesScale(); return err },
		"exact Gauss-Newton diagonal": func(b *Batch) error { _, err := b.BindGGNColumns(); return err },
	} {
		batch := bind(t, Dense{Name: "dense1", Units: 3}, Epilogue{Name: "bias1"}, Dense{Name: "out", Units: 2})
		check(t, bound(batch))
		batch.units[1] = plain{batch.units[1]}
		if err := bound(batch); err == nil || err.Error() != "layer bias1 has no "+sweep {
			t.Errorf("error %v, want that layer bias1 has no %s", err, sweep)
		}
	}
}

// The exact diagonal is for layers whose gradient tells the samples apart.
func TestColumnsRefuse(t *testing.T) {
	out := Dense{Name: "out", Units: 2}
	for want, chain := range map[string][]Layer{
		"layer conv1 has no exact Gauss-Newton diagonal: a convolution": {Conv{Name: "conv1", Filters: 1, Kernel: 3}, out},
		"layer bias1 has no exact Gauss-Newton diagonal: a bias":        {Epilogue{Name: "bias1"}, out},
		"layer pool1 has no exact Gauss-Newton diagonal: a bias":        {Epilogue{Name: "pool1", Pool: true}, out},
		"layer norm1 has no exact Gauss-Newton diagonal: batch norm":    {out, Epilogue{Name: "norm1", BatchNorm: true}},
	} {
		if _, err := bind(t, chain...).BindGGNColumns(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
