package golden

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
)

// FuzzArray: a file is refused, or is an array of its shape, of which the same file comes
// back.
func FuzzArray(f *testing.F) {
	c := need(need(Open("testdata"))(f).Cases("mlp"))(f)[0]
	for member := range c.arrays {
		content := need(io.ReadAll(need(c.arrays[member].Open())(f)))(f)
		if len(content) < 300 {
			f.Add(content)
		}
	}
	for _, dictionary := range []string{
		"{'descr': '<f8', 'fortran_order': False, 'shape': (), }", "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 0), }",
		"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "{'descr': '|u1', 'fortran_order': True, 'shape': (1,), }",
	} {
		f.Add([]byte(npyFile(dictionary, "12345678")))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		check[float32](t, content)
		check[float64](t, content)
		check[int32](t, content)
		check[uint8](t, content)
	})
}

func check[T Element](t *testing.T, content []byte) {
	a, err := parse[T](content)
	if err != nil {
		return
	}
	elements, shape := 1, ""
	for _, n := range a.Shape {
		elements *= n
		shape += fmt.Sprintf("%d,", n)
	}
	if len(a.Values) != elements {
		t.Fatalf("%d values of shape %v", len(a.Values), a.Shape)
	}
	body := need(binary.Append(nil, binary.LittleEndian, a.Values))(t)
	if !strings.HasSuffix(string(content), string(body)) {
		t.Errorf("values %v are not those of %q", a.Values, content)
	}
	dictionary := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", kindOf[T](), shape)
	if again, err := parse[T]([]byte(npyFile(dictionary, string(body)))); err != nil || fmt.Sprint(again) != fmt.Sprint(a) {
		t.Errorf("%v comes back as %v, %v", a, again, err)
	}
}
