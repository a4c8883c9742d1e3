package golden

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// npyFile is a version 1.0 .npy file with the given header and body.
func npyFile(header, body string) string {
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n" // the body begins at a multiple of 64
	return "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), byte(len(header) >> 8)}) + header + body
}

// writeSet writes a set of one case, of kind test, with the given members.
func writeSet(t *testing.T, members map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	manifest := `{"cases": {"small": {"file": "small.npz", "kind": "test", "config": {"batch": 7}, "checks": {"a": {"b": 0.5}}}}}`
	if err := os.WriteFile(filepath.Join(folder, "manifest.json"), []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	file := need(os.Create(filepath.Join(folder, "small.npz")))(t)
	archive := zip.NewWriter(file)
	for name, content := range members {
		if _, err := need(archive.Create(name))(t).Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestRead(t *testing.T) {
	folder := writeSet(t, map[string]string{
		"w/a.npy":     npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }", "\x00\x00\x80\x3f\x00\x00\x00\xc0"),
		"w/b.npy":     npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "\x01\x02\xff"),
		"short.npy":   npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }", "\x00\x00\x80\x3f"),
		"long.npy":    npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", "\x01\x02"),
		"fortran.npy": npyFile("{'descr': '|u1', 'fortran_order': True, 'shape': (1, 1), }", "\x01"),
		"broken.npy":  "not an array",
	})
	set := need(Open(folder))(t)
	if kinds := set.Kinds(); !slices.Equal(kinds, []string{"test"}) {
		t.Errorf("kinds %v", kinds)
	}
	cases := need(set.Cases("test"))(t)
	if len(cases) != 1 || cases[0].Name != "small" {
		t.Fatalf("cases %v", cases)
	}
	c := cases[0]
	if names := c.Names("w/"); !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("names %v", names)
	}
	if a := need(Read[float32](c, "w/a"))(t); !slices.Equal(a.Shape, []int{2, 1}) || !slices.Equal(a.Values, []float32{1, -2}) || a.At(1)[0] != -2 {
		t.Errorf("w/a is %v", a)
	}
	if b := need(Read[uint8](c, "w/b"))(t); !slices.Equal(b.Values, []uint8{1, 2, 255}) {
		t.Errorf("w/b is %v", b)
	}
	var config struct{ Batch int }
	if err := c.Config(&config); err != nil || config.Batch != 7 {
		t.Errorf("config %+v, %v", config, err)
	}
	if v, err := c.Check("a", "b"); err != nil || v != 0.5 {
		t.Errorf("check %g, %v", v, err)
	}
	if _, err := c.Check("a"); err == nil {
		t.Error("an object passed for a number")
	}
	for _, name := range []string{"short", "w/b", "broken", "absent"} {
		if a, err := Read[float32](c, name); err == nil {
			t.Errorf("%s was read as float32: %v", name, a)
		}
	}
	for _, name := range []string{"long", "fortran"} {
		if a, err := Read[uint8](c, name); err == nil {
			t.Errorf("%s was read: %v", name, a)
		}
	}
}

func TestOpenFails(t *testing.T) {
	for name, manifest := range map[string]string{"no JSON": "{", "no case": "{}"} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "manifest.json"), []byte(manifest), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(folder); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
}
