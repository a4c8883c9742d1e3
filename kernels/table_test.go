package kernels_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/kernels/kerneltest"
)

func openStream(t *testing.T, threads int) gpu.Stream {
	t.Helper()
	device, err := cpu.New(cpu.Options{Threads: threads})
	check(t, err)
	stream, err := device.NewStream()
	check(t, err)
	t.Cleanup(func() { check(t, stream.Close()) })
	return stream
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Every kernel's Go body computes its contract.
func TestKernels(t *testing.T) {
	stream := openStream(t, 2)
	for _, c := range kerneltest.Cases() {
		if err := c.Run(stream); err != nil {
			t.Error(err)
		}
	}
}

// A kernel's bits do not depend on how its blocks are handed out.
func TestKernelBlocksInAnyOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	stream := openStream(t, 1)
	for _, c := range kerneltest.Cases() {
		instance, err := c.Place(stream)
		check(t, err)
		k := instance.Kernel
		blocks := k.Grid().Blocks
		run := func(body func()) []byte {
			check(t, instance.Reset())
			body()
			memory, err := instance.Memory()
			check(t, err)
			return memory
		}
		atOnce := run(func() { k.Host(0, blocks) })
		for order, body := range map[string]func(){
			"in halves, the second first": func() {
				k.Host(blocks/2, blocks)
				k.Host(0, blocks/2)
			},
			"block by block in an order of seed 1": func() {
				for _, block := range rand.New(rand.NewPCG(1, 0)).Perm(blocks) {
					k.Host(block, block+1)
				}
			},
		} {
			if blocks > 1 && !bytes.Equal(run(body), atOnce) {
				t.Errorf("%s: %d blocks %s give other bits than at once", c.Name, blocks, order)
			}
		}
	}
}

// Kernels can be called from CUDA: parameters of the agreed types, a name of
// their own, a launch that a device accepts.
func TestKernelSignatures(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	stream := openStream(t, 1)
	allowed := map[reflect.Type]bool{
		reflect.TypeFor[gpu.Slice[float32]](): true, reflect.TypeFor[gpu.Slice[int32]](): true,
		reflect.TypeFor[gpu.Slice[uint32]](): true, reflect.TypeFor[gpu.Slice[uint8]](): true,
		reflect.TypeFor[int32](): true, reflect.TypeFor[uint32](): true, reflect.TypeFor[uint64](): true, reflect.TypeFor[float32](): true,
	}
	types, owners := map[string]bool{}, map[string]reflect.Type{}
	names := map[string]bool{}
	for _, c := range kerneltest.Cases() {
		if names[c.Name] {
			t.Errorf("two cases are called %s", c.Name)
		}
		names[c.Name] = true
		instance, err := c.Place(stream)
		check(t, err)
		k := instance.Kernel
		kind := reflect.TypeOf(k).Elem()
		if owner, ok := owners[k.Entry()]; ok && owner != kind {
			t.Errorf("%v and %v are both called %s", owner, kind, k.Entry())
		}
		owners[k.Entry()] = kind
		if !strings.HasPrefix(c.Name, k.Entry()+"/") {
			t.Errorf("case %s is of kernel %s", c.Name, k.Entry())
		}
		if g := k.Grid(); g.Blocks < 1 || g.Threads < 1 || g.Threads > 1024 {
			t.Errorf("%s: a grid of %+v", c.Name, g)
		}
		if cost := k.Cost(); cost.Bytes <= 0 || cost.Flops < 0 {
			t.Errorf("%s: a cost of %+v", c.Name, cost)
		}
		if types[kind.Name()] {
			continue
		}
		types[kind.Name()] = true
		for i := range kind.NumField() {
			if f := kind.Field(i); f.IsExported() && !allowed[f.Type] {
				t.Errorf("%v.%s is a %v: no kernel parameter", kind, f.Name, f.Type)
			}
		}
	}
	for _, name := range kernelTypes(t) {
		if !types[name] {
			t.Errorf("kernel %s has no case in package kerneltest", name)
		}
	}
}

// kernelTypes returns the types of the package that have a method Host.
func kernelTypes(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	check(t, err)
	var names []string
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, parser.SkipObjectResolution)
		check(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "Host" && f.Recv != nil {
				names = append(names, f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name)
			}
		}
	}
	if len(names) == 0 {
		t.Error("no kernel found in this folder")
	}
	return names
}
